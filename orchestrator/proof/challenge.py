"""`orch study challenge`: faults planted on purpose in a user's own study, each of which must show."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.audit.evidence import from_dataset
from orchestrator.audit.report import audit_evidence
from orchestrator.studies.comparing import find_contender
from orchestrator.studies.replay import find_dataset
from storage.data.datasets import COLUMNS, MANIFEST, PLACES, load_dataset
from storage.errors import DataError
from storage.files.leftovers import scratch
from storage.trust.noise import mean_interval, split_runs
from storage.trust.selection import read_judged
from workers.objective.challenge import Challenger

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.spec import StudySpec

SCHEMA = "orch.challenge/1"
MOST_EPOCHS = 10
SURE = 0.999
"""Level of the interval that must hold .5: of a thousand honest studies, one is accused."""
FLIPPED = 0.01
"""The share of images in which a planted column says the wrong thing."""

Report = Callable[[str, int, int], None]


def challenge_study(
    database: Database,
    name: str,
    folders: Sequence[Path],
    cache: Path,
    *,
    epochs: int | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Plant faults in the best trial of a study and its data, in memory and in a temporary folder; changes nothing.

    Args:
        database: where the study is.
        name: of the study, or NAME:TRIAL.
        folders: dataset folders of this machine.
        cache: where features and decoded images are kept.
        epochs: for which shuffled labels are trained; by default as many as the trial was judged after, at most `MOST_EPOCHS`.
        report: told (what is done, how much of it, out of how much).

    Returns:
        A document: `ok`, and under `challenges` for each what was done, whether the fault showed, and what was seen.

    Raises:
        DataError: the data of the study is not here.
        StudyNotFoundError, NothingToExportError, UsageError: as of `orchestrator.studies.comparing.find_contender`.
    """
    trial = find_contender(database, name)
    spec, params = trial.study.spec, trial.point.params or {}
    dataset = find_dataset(trial.study, folders)
    judged = read_judged(database, trial.study, [trial.point])
    judged_at = judged.epochs[0] if judged is not None else MOST_EPOCHS
    length = epochs or min(judged_at, MOST_EPOCHS, spec.training.epochs)
    tell = report or (lambda *_: None)
    challenger = Challenger(trial.study, dataset, params, cache)
    batch = int({**spec.fixed_beside(params), **params}["batch_size"])
    steps: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("labels shuffled", lambda: _shuffle(challenger, length, spec.cv.repeats)),
        ("trained again", lambda: _repeat(challenger)),
        ("batch doubled", lambda: _double(challenger, batch)),
        ("leak planted", lambda: _plant(dataset, spec)),
        ("label flipped", lambda: _flip(dataset)),
        ("hold-out exchanged", lambda: _exchange(dataset)),
    ]
    found = []
    for number, (title, act) in enumerate(steps):
        tell(title, number, len(steps))
        found.append({"challenge": title, **act()})
    tell("challenged", len(steps), len(steps))
    return {
        "schema": SCHEMA,
        "study": trial.study.name,
        "trial": trial.point.trial_number,
        "fingerprint": dataset.fingerprint,
        "spec_hash": trial.study.spec_hash,
        "ok": all(one["passed"] for one in found),
        "challenges": found,
    }


def _shuffle(challenger: Challenger, epochs: int, repeats: int = 1) -> dict[str, Any]:
    values = challenger.train_on_shuffled_labels(epochs, seed=0)
    name, expected = challenger.measured
    words = {"auc": "AUC", "pearson": "correlation"}[name]
    known = values[~np.isnan(values)]
    if len(known) < 2:
        why = f"fewer than two folds have a value, so no {words} could be computed"
        return {"passed": False, "said": why, name: None}
    mean = float(known.mean())
    interval = mean_interval(mean, split_runs(values, repeats), SURE)
    passed = interval is not None and interval[0] <= expected <= interval[1]
    said = (
        f"mean {words} {mean:.3f} over {len(known)} folds after {epochs} epochs, and it must be {expected:g}"
    )
    if not passed:
        said += ": the model knows something of the validation images that it must not know"
    return {"passed": passed, "said": said, name: mean}


def _repeat(challenger: Challenger) -> dict[str, Any]:
    passed = challenger.train_briefly() == challenger.train_briefly()
    return {
        "passed": passed,
        "said": "two trainings with equal seeds have "
        + ("equal steps, losses and weights" if passed else "other steps, losses or weights"),
    }


def _double(challenger: Challenger, batch: int) -> dict[str, Any]:
    images = len(challenger.folds[0][0])
    other = 2 * batch if batch < images else max(1, images // 2)
    before, after = challenger.train_briefly(batch_size=batch), challenger.train_briefly(batch_size=other)
    kinds = ("steps", "losses", "weights")
    effect = [kind for kind, left, right in zip(kinds, before, after, strict=False) if left != right]
    return {
        "passed": bool(effect),
        "said": f"with batches of {other} instead of {batch}, "
        + (f"other {', '.join(effect)}" if effect else "nothing changed: the batch size does not arrive"),
    }


def _plant(dataset: Dataset, spec: StudySpec) -> dict[str, Any]:
    evidence = from_dataset(dataset, spec.data.targets, spec.cv.folds, spec.study.seed, spec.cv.given)
    truth = evidence.labels[:, 0]
    wrong = np.zeros(len(truth), bool)
    wrong[np.random.default_rng(0).permutation(len(truth))[: int(FLIPPED * len(truth))]] = True
    said = np.where(wrong, 1 - truth, truth)
    cells = ["" if np.isnan(value) else f"room {int(value)}" for value in said]
    planted = replace(evidence, columns={**evidence.columns, "planted": cells})
    findings = [one for one in audit_evidence(planted).findings if "planted" in one.message]
    return {
        "passed": bool(findings),
        "said": f"a column that gives {evidence.targets[0]} away in 99 % of the images is "
        + (f"found by the audit: {findings[0].name}" if findings else "not found by the audit"),
    }


def _flip(dataset: Dataset) -> dict[str, Any]:
    def change(manifest: dict[str, Any]) -> None:
        row = manifest["images"][0]["labels"]
        row[0] = 0 if row[0] else 1

    return _refused(dataset, change, "with one label flipped, the data set")


def _exchange(dataset: Dataset) -> dict[str, Any]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["holdout_digest"] = "0" * 64

    return _refused(dataset, change, "with another hold-out, the data set")


def _refused(dataset: Dataset, change: Callable[[dict[str, Any]], None], what: str) -> dict[str, Any]:
    """Change the manifest of a copy of the dataset folder, without its images and its hold-out, and try to read it."""
    with scratch() as copy:
        for file in (MANIFEST, PLACES, COLUMNS):
            if (dataset.folder / file).exists():
                shutil.copy(dataset.folder / file, copy / file)
        manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
        change(manifest)
        (copy / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        try:
            passed = load_dataset(copy).fingerprint != dataset.fingerprint
        except DataError:
            passed = True
    return {"passed": passed, "said": f"{what} is {'refused' if passed else 'taken as it was'}"}
