"""Whatever a name holds: no command to the terminal comes out of orch, not from a wrong command line, a log line or a library's warning."""

from __future__ import annotations

import logging
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import run
from orchestrator.terminal.streams import keep_control_characters_off

Run = Callable[..., subprocess.CompletedProcess[str]]
EVIL = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e"


@pytest.mark.parametrize(
    "words",
    [
        [EVIL],
        [f"--{EVIL}"],
        ["study", EVIL],
        ["study", "show", EVIL],
        ["study", "show", f"--{EVIL}"],
        ["study", "show", "x", "--storage", f"sqlite:///{EVIL}"],
        ["study", "create", EVIL, "--spec", EVIL],
        ["study", "create", "x", "--set", EVIL],
        ["study", "create", "x", "--regime", EVIL],
        ["study", "list", "--trials", EVIL],
        ["worker", "--per-gpu", EVIL],
        ["model", "show", f"{EVIL}.keras"],
        ["model", "predict", "x", EVIL, "-o", EVIL],
        ["data", "import", EVIL, "--labels", EVIL, "--out", "d"],
        ["data", "audit", EVIL],
        ["trial", "show", EVIL, EVIL],
        ["--debug", "report", EVIL],
    ],
)
def test_a_command_line_shows_what_was_typed_and_obeys_none_of_it(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCH_STORAGE", f"sqlite:///{tmp_path / 'x.db'}")
    assert run(words) in (1, 2)
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert not set("\x1b\x07\x9b\u202e") & set(text), ascii(text)


def test_log_lines_and_warnings_hold_no_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    keep_control_characters_off()
    keep_control_characters_off()
    record = logging.LogRecord("x", logging.WARNING, "x", 1, "cannot write %s", (EVIL,), None)
    assert logging.lastResort is not None
    logging.lastResort.handle(record)
    captured = capsys.readouterr().err + warnings.formatwarning(EVIL, UserWarning, "x.py", 1)
    assert "cannot write \\x1b]0;owned\\x07" in captured
    assert not set("\x1b\x07\x9b\u202e") & set(captured), ascii(captured)


def test_the_installed_command_is_so_too(run_orch: Run) -> None:
    done = run_orch("study", "show", EVIL)
    assert done.returncode in (1, 2)
    assert "\x1b" not in done.stderr
