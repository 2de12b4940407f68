"""`orch worker`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from orchestrator import console
from orchestrator.opening import open_storage
from orchestrator.options import DataFolders, Storage


def worker(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The study; without it, every open study whose data is here.", show_default=False
        ),
    ] = None,
    data: DataFolders = None,
    gpus: Annotated[str, typer.Option(metavar="all|0,1|none", help="Which GPUs to compute on.")] = "all",
    processes: Annotated[
        int | None,
        typer.Option(
            help="Worker processes on this machine, each with one GPU or none.",
            min=1,
            max=256,
            metavar="N",
            show_default="1, or one per GPU named by --gpus",
        ),
    ] = None,
    forever: Annotated[
        bool, typer.Option("--forever", help="Wait for new studies instead of leaving.")
    ] = False,
    storage: Storage = None,
) -> None:
    """Evaluate trials until none is left.

    Start it on as many machines as you have: each pulls trials from the study database.
    Ctrl-C or SIGTERM stops it cleanly: the point in work goes back to the study, for any worker to take.

    \b
    Examples:
      orch worker first --data my-data
      orch worker --processes 2 --gpus 0,1 --forever
    """
    from orchestrator.processes import choose_devices, count_gpus, run_processes

    present = count_gpus() if gpus == "all" and (processes or 1) > 1 else 0
    devices = choose_devices(gpus, processes, present=present)
    if len(devices) > 1:
        with open_storage(storage):
            pass  # a wrong URL is said once, not by every process
        arguments = ["worker", *([name] if name else []), *_repeat("--data", data)]
        arguments += ["--forever"] if forever else []
        # The URL may hold a password, and everybody can read a command line: it goes by the environment.
        if storage:
            os.environ["ORCH_STORAGE"] = storage
        raise typer.Exit(run_processes(arguments, devices, say=console.say))
    if devices[0] is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[0]
    _work(name, data, storage, forever)


def _work(name: str | None, data: DataFolders, storage: str | None, forever: bool) -> None:
    import threading

    from orchestrator.stages import show_stages
    from storage.settings import cache_folder, data_folders
    from workers.worker import draining_on_signals, run_worker

    stop = threading.Event()
    with (
        draining_on_signals(stop, tell=console.say) as received,
        open_storage(storage) as database,
        show_stages() as report,
    ):
        summary = run_worker(
            database,
            [name] if name else None,
            data_folders(data),
            cache_folder(),
            forever=forever,
            tell=console.say,
            report=report,
            stop=stop,
        )
    console.say(
        f"{summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed in "
        f"{console.show_seconds(summary.seconds)}."
    )
    if received:
        raise typer.Exit(128 + received[0])


def _repeat(option: str, values: DataFolders) -> list[str]:
    return [word for value in values or [] for word in (option, str(value))]
