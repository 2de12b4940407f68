"""With which code a worker process leaves: whether its supervisor starts another one at once, later, a few times, or never."""

import errno
import sqlite3
from collections.abc import Callable

import pytest
import sqlalchemy.exc

from orchestrator.machine.worker_process import Request, _report
from orchestrator.terminal.failures import report_error
from storage.errors import (
    DatabaseAwayError,
    DatabaseRefusedError,
    DataError,
    DeviceError,
    DeviceSettledError,
    OrchError,
    SpentProcessError,
    StorageError,
)
from workers.process.messages import AWAY, CRASHED, RENEWED


def of_sqlite(text: str) -> Exception:
    return sqlalchemy.exc.OperationalError("UPDATE", {}, sqlite3.OperationalError(text))


def refused(text: str) -> Exception:
    error = StorageError("The database refused.")
    error.__cause__ = of_sqlite(text)
    return error


@pytest.mark.parametrize(
    ("error", "at_work", "at_the_start"),
    [
        (DeviceSettledError("Other threads."), RENEWED, RENEWED),
        (SpentProcessError("No memory."), RENEWED, RENEWED),
        (DeviceError("A broken GPU."), CRASHED, CRASHED),
        (KeyError("a defect"), CRASHED, CRASHED),
        (DatabaseAwayError(), AWAY, 1),
        (DatabaseRefusedError(), 1, 1),
        (refused("database or disk is full"), AWAY, 1),
        (refused("database disk image is malformed"), CRASHED, 1),
        (OSError(errno.ENOSPC, "full"), AWAY, 1),
        (OSError(errno.EACCES, "not yours"), 1, 1),
        (DataError("Images are missing."), 2, 2),
        (OrchError("A last word."), 1, 1),
        (KeyboardInterrupt(), 130, 130),
    ],
)
def test_only_what_neither_time_nor_another_process_changes_is_a_last_word(
    error: BaseException, at_work: int, at_the_start: int, capsys: pytest.CaptureFixture[str]
) -> None:
    request = Request(name="s", data=(), forever=False, grace=1.0)
    report: Callable[..., int] = _report
    assert report(error, request, at_work=True) == at_work
    assert report(error, request, at_work=False) == at_the_start
    said = capsys.readouterr().err
    assert "Traceback" not in said
    # Who pressed Ctrl-C while a worker started found no defect.
    assert "defect" not in said or isinstance(error, KeyError)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RuntimeError("INTERNAL: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access"),
            "does not work: RuntimeError",
        ),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), "not enough memory"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("a slip"), "a defect in orch"),
    ],
)
def test_a_command_that_meets_a_broken_or_full_device_is_no_defect(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report_error(error, debug=False) == 1
    assert words in capsys.readouterr().err
