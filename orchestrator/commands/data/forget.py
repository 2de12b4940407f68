"""`orch data forget`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import database_if_any
from orchestrator.terminal.options import Storage
from storage.wording import say_count


def forget(
    what: Annotated[
        str,
        typer.Argument(
            metavar="DIR|FINGERPRINT",
            help="A dataset folder, or its fingerprint if the folder is gone.",
            show_default=False,
        ),
    ],
    storage: Storage = None,
) -> None:
    """Release the hold-out of a data set that was imported by mistake.

    Its images are no longer recorded as sealed, so another data set of the same images can be used for training. Refused if
    the hold-out was opened or predicted, or if a study exists on the data set. The folder is kept; remove it yourself.

    \b
    Examples:
      orch data forget my-data-2
      orch data forget sha256:6db6a89312dc...
    """
    from storage.data.datasets import load_dataset
    from storage.errors import UsageError
    from storage.holdout.forgetting import forget_holdout
    from storage.settings import cache_folder

    folder: Path | None = None
    fingerprint = what
    if not what.startswith("sha256:"):
        folder = Path(what)
        fingerprint = load_dataset(folder).fingerprint
    elif len(what) != len("sha256:") + 64:
        raise UsageError(
            f"{what!r} is not a whole fingerprint, which has 64 digits after sha256:.",
            next_step="`orch data show DIR` and `orch data audit DIR --json` print whole ones.",
        )
    short = f"{fingerprint[7:19]}.."
    with database_if_any(storage) as database:
        forgotten = forget_holdout(fingerprint, folder, cache_folder(), database)
    if forgotten:
        console.say(f"Released {say_count(forgotten, 'image')} from the hold-out of data set {short}.")
    else:
        console.say(f"No sealed images of data set {short} are known on this machine.")
