"""What `orch worker --on-finish` may be run with: a study's name is data, and others may have chosen it."""

from __future__ import annotations

import re

from orchestrator.planning.names import is_plain

VARIABLE = "ORCH_STUDY"
ODD = re.compile(r"[-.].*|.*[/\\\x00-\x1f\x7f].*", re.DOTALL)
"""A name that would be an option, a hidden file or another folder even in quotes, or that moves a terminal's cursor."""
IN_QUOTES = re.compile(rf'"(\${VARIABLE}|\$\{{{VARIABLE}\}})"')


def is_safe(command: str, study: str) -> bool:
    """Whether a shell command may run with this study in ORCH_STUDY.

    A plain name may always. Any other one only where the command has it as a word of its own in quotes, `"$ORCH_STUDY"`, so that no
    shell splits it; and never where it would be an option or a path.
    """
    if is_plain(study):
        return True
    return not ODD.fullmatch(study) and _has_quotes(command)


def _has_quotes(command: str) -> bool:
    place, quote = 0, ""
    while place < len(command):
        found = None if quote else IN_QUOTES.match(command, place)
        if found:
            place = found.end()
            continue
        if command.startswith(VARIABLE, place):
            return False
        letter = command[place]
        if letter == "\\" and quote != "'":
            place += 1
        elif not quote and letter in "'\"":
            quote = letter
        elif letter == quote:
            quote = ""
        place += 1
    return True
