"""What is printed does nothing to a terminal, and a reader who left costs nothing."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli import run
from orchestrator.terminal import console
from tests.conftest import REPOSITORY

EVIL = "a\x1b[31m\x07\x9b2J\u202eb\x7f"
PROGRAM = "from orchestrator.cli import main; import sys; sys.argv = ['orch', *sys.argv[1:]]; main()"


@pytest.mark.parametrize("print_it", [console.print_line, console.say, console.warn])
def test_control_characters_are_shown_and_do_nothing(
    print_it: object, capsys: pytest.CaptureFixture[str]
) -> None:
    print_it(EVIL)  # type: ignore[operator]
    shown = "".join(capsys.readouterr())
    assert r"a\x1b[31m\x07\x9b2J\u202eb\x7f" in shown


def test_json_stays_json_without_them(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"name": EVIL + "é"})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"name": EVIL + "é"}
    assert not set(shown) & set("\x1b\x9b\u202e\x7f")
    assert "é" in shown


def test_tables_have_one_line_for_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(("study", "state"), [["one\ntwo", EVIL]])
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_remarks_that_cannot_be_written_stop_no_work(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    class Left(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(number, "the reader left, or the disk of the log is full")

    monkeypatch.setattr(sys, "stderr", Left())
    console.say("nobody hears it")


@pytest.mark.main_tier("study list-2-<&- >&- 2>&-", "study list-2-2>/dev/full", "--version-0->&-")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("words", "code"), [("--version", 0), ("study list", 2)])
def test_a_command_without_standard_streams_ends_as_it_would(closed: str, words: str, code: int) -> None:
    line = f'"$0" -c "$1" {words} {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, PROGRAM],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "ORCH_STORAGE": "sqlite:////nowhere/orch.db"},
    )
    assert (done.returncode, "Traceback" in done.stderr, "defect" in done.stderr) == (code, False, False), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("locale", "said"),
    [({"LC_ALL": "C"}, False), ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, True)],
)
def test_a_locale_that_reads_other_names_is_said(locale: dict[str, str], said: bool) -> None:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--version"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**kept, **locale},
    )
    assert (done.returncode, "LC_ALL=C.UTF-8" in done.stderr) == (0, said)


def test_a_working_folder_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run(["study", "list"]) == 1
    assert "is not there any more. Change to another one" in capsys.readouterr().err
