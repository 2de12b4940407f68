"""`orch study watch`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import Storage, StudyName
from storage.wording import say_command, say_count


def watch(
    name: StudyName,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", help="Seconds between two updates.", min=0.2)
    ] = 5.0,
    storage: Storage = None,
) -> None:
    """Follow a study until it is finished.

    Shows a live table on a terminal, otherwise a line per change. Ends when every trial has finished or failed, or when the
    study is stopped and no trial runs.

    \b
    Example:
      orch study watch first
    """
    from orchestrator.studies.next_steps import tell_settled, tell_stopped
    from orchestrator.studies.watch import watch_live, watch_study
    from storage.studies.study import load_study

    with open_storage(storage) as database:
        study = load_study(database, name)
        if console.is_drawn(sys.stdout):
            counts = watch_live(database, study, interval=interval)
        else:
            counts = watch_study(database, study, print_line=console.print_line, interval=interval)
    console.say(tell_settled(name, counts) if counts.is_settled else tell_stopped(name, counts))
    if counts.failed:
        console.warn(
            f"{say_count(counts.failed, 'trial')} failed; `{say_command('study', 'show', name)}` shows the errors."
        )
