"""How a process of orch starts another one: both run the same code, whatever lies in the folder where somebody works."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that this process has orch from: site-packages, or a copy of the source that was never installed."""


def make_command(program: str, *words: str) -> list[str]:
    """The command line of a process that runs some lines of Python.

    Args:
        program: what it runs; it may import orch.
        words: what it finds in sys.argv[1:].
    """
    # Python's -P: a module in the working folder is no part of this program. It also hides a copy of the source in that folder, which
    # is therefore named; last, because where orch is installed, the folder is among the others already.
    find = f"import sys; sys.path.append({str(ROOT)!r}); "
    return [sys.executable, "-P", "-c", find + program, *words]
