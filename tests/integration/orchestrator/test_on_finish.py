"""What `orch worker --on-finish` runs, when, and what its failure changes."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from orchestrator.machine.notifying import Notifier, read_target
from orchestrator.machine.processes import run_workers
from orchestrator.machine.worker_process import Request
from storage.errors import SpecError, UsageError
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


class Answering(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent, or never answers, or refuses."""

    kept: ClassVar[list[dict[str, object]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/slow":
            time.sleep(5)
        self.kept.append(json.loads(body))
        self.send_response(403 if self.path == "/refuses-SECRET" else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Answering.kept.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def told(program: str, target: str | None) -> tuple[int, list[str]]:
    """As `run`, with --notify in place of --on-finish."""
    said: list[str] = []
    request = SmallRequest(name=None, data=(), forever=False, grace=5.0, program=program)
    where = read_target(target)
    assert where is not None
    notifier = Notifier(where, said.append)
    code = run_workers(request, [Slot("slot", {})], say=said.append, notifier=notifier)
    notifier.finish()
    return code, said


def test_a_webhook_is_told_that_a_study_ended(webhook: str) -> None:
    assert told(ended(STUDY), f"{webhook}/hook") == (0, [])
    [message] = Answering.kept
    assert (message["event"], message["study"]) == ("finished", STUDY)
    assert set(message) == {"event", "study", "machine", "time", "text"}


def test_a_webhook_is_told_that_the_workers_failed(webhook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_NOTIFY", webhook)
    code, _ = told("import sys; sys.exit(2)", None)
    assert code == 2
    assert [message["event"] for message in Answering.kept] == ["failed"]


def test_a_webhook_that_fails_hurts_no_worker_and_its_address_is_not_printed(
    webhook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.machine.notifying.SECONDS", 0.5)
    (tmp_path / "address").write_text(f"{webhook}/refuses-SECRET\n")
    assert told(ended("s"), "@address") == (
        0,
        ["The message that a study finished could not be sent: the server answered 403."],
    )
    assert "could not be sent: no answer within" in told(ended("s"), f"{webhook}/slow")[1][0]
    code, [said] = told(ended("s"), "http://127.0.0.1:9/SECRET")
    assert code == 0
    assert "SECRET" not in said


def test_a_command_gets_the_message_as_one_word(tmp_path: Path) -> None:
    (tmp_path / "tell").write_text('#!/bin/sh\nprintf "%s\\n" "$#" "$1" "$ORCH_EVENT" > told\n')
    (tmp_path / "tell").chmod(0o755)
    assert told(ended(STUDY), str(tmp_path / "tell"))[0] == 0
    count, text, event = (tmp_path / "told").read_text().splitlines()
    assert (count, event) == ("1", "finished")
    assert text == f"orch: the study {STUDY!r} has ended."
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("target", ["no-such-program-here", "@not-there", "https://", "sh 'unclosed"])
def test_a_target_that_cannot_work_is_refused_before_the_work(target: str) -> None:
    with pytest.raises(UsageError):
        read_target(target)


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
