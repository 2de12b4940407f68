"""Words that messages share: counts with their nouns, times, and the file that a study's winner goes to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

NOT_FOR_TERMINALS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, which would act on a terminal, but for the tab and the new line; and those that turn the direction of text."""


def printable(text: str) -> str:
    """Return a text whose control characters are shown and do nothing: names and errors come from anywhere."""
    return NOT_FOR_TERMINALS.sub(lambda found: ascii(found[0])[1:-1], text)


def say_count(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun: "1 study", "2 studies".

    Args:
        one: the noun, and what follows it, for one.
        more: the same for any other number; left out, it is `one` with an s.
    """
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def say_times(number: int) -> str:
    """Return how often something happened."""
    return "once" if number == 1 else f"{number} times"


def say_duration(seconds: float) -> str:
    """Return a span of time as a person says it: "0.4 s", "45 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 0.95:
        return f"{max(seconds, 0):.1f}".removesuffix(".0") + " s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def say_instant(timestamp: float, zone: tzinfo | None = None) -> str:
    """Return date, time and time zone: "2026-03-01 14:05:09 CET". Without its zone a time means nothing elsewhere.

    Args:
        timestamp: seconds since 1970.
        zone: of the text; that of this machine when left out. What several machines write by turns names one for all.
    """
    return datetime.fromtimestamp(timestamp, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def say_written(text: str | None) -> str | None:
    """Return the time of a JSON document (ISO 8601) as `say_instant` does; as it stands where it is no such time."""
    try:
        return say_instant(datetime.fromisoformat(text).timestamp()) if text else None
    except ValueError:
        return text


def say_command(*words: object) -> str:
    """Return an `orch` command line as a shell reads it: what users named (studies, folders, files) is quoted where it must be.

    Every advised command goes through here, so that it can be pasted and does nothing but what it says.
    """
    return "orch " + shlex.join(str(word) for word in words)


def best_file(study: str) -> str:
    """Return the name of the file that messages advise for a study's winner, as a shell reads it.

    It is named after the study: one name for all would let the winner of the second overwrite that of the first.
    """
    name = study.replace("/", "-") + ".json"
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


def name_few(names: Iterable[str], limit: int = 5) -> str:
    """The first few of many names, and how many more there are."""
    listed = list(names)
    rest = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + rest


def show_params(params: Mapping[str, Any] | None) -> str:
    """Hyperparameters on one line, by name, such as "batch_size=64, learning_rate=0.001"; None for a trial not begun."""
    if params is None:
        return "chosen when claimed"
    return ", ".join(f"{name}={show_value(value)}" for name, value in sorted(params.items()))


def show_value(value: Any) -> str:
    """A hyperparameter's value as a person writes it in a spec: 0.001, sgd, [512, 256], true."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show_value(item) for item in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
