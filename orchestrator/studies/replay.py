"""`orch trial replay`: find what a trial was computed from, compute it again, and say what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.studies.records import trial_document
from storage.data.datasets import load_dataset
from storage.errors import DataError
from storage.results.ledger import read_curves, run_key
from workers.device.preparation import describe
from workers.device.versions import library_versions
from workers.objective.keras_objective import prepare_objective
from workers.objective.replay import replay_trial

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

SHOWN = 20
BACKENDS = ("jax", "tensorflow")


def replay_recorded(
    database: Database,
    study: StudyRecord,
    number: int,
    folders: Sequence[Path],
    cache: Path,
    report: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Compute a trial again and compare it with the ledger.

    Raises:
        StorageError: no such trial, or nothing recorded of it.
        DataError: the study's data is not on this machine.
    """
    trial = trial_document(database, study, number)
    params = trial["params"] or {}
    rows = read_curves(database, study.uuid, trial["point"], run_key(study.spec_hash, params))
    extracting = partial(report, "extracting features") if report else None
    objective = prepare_objective(database, study, find_dataset(study, folders), cache, extracting)
    data = objective.variants.of(params)
    replay = replay_trial(
        rows,
        {**study.spec.fixed_beside(params), **params},
        data.start_fold,
        (lambda done, total: report(f"Replaying trial {number}", done, total)) if report else None,
        data.train_together,
    )
    details = trial["user_attributes"].get("details") or {}
    return {
        "study": study.name,
        "trial": number,
        "point": trial["point"],
        "identical": replay.is_identical,
        "folds": replay.folds,
        "epochs": replay.epochs,
        "numbers": replay.numbers,
        "different": len(replay.differences),
        "differences": [asdict(one) for one in replay.differences[:SHOWN]],
        "circumstances": name_circumstances(
            {"versions": details.get("versions") or {}, "hardware": details.get("hardware") or {}},
            {"versions": library_versions(), "hardware": describe()},
        ),
    }


def name_circumstances(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One sentence for each circumstance that differs, and from which other last digits come.

    Args:
        then: "versions" of libraries and "hardware", as `workers.device.preparation.describe` has it; what is not known is left out.
        now: the same of this process.
    """
    versions, mine = (
        {name: version for name, version in each["versions"].items() if version} for each in (then, now)
    )
    found = [
        f"The trial was computed with {name} {versions[name]}, this is {mine[name]}: small differences are to be expected."
        for name in sorted(versions.keys() & mine.keys())
        if versions[name] != mine[name]
    ]
    backends = [{name for name in BACKENDS if name in each} for each in (versions, mine)]
    if all(backends) and backends[0] != backends[1]:
        found.append(
            f"The trial was computed with {_name(backends[0])}, this is {_name(backends[1])}: differences are to be expected; "
            f"set KERAS_BACKEND={min(backends[0])} to compute it as it was."
        )
    devices = [_name_device(each["hardware"]) for each in (then, now)]
    if all(devices) and devices[0] != devices[1]:
        found.append(
            f"The trial was computed on {devices[0]}, this is {devices[1]}: small differences are to be expected."
        )
    return found


def _name(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _name_device(hardware: Mapping[str, Any]) -> str:
    return ", ".join(hardware.get("gpus") or []) or str(hardware.get("processor") or "")


def find_dataset(study: StudyRecord, folders: Sequence[Path]) -> Dataset:
    """The data set of a study: among these folders, or where it was when the study was made.

    Raises:
        DataError: it is in none of them.
    """
    for folder in (*folders, *study.noted_folders):
        if folder.is_dir():
            dataset = load_dataset(folder)
            if dataset.fingerprint == study.fingerprint:
                return dataset
    raise DataError(
        f"The data of study {study.name!r} ({study.fingerprint[:19]}..) is not on this machine.",
        next_step="Name the dataset folder with --data DIR or ORCH_DATA.",
    )
