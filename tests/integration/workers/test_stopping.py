"""What serves until it is told to stop does stop, wherever it was started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
# As `command &` in a script and `nohup` do it: with SIGINT and SIGHUP ignored, which a program inherits.
IN_BACKGROUND = "trap '' INT HUP; exec \"$@\""


@pytest.fixture
def start(
    orch_program: Path, sqlite_url: str, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the installed command as a script puts it into the background."""

    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
        process = subprocess.Popen(
            ["sh", "-c", IN_BACKGROUND, "sh", str(orch_program), *words],
            cwd=tmp_path,
            env={**clean, "ORCH_STORAGE": sqlite_url, "ORCH_CACHE": str(tmp_path / "cache")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def wait_for_answer(address: str, process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Wait until something answers there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    process.terminate()
    raise AssertionError(f"no answer from {address}: {process.communicate()[1]}")


@pytest.mark.main_tier("15-143")
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_dashboard_in_the_background_stops(
    start: Callable[..., subprocess.Popen[str]], number: int, code: int
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("dashboard", "--port", str(port), "--no-login")
    wait_for_answer(f"http://127.0.0.1:{port}/healthz", process)
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    assert "Traceback" not in process.communicate()[1]
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.main_tier("15-143")
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_worker_in_the_background_stops(
    start: Callable[..., subprocess.Popen[str]], run_orch: Callable[..., subprocess.CompletedProcess[str]],
    sqlite_url: str, number: int, code: int,
) -> None:  # fmt: skip
    process = start("worker", "--forever", "--gpus", "none")
    end = time.monotonic() + 60
    while '"idle"' not in run_orch("status", "--json", environment={"ORCH_STORAGE": sqlite_url}).stdout:
        assert time.monotonic() < end
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    assert "stopping: finishing" in process.communicate()[1]
    assert '"idle"' not in run_orch("status", "--json", environment={"ORCH_STORAGE": sqlite_url}).stdout
