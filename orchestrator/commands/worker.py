"""`orch worker`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.options import DataFolders, Storage


def worker(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The study. Default: every open study whose data is on this machine, oldest first.",
            show_default=False,
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
    Ctrl-C or SIGTERM stops it cleanly: the running trial is returned to the study for another worker. A second one stops it at once.

    \b
    Examples:
      orch worker first --data my-data
      orch worker --gpus 0,1 --per-gpu 2 --forever
      orch worker first --processes 2 --on-finish 'orch study export "$ORCH_STUDY" -o "$ORCH_STUDY".json'
    """
    from orchestrator.machine.gpus import visible_gpus
    from orchestrator.machine.processes import choose_slots, run_workers
    from orchestrator.machine.worker_process import Request
    from workers.process.supervisor import Slot

    slots = choose_slots(gpus, processes, per_gpu, visible=[] if gpus == "none" else visible_gpus())
    if storage:
        # The URL may hold a password, and everybody can read a command line: it goes by the environment.
        slots = [Slot(slot.label, {**slot.environment, "ORCH_STORAGE": storage}) for slot in slots]
    if len(slots) > 1 and not forever:
        from orchestrator.terminal.opening import open_storage

        with open_storage(storage):
            pass  # a wrong URL is said once, not by every process
    request = Request(
        name=name,
        data=tuple(str(folder) for folder in data or ()),
        forever=forever,
        grace=grace,
        debug="--debug" in sys.argv,
    )
    raise typer.Exit(run_workers(request, slots, say=console.say, per_gpu=per_gpu, on_finish=on_finish))
