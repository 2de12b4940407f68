"""Standard input, output and error: there also where a scheduler started the command without them."""

from __future__ import annotations

import os
import sys


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
