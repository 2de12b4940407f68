"""A server of ours in the terminal, in the background or under an init system: told to stop, it stops, and says how."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer


@contextmanager
def leaving_on_signals() -> Iterator[None]:
    """End the block on SIGTERM or SIGINT, and then the command with 143 or 130; a second signal ends it at once.

    The handlers are set whatever was there: a shell starts what it puts in the background with SIGINT ignored, and
    Python leaves that as it is. Must be entered on the main thread.
    """
    received: list[int] = []

    def handle(number: int, _: Any) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        # What servers end on; not every one of them knows SystemExit.
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except KeyboardInterrupt:
        if not received:
            raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if received:
        raise typer.Exit(128 + received[0])
