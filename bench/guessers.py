"""What a reader of the dashboard waits for while strangers use it: 24 guessers of passwords and 200 connections that say nothing.

    python -m bench.guessers                 `orch dashboard` on SQLite
    python -m bench.guessers --postgres      on PostgreSQL
    python -m bench.guessers --pause 0       guessers that take no breath (the clients then need a processor of their own)

The server is the command in a process of its own, and so are the guessers. The limits: /healthz below 0.1 s, the page of a
reader who has logged in below 1 s, each as a maximum.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

GUESSERS, SILENT = 24, 200
LIMITS = {"/healthz": 0.1, "/api/studies": 1.0}
PASSWORD = "a password of the measurement"
GUESS = """
import http.client, sys, threading, time
port, count, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
def guess():
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/login", "password=wrong", headers)
            connection.getresponse().read()
            connection.close()
        except OSError:
            pass
        time.sleep(pause)
for _ in range(count):
    threading.Thread(target=guess, daemon=True).start()
sys.stdin.read()
"""


def main() -> int:
    """Print the table; the exit code says whether the limits are kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, not on SQLite")
    parser.add_argument(
        "--pause", type=float, default=0.02, help="seconds between two guesses of one guesser"
    )
    parser.add_argument("--seconds", type=float, default=20, help="how long each part lasts")
    chosen = parser.parse_args()
    from storage.database.opening import open_database
    from tests.generated_studies import sized_study
    from tests.postgres import PostgresServer

    server = PostgresServer() if chosen.postgres else None
    with tempfile.TemporaryDirectory() as folder:
        try:
            if server:
                server.start()
                url = server.copy_template(lambda fresh: open_database(fresh, create=True).close())
            else:
                url = f"sqlite:///{folder}/orch.db"
            database = open_database(url, create=True)
            sized_study(database, "read", 100)
            database.close()
            kept = measure(url, chosen.pause, chosen.seconds)
        finally:
            if server:
                server.close()
    return 0 if kept else 1


def measure(url: str, pause: float, seconds: float) -> bool:
    """Serve, and ask first alone and then beside the strangers. Returns whether the limits are kept."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    orch = Path(sys.executable).with_name("orch")
    environment = {**os.environ, "ORCH_STORAGE": url, "ORCH_DASHBOARD_PASSWORD": PASSWORD}
    command = [str(orch), "dashboard", "--port", str(port)]
    serving = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    kept = True
    try:
        cookie = log_in(port)
        print(f"{'':34}{'asked':>6} {'median':>8} {'99 %':>8} {'most':>8}")
        for with_strangers in (False, True):
            with strangers(port, pause if with_strangers else None):
                times = ask_for(port, cookie, seconds if with_strangers else seconds / 4)
            for path, took in times.items():
                took.sort()
                what = f"{path} {'beside strangers' if with_strangers else 'alone'}"
                most = took[-1]
                kept &= not with_strangers or most < LIMITS[path]
                said = "kept" if most < LIMITS[path] else "BROKEN"
                figures = " ".join(
                    f"{1000 * t:6.1f}ms" for t in (took[len(took) // 2], took[len(took) * 99 // 100], most)
                )
                print(f"{what:34}{len(took):6d} {figures}  {LIMITS[path]:g} s {said}")
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(20)
    return kept


def ask(port: int, method: str, path: str, body: str = "", **headers: str) -> http.client.HTTPResponse:
    """One request on a connection of its own; the body of the answer is read."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
    return answer


def log_in(port: int) -> str:
    """The cookie of a reader, as soon as the server answers."""
    origin = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(300):
        try:
            answer = ask(port, "POST", "/login", f"password={PASSWORD.replace(' ', '+')}", **origin)
            return str(answer.getheader("Set-Cookie")).partition(";")[0]
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the dashboard does not answer")


@contextmanager
def strangers(port: int, pause: float | None) -> Any:
    """Guessers and silent connections, where there is a pause."""
    if pause is None:
        yield
        return
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(SILENT)]
    for place, connection in enumerate(silent):
        if place % 2:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    words = [sys.executable, "-c", GUESS, str(port), str(GUESSERS), str(pause)]
    guessing = subprocess.Popen(words, stdin=subprocess.PIPE)
    time.sleep(1)
    try:
        yield
    finally:
        guessing.kill()
        guessing.communicate()
        for connection in silent:
            connection.close()


def ask_for(port: int, cookie: str, seconds: float) -> dict[str, list[float]]:
    """How long each answer took, of /healthz and of a page in turns."""
    asked: dict[str, Callable[[], http.client.HTTPResponse]] = {
        "/healthz": lambda: ask(port, "GET", "/healthz"),
        "/api/studies": lambda: ask(port, "GET", "/api/studies", Cookie=cookie),
    }
    times: dict[str, list[float]] = {path: [] for path in asked}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path, request in asked.items():
            began = time.monotonic()
            if request().status != 200:
                raise SystemExit(f"{path} was not answered with 200")
            times[path].append(time.monotonic() - began)
            time.sleep(0.02)
    return times


if __name__ == "__main__":
    sys.exit(main())
