"""`orch worker`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_study
from orchestrator.terminal.options import DataFolders, Storage
from storage.wording import say_command


def worker(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The study. Default: every open study whose data is on this machine, oldest first.",
            show_default=False,
            autocompletion=complete_study,
        ),
    ] = None,
    data: DataFolders = None,
    gpus: Annotated[str, typer.Option(metavar="all|0,1|UUID|none", help="GPUs to compute on.")] = "all",
    per_gpu: Annotated[
        int, typer.Option(help="Number of worker processes per GPU.", min=1, max=64, metavar="N")
    ] = 1,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Number of worker processes on this machine, distributed over its GPUs, or on the CPU.",
            min=1,
            max=256,
            metavar="N",
            show_default="--per-gpu for each GPU, or 1",
        ),
    ] = None,
    at_once: Annotated[
        int,
        typer.Option(
            help="Number of trials that each process trains at the same time, under JAX: one is computed while others are scored and recorded. "
            "Changes no result.",
            min=1,
            max=64,
            metavar="N",
        ),
    ] = 1,
    forever: Annotated[
        bool, typer.Option("--forever", help="Wait for new studies instead of ending.")
    ] = False,
    on_finish: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help='Shell command to run on this machine when a study ends; "$ORCH_STUDY" (in quotes) is its name.',
            show_default=False,
        ),
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND|URL|@FILE",
            help="Tell somebody when a study ends or the workers fail: a program that gets the message as its last word, an address that gets it "
            "as JSON, or a file with one of them. Default: ORCH_NOTIFY.",
            show_default=False,
        ),
    ] = None,
    track: Annotated[
        str | None,
        typer.Option(
            metavar="TRACKER",
            help="Tell a tracker of trials as they finish: mlflow:URL, wandb:DIR or tensorboard:DIR. No trial waits for it.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            help="Seconds to finish the current epoch after a request to stop.",
            min=1,
            max=3600,
            metavar="SECONDS",
        ),
    ] = 30.0,
    storage: Storage = None,
) -> None:
    """Evaluate trials until none is left.

    Start it on any number of machines; each takes trials from the study database. A process that crashes is started again.
    Ctrl-C or SIGTERM stops it cleanly: the running trial is returned to the study for another worker. A second signal stops it at once.

    \b
    Examples:
      orch worker first --data my-data
      orch worker --gpus 0,1 --per-gpu 2 --forever
      KERAS_BACKEND=jax orch worker first --at-once 4
      orch worker first --track mlflow:http://localhost:5000
      orch worker first --notify @~/.orch-webhook
      orch worker first --processes 2 --on-finish 'orch study export "$ORCH_STUDY" -o "$ORCH_STUDY".json'
    """
    from orchestrator.machine.processes import supervise
    from orchestrator.machine.worker_process import Request

    request = Request(
        name=name,
        data=tuple(str(folder) for folder in data or ()),
        forever=forever,
        grace=grace,
        at_once=at_once,
        debug="--debug" in sys.argv,
    )
    if sys.stderr.isatty():
        followed = say_command("study", "watch", name) if name else "orch status"
        console.say(
            f"Starting, which takes some seconds. All trials and workers at a glance, in another terminal: `{followed}`"
        )
    raise typer.Exit(
        supervise(
            request,
            say=console.say,
            gpus=gpus,
            per_gpu=per_gpu,
            processes=processes,
            on_finish=on_finish,
            track=track,
            notify=notify,
            storage=storage,
        )
    )
