"""What `orch worker --on-finish` runs, when, and what its failure changes."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.machine.processes import run_workers
from orchestrator.machine.worker_process import Request
from storage.errors import SpecError
from storage.spec import parse
from workers.process import messages
from workers.process.supervisor import Slot

STUDY = "first $(touch pwned); touch pwned"
"""A name is data, also where a shell sees it."""


@dataclass(frozen=True)
class SmallRequest(Request):
    """Asks for a process that tells its supervisor what a worker would, instead of for a worker.

    Attributes:
        program: what it does; `tell(kind, study)` notifies.
    """

    program: str = ""

    def to_command(self) -> list[str]:
        """The command line of the process."""
        tell = (
            "import json, os, signal, time\n"
            f"tell = lambda *notice: os.write({self.notify}, json.dumps(notice).encode() + b'\\n')\n"
        )
        return [sys.executable, "-S", "-c", tell + self.program]


def run(program: str, command: str, slots: int = 1) -> tuple[int, list[str]]:
    """Run processes of that program under the real supervisor; returns the exit code and what was said."""
    said: list[str] = []
    request = SmallRequest(name=None, data=(), forever=False, grace=5.0, program=program)
    places = [Slot(f"slot {number}", {}) for number in range(slots)]
    return run_workers(request, places, say=said.append, on_finish=command), said


def ended(study: str) -> str:
    """A program that tells of a study that it served and that ended."""
    return "; ".join(f"tell({kind!r}, {study!r})" for kind in ("claimed", "progress", "settled"))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the commands write."""
    monkeypatch.chdir(tmp_path)


def test_it_runs_once_for_a_study_that_several_processes_saw_end(tmp_path: Path) -> None:
    code, said = run(ended(STUDY), 'printf "%s\\n" "$ORCH_STUDY" >> ended', slots=3)
    assert code == 0
    assert (tmp_path / "ended").read_text() == f"{STUDY}\n"
    assert not (tmp_path / "pwned").exists()
    assert sum("has ended: running" in line for line in said) == 1


def test_it_does_not_run_for_a_study_that_others_ended_or_that_goes_on(tmp_path: Path) -> None:
    code, _ = run(
        "tell('settled', 'others'); tell('claimed', 'ours'); tell('progress', 'ours')", "touch ended"
    )
    assert (code, (tmp_path / "ended").exists()) == (0, False)


def test_it_does_not_run_when_the_worker_was_told_to_stop(tmp_path: Path) -> None:
    told = (
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(143))\n"
        "tell('claimed', 'ours')\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(20)"
    )
    code, said = run(told, "touch ended")
    assert (code, said) == (143, [])
    assert not (tmp_path / "ended").exists()


def test_its_failure_is_said_and_changes_no_exit_code() -> None:
    code, said = run(ended("s"), "exit 3")
    assert code == 0
    assert said[-1] == "--on-finish ended with exit code 3."


def test_workers_go_on_while_it_runs(tmp_path: Path) -> None:
    told = f"{ended('s')}; time.sleep(1); {ended('t')}"
    began = time.monotonic()
    code, _ = run(told, 'echo "$ORCH_STUDY" >> ended; sleep 2')
    assert code == 0
    assert (tmp_path / "ended").read_text() == "s\nt\n"
    assert time.monotonic() - began >= 3, "it is waited for"


def test_no_study_can_name_a_command() -> None:
    for section, key in (("study", "on_finish"), ("training", "on_finish")):
        with pytest.raises(SpecError, match="on_finish"):
            parse({"study": {"name": "s"}, section: {"name": "s", key: "touch pwned"}}, source="a test")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert "ORCH_STUDY" not in os.environ


UNQUOTED = "echo $ORCH_STUDY >> ended"
IN_A_SHELL = """sh -c "echo $ORCH_STUDY >> ended" """
QUOTED = 'echo "$ORCH_STUDY" >> ended'


@pytest.mark.parametrize(
    ("study", "command", "runs"),
    [
        ("first", UNQUOTED, True),
        ("größe_2.b-c", IN_A_SHELL, True),
        ("x --spec-toml victim", UNQUOTED, False),
        ("x --spec-toml victim", QUOTED, True),
        ("x; touch pwned", IN_A_SHELL, False),
        ("x; touch pwned", """sh -c "echo "$ORCH_STUDY" >> ended" """, False),
        ("--help", QUOTED, False),
        ("../escaped", QUOTED, False),
        ("y\nsettled z", QUOTED, False),
        ("\x1b[31mred", QUOTED, False),
    ],
)
def test_a_name_that_somebody_else_chose_is_never_more_than_a_name(
    tmp_path: Path, study: str, command: str, runs: bool
) -> None:
    code, said = run(ended(study), command)
    assert code == 0
    assert (tmp_path / "ended").exists() == runs
    assert any("does not run for it" in line for line in said) != runs
    assert not (tmp_path / "pwned").exists()
    assert not any("\x1b" in line for line in said)


def test_a_line_feed_in_a_name_forges_no_notice() -> None:
    line = messages.pack_message(messages.SETTLED, "y\nsettled other")
    assert line.count(b"\n") == 1
    assert messages.unpack_message(line) == (messages.SETTLED, "y\nsettled other")
    assert messages.unpack_message(b"settled other") == ("", "")
