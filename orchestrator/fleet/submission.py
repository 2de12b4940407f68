"""Write the files of a fleet and hand them to the program that runs them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from storage.errors import OrchError
from storage.files.writing import check_place, write_text

LONGEST_SECONDS = 300.0


def keep(path: Path, text: str, *, executable: bool = False) -> None:
    """Write one file, whole or not at all.

    Raises:
        UsageError: it cannot be written there.
    """
    check_place(path)
    write_text(path, text)
    if executable:
        path.chmod(path.stat().st_mode | 0o111)


def submit(command: Sequence[str]) -> str:
    """Run the scheduler's own program and return what it printed.

    Raises:
        OrchError: it is not on this machine, refused, or did not answer in five minutes.
    """
    program = shutil.which(command[0])
    if program is None:
        raise OrchError(
            f"{command[0]} is not on this machine, so nothing was submitted.",
            why="The files were written; a scheduler's programs are often on a login node only.",
            next_step=f"Run there: {' '.join(command)}",
        )
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise OrchError(
            f"{command[0]} did not answer within five minutes.",
            why="The scheduler may be away.",
            next_step=f"Look whether it took the workers; if not, run: {' '.join(command)}",
        ) from error
    if done.returncode:
        said = "; ".join(line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip())
        raise OrchError(
            f"{command[0]} refused: {said[:600] or f'exit code {done.returncode}'}",
            why="The files were written; the scheduler does not take them as they are.",
            next_step=f"Change the options or the file, then run: {' '.join(command)}",
        )
    return (done.stdout or done.stderr).strip()
