"""orch from Python: create a study, work it off, read it. The commands of the same names are built on the same functions.

import orch

study = orch.create_study("first", regime="I", trials=20, data="my-data")
orch.work("first")
print(study.refresh().best)
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

from orchestrator.machine.processes import supervise
from orchestrator.machine.worker_process import Request
from orchestrator.notebook import Study, list_study_names, open_study
from orchestrator.planning.regimes import build_spec, tell_defaults
from orchestrator.studies.best import read_best
from orchestrator.studies.creating import create_proposed, propose_study
from orchestrator.terminal import console
from orchestrator.terminal.opening import database_if_any, open_storage
from storage.errors import OrchError, UsageError
from storage.settings import storage_url

__all__ = ["Study", "create_study", "list_study_names", "open_study", "work"]

Folders = str | Path | Sequence[str | Path]


def create_study(
    name: str,
    *,
    data: Folders | None = None,
    regime: Literal["I", "II"] | None = None,
    best: str | Path | None = None,
    spec: str | Path | None = None,
    trials: int | None = None,
    seed: int | None = None,
    pruner: str | None = None,
    settings: Mapping[str, Any] | None = None,
    accept: Sequence[str] = (),
    storage: str | None = None,
) -> Study:
    """Create a study with all its trials, as `orch study create` does; the same call again changes nothing.

    Args:
        name: of the study: letters, digits, dots, underscores and hyphens.
        data: its dataset folder, or several of which the spec names one; else ORCH_DATA or orch.toml.
        regime: "I" searches batch size and dropout, "II" learning rate and epsilon; None where `spec` says what is searched.
        best: the best.json of a study whose winner is taken up.
        spec: a spec file (TOML).
        trials: how many, unless the search is a grid.
        seed: of the trials, the folds and the training.
        pruner: the rule that stops weak trials early.
        settings: single keys of the spec, such as {"training.epochs": 5}.
        accept: errors of the data's audit that are accepted, by name; recorded with the study.
        storage: the study database; else ORCH_STORAGE, orch.toml, the file orch.db here, which is made where there is none.

    Returns:
        The study, open for reading; close it, or use it in a `with` statement.

    Raises:
        SpecError: a key, a value or the name does not fit.
        DataError: the data does not fit, or its audit found an error that is not accepted.
        StudyExistsError: a study of that name has another spec.
        UsageError: no data set is named.
    """
    folders = _as_paths(data)
    winner = read_best(Path(best)) if best else None
    planned = build_spec(
        name,
        regime=regime,
        best=winner,
        spec_file=Path(spec) if spec else None,
        trials=trials,
        seed=seed,
        pruner=pruner,
        settings=settings,
    )
    told = tell_defaults(planned, winner, Path(spec) if spec else None, settings)
    with database_if_any(storage) as found:
        proposal = propose_study(
            planned, data=folders, database=found, accept=accept, remarks=[told] if told else []
        )
        with open_storage(storage, create=True) if found is None else nullcontext(found) as database:
            create_proposed(database, proposal)
    return open_study(name, storage=storage, data=proposal.dataset.folder)


def work(
    name: str | None = None,
    *,
    data: Folders | None = None,
    gpus: str = "all",
    per_gpu: int = 1,
    processes: int | None = None,
    at_once: int = 1,
    forever: bool = False,
    grace: float = 30.0,
    on_finish: str | None = None,
    track: str | None = None,
    storage: str | None = None,
) -> None:
    """Evaluate trials on this machine until none is left, as `orch worker` does, in processes of their own.

    SIGINT and SIGTERM end it: workers finish their epoch and give their trials back.

    Args:
        name: the study; None for every open study whose data is on this machine, oldest first.
        data: dataset folders; else ORCH_DATA, orch.toml, or where the study noted it.
        gpus: "all", "none", numbers such as "0,1", or UUIDs.
        per_gpu: processes on each GPU.
        processes: how many in all; `per_gpu` on each GPU, or one, when left out.
        at_once: how many trials each of them trains at the same time, under JAX; decides no value.
        forever: wait for new studies instead of returning.
        grace: seconds to finish the epoch in when told to stop.
        on_finish: a shell command for each study that ends; ORCH_STUDY holds its name.
        track: a tracker that is told of trials as they finish: "mlflow:URL", "wandb:DIR" or "tensorboard:DIR".
        storage: the study database; else ORCH_STORAGE, orch.toml, the file orch.db here.

    Raises:
        KeyboardInterrupt: it was told to stop, and has.
        OrchError: the workers failed; what they said is on stderr.
        UsageError: an option makes no sense, or this is not the main thread of the program, which alone hears signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise UsageError(
            "orch.work must run in the main thread: only there can it be told to stop.",
            next_step="Call it there, or start `orch worker` as a process of its own.",
        )
    with open_storage(storage):
        pass  # a wrong address is said here, not by every process
    request = Request(
        name=name,
        data=tuple(str(folder) for folder in _as_paths(data) or ()),
        forever=forever,
        grace=grace,
        at_once=at_once,
    )
    code = supervise(
        request,
        gpus=gpus,
        per_gpu=per_gpu,
        processes=processes,
        on_finish=on_finish,
        track=track,
        storage=storage_url(storage),
        say=console.say,
    )
    if code > 128:
        raise KeyboardInterrupt
    if code:
        raise OrchError(
            "The workers failed.",
            why="What they said is on stderr.",
            next_step="`orch doctor` checks this machine.",
        )


def _as_paths(folders: Folders | None) -> list[Path] | None:
    if folders is None:
        return None
    return [Path(folders)] if isinstance(folders, str | Path) else [Path(folder) for folder in folders]
