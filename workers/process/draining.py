"""How a worker is told to stop: SIGTERM or SIGINT, heard even while the process waits for a server that never answers."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from workers.process.messages import ECHO_SECONDS

log = logging.getLogger(__name__)

HANDLER_SECONDS = 0.5
"""Python runs a signal's handler on the main thread, between two of its steps. Inside a library's call it does not get there."""


@contextmanager
def draining_on_signals(
    stop: threading.Event,
    tell: Callable[[str], None] = log.info,
    *,
    grace_seconds: float | None = None,
    at_once: int = 1,
    is_supervised: bool = False,
) -> Iterator[list[int]]:
    """Let the first SIGTERM or SIGINT set `stop`; another one, later than an echo, ends the process at once. Yields what was received.

    Must be entered on the main thread.

    Args:
        stop: set by the first signal.
        tell: told one line of text.
        at_once: how many trials the process may work on at the same time.
        grace_seconds: the process ends so long after the first signal, whatever it waits for; None lets it take its time.
        is_supervised: a supervisor is told, too, and ends this process when a person means "at once". What it passes on, or its own end,
            may come long after the first signal, and is the first once more.
    """
    received: list[int] = []
    received_at: list[float] = []
    heard: list[int] = []
    one_at_a_time = threading.RLock()

    def heed(number: int) -> None:
        now = time.monotonic()
        received.append(number)
        received_at.append(now)
        if len(received) > 1 and now - received_at[0] >= ECHO_SECONDS and not is_supervised:
            os._exit(128 + number)
        if len(received) > 1:
            return
        stop.set()
        if grace_seconds is not None:
            # Before anything asks the database, which may not answer.
            leaving = threading.Timer(grace_seconds, os._exit, (128 + number,))
            leaving.daemon = True
            leaving.start()
            timers.append(leaving)
        what = "the current epoch, then giving the trial back"
        if at_once > 1:
            what = "the current epoch of each trial, then giving all of them back"
        tell(f"stopping: finishing {what} (a second signal stops at once)")

    def handle(number: int, _: FrameType | None) -> None:
        with one_at_a_time:
            if heard:
                heard.pop()  # the listener heeded it already
                return
            heed(number)

    def listen() -> None:
        seen = 0
        while (byte := os.read(reading, 1)) not in (b"", b"\0"):
            if byte[0] not in (signal.SIGTERM, signal.SIGINT):
                continue
            seen += 1
            end = time.monotonic() + HANDLER_SECONDS
            while len(received) < seen and time.monotonic() < end:
                time.sleep(0.02)
            with one_at_a_time:
                if len(received) >= seen:
                    continue
                heard.append(byte[0])
                heed(byte[0])

    timers: list[threading.Timer] = []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    listener = threading.Thread(target=listen, name="orch-signals", daemon=True)
    listener.start()
    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier)
        with contextlib.suppress(OSError):
            os.write(writing, b"\0")
        listener.join(2 * HANDLER_SECONDS)
        for timer in timers:
            timer.cancel()
        os.close(writing)
        os.close(reading)
