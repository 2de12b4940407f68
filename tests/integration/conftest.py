"""Commands in this process: a hundred starts of Python would take longer than what is tested here.

The installed command itself runs in tests/acceptance.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import run


@pytest.fixture
def run_orch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in an empty folder, as the installed one would: `run_orch("study", "list", environment={...})`."""

    def call(
        *arguments: object, environment: dict[str, str] | None = None, folder: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        with monkeypatch.context() as place:
            for name in [name for name in os.environ if name.startswith("ORCH_")]:
                place.delenv(name)
            for name, value in {"ORCH_CACHE": str(tmp_path / "cache"), **(environment or {})}.items():
                place.setenv(name, value)
            place.chdir(folder)
            capfd.readouterr()
            code = run(words)
            written = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, written.out, written.err)

    return call
