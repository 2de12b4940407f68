"""Tell somebody when a study ends or the workers of a machine fail: by a command, or by a message to an address.

No training waits for it, and its failure is said and changes nothing. The address of a webhook is a secret more often than
not: it can be kept in a file or in ORCH_NOTIFY, and is never printed.
"""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storage.errors import UsageError
from storage.settings import environment_with, notify_target
from storage.wording import say_duration

SECONDS = 10.0
"""The longest that a message takes; a command has as long when the workers have left."""
WEB = ("http://", "https://")


class Notifier:
    """Sends messages in the background.

    Args:
        target: `read_target`'s.
        say: told of a message that could not be sent.
    """

    def __init__(self, target: str, say: Callable[[str], None]) -> None:
        self._target, self._say = target, say
        self._running: list[threading.Thread] = []

    def tell(self, event: str, study: str | None, text: str) -> None:
        """Send one message.

        Args:
            event: "finished" or "failed".
            study: which; None for all of the machine.
            text: a sentence for people.
        """
        message = {
            "event": event,
            "study": study,
            "machine": socket.gethostname(),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "text": text,
        }
        thread = threading.Thread(target=self._send, args=(message,), daemon=True)
        self._running.append(thread)
        thread.start()

    def finish(self) -> None:
        """Wait for messages that are on their way, no longer than they may take."""
        until = time.monotonic() + SECONDS + 1
        for thread in self._running:
            thread.join(max(0.0, until - time.monotonic()))

    def _send(self, message: dict[str, Any]) -> None:
        try:
            (_post if self._target.startswith(WEB) else _run)(self._target, message)
        except Exception as error:  # whatever a network or a command can do; the workers go on
            self._say(f"The message that a study {message['event']} could not be sent: {_describe(error)}.")


def read_target(flag: str | None) -> str | None:
    """Who is told: `--notify`, else ORCH_NOTIFY; `@FILE` stands for the first line of a file.

    Raises:
        UsageError: the file cannot be read, the address has no host, or there is no such program.
    """
    target = (flag or notify_target()).strip()
    if target.startswith("@"):
        try:
            lines = Path(target[1:]).expanduser().read_text(encoding="utf-8").strip().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise UsageError(f"The file of --notify, {target[1:]}, cannot be read: {reason}.") from error
        target = lines[0].strip() if lines else ""
        if not target:
            raise UsageError(
                "The file of --notify is empty.",
                next_step="Its first line is an address (https://..) or a command.",
            )
    if not target:
        return None
    if target.startswith(WEB):
        from urllib.parse import urlsplit

        try:
            is_complete = bool(urlsplit(target).hostname)
        except ValueError:
            is_complete = False
        if not is_complete:
            raise UsageError(
                "The address of --notify has no host.", next_step="For example: https://HOST/PATH"
            )
        return target
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise UsageError(f"The command of --notify cannot be read: {error}.") from error
    if not words or shutil.which(words[0]) is None:
        raise UsageError(
            "The command of --notify is not on this machine.",
            why="It is run without a shell: a program and its words, and the message as the last word.",
            next_step="For example: --notify 'mail -s orch me@HOST', or an address that begins with https://",
        )
    return target


def _post(address: str, message: dict[str, Any]) -> None:
    from urllib.request import Request, urlopen

    body = json.dumps(message).encode()
    request = Request(address, body, {"Content-Type": "application/json", "User-Agent": "orch"})
    with urlopen(request, timeout=SECONDS) as answer:
        answer.read(1)


def _run(command: str, message: dict[str, Any]) -> None:
    # Without a shell: the name of a study is a part of one word, whatever stands in it.
    told = {
        "ORCH_EVENT": message["event"],
        "ORCH_STUDY": message["study"] or "",
        "ORCH_TEXT": message["text"],
    }
    done = subprocess.run(
        [*shlex.split(command), message["text"]],
        env=environment_with(told),
        input=message["text"] + "\n",
        text=True,
        timeout=SECONDS,
        stdout=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RuntimeError(f"the command ended with exit code {done.returncode}")


def _describe(error: Exception) -> str:
    """What went wrong, without the address and without the command."""
    from urllib.error import HTTPError, URLError

    if isinstance(error, HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
        return f"no answer within {say_duration(SECONDS)}"
    if isinstance(error, URLError):
        reason = error.reason
        return _describe(reason) if isinstance(reason, Exception) else "the address does not answer"
    if isinstance(error, OSError):
        return error.strerror or "the connection failed"
    return str(error) if isinstance(error, RuntimeError) else type(error).__name__
