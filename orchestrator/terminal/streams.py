"""Standard input, output and error: there also where a scheduler started the command without them, and no place for control characters."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from storage.wording import printable


def fill_missing_streams() -> None:
    """Open the null device in place of each standard stream that is closed (`>&-`, some cron jobs and daemons).

    Otherwise the next file that is opened takes its number, and what is printed goes into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def forget_stdout() -> None:
    """Let what is still to be printed go nowhere: the reader has left (`| head`), and Python flushes once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def find_narrow_names() -> str:
    """The encoding in which this process reads file names, where it is not UTF-8; "" where it is."""
    encoding = sys.getfilesystemencoding()
    return "" if encoding.lower().replace("-", "") == "utf8" else encoding


class _PlainLines(logging.Formatter):
    """The message alone, as logging shows it where nothing is set up; names in it come from anywhere."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return printable(super().format(record))


def keep_control_characters_off() -> None:
    """Let log lines and warnings of libraries reach the terminal as text only: file names in them may hold commands to it."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_PlainLines("%(message)s"))
    logging.lastResort = handler
    shown = warnings.formatwarning
    if not hasattr(shown, "is_printable"):

        def formatwarning(*arguments: object, **named: object) -> str:
            return printable(shown(*arguments, **named))  # type: ignore[arg-type]

        formatwarning.is_printable = True  # type: ignore[attr-defined]
        warnings.formatwarning = formatwarning
