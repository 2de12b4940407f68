"""Studies that have a real data folder and predictions that score what is recorded, without an image and without Keras."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from orchestrator.models.scores import describe_curves
from storage.data.datasets import (
    MANIFEST,
    PLACES,
    SCHEMA,
    Dataset,
    describe_row,
    digest_rows,
    fingerprint_of,
    load_dataset,
)
from storage.data.folds import make_folds
from storage.database.engine import Database
from storage.metrics.epoch import macro_auc
from storage.practice.population import describe_population
from storage.practice.review import review
from storage.results.evaluations import record_evaluation
from storage.results.ledger import FoldEpoch
from storage.studies.study import StudyRecord, create_study
from storage.tasks.kinds import TASKS
from tests.studies import PretendFold, make_spec
from workers.attempts.attempt import Attempt, Outcome
from workers.cross_validation.cross_validate import cross_validate


def make_dataset(
    folder: Path, *, patients: int = 40, targets: int = 2, seed: int = 0, labelled: Sequence[str] = ()
) -> Dataset:
    """A data folder as an import writes it, of images that are nowhere: one to three a patient, some labels blank."""
    chance = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), chance.integers(1, 4, patients))
    labels = np.where(chance.random((len(groups), targets)) < 0.4, 1, 0).astype(object)
    labels[chance.random(labels.shape) < 0.1] = None
    names = sorted(hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(len(groups)))
    first = {group: place for place, group in reversed(list(enumerate(groups.tolist())))}
    rows = [
        {"sha256": name, "labels": list(row), "group": sorted(first, key=first.__getitem__).index(group)}
        for name, row, group in zip(names, labels.tolist(), groups.tolist(), strict=True)
    ]
    columns = list(labelled) or [f"label_{number}" for number in range(targets)]
    lines = [describe_row(row["sha256"], row["labels"], row["group"]) for row in rows]
    manifest = {
        "schema": SCHEMA,
        "fingerprint": fingerprint_of(columns, digest_rows(lines), ""),
        "holdout_digest": "",
        "targets": columns,
        "grouped": True,
        "summary": {},
        "warnings": [],
        "images": rows,
    }
    spots = [{"sha256": name, "path": f"{name}.png", "size": 1, "mtime_ns": 1} for name in names]
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / PLACES).write_text(json.dumps({"folders": ["images"], "images": spots}))
    return load_dataset(folder)


def make_labelled_study(
    database: Database, dataset: Dataset, name: str = "labelled", *, points: int = 6, **changes: object
) -> StudyRecord:
    """The study of `tests.studies.make_study` on a data set that is there."""
    spec = make_spec(name, points=points, **{"data.fingerprint": dataset.fingerprint, **changes})
    planned = [{"batch_size": 16 + number} for number in range(points)]
    return create_study(database, spec, planned, data_folder=str(dataset.folder), facts={})


def remember_evaluation(
    database: Database, study: StudyRecord, dataset: Dataset, kind: str, images: int = 60
) -> None:
    """An evaluation of a final model on images that are nowhere, remembered as `orch model evaluate` does; rare labels lack intervals.

    Args:
        kind: "hold-out" or "external".
        images: how many; a patient has one or two.
    """
    chance, names, task = np.random.default_rng(images), dataset.targets, TASKS["labels"]
    labels = (chance.random((images, len(names))) < np.linspace(0.03, 0.5, len(names))).astype(float)
    values = np.clip(0.35 * labels + 0.65 * chance.random(labels.shape), 0, 1)
    groups, thresholds = np.arange(images) * 2 // 3, [0.5] * len(names)
    scored = task.card(names, labels, values, groups, thresholds=thresholds, resamples=20)
    columns = {
        "age": [str(age) for age in chance.integers(40, 80, images)],
        "sex": list(chance.choice(["F", "M"], images)),
    }
    is_own = kind == "hold-out"
    document = {
        "schema": 1,
        "model": {"file": "model.keras", "sha256": "c" * 64, "study": study.name, "kind": "refit"},
        "data": {
            "fingerprint": dataset.fingerprint if is_own else "sha256:" + "ab12cd" + "0" * 58,
            "part": "hold-out" if is_own else "whole",
            "images": images,
            "groups": len(set(groups.tolist())),
        },
        "population": describe_population(columns, groups),
        "targets": list(names),
        "task": "labels",
        "threshold_rule": "0.5",
        "results": {"raw": scored},
        "curves": describe_curves(task, names, labels, values, groups),
        "practice": review(names, labels, values, groups, thresholds, scored, resamples=20),
        "openings": [],
        "versions": {},
        "warnings": scored["warnings"],
    }
    record_evaluation(database, study.uuid, document)


@dataclass
class LabelledFold(PretendFold):
    """A fold whose predictions are labels under noise, and whose validation AUC is theirs."""

    labels: np.ndarray | None = None

    def run_epoch(self, epoch: int) -> FoldEpoch:
        """Pretend to train one epoch; score the predictions of its end."""
        row = super().run_epoch(epoch)
        auc, left_out = macro_auc(self.labels[self.val_index], self.predict_validation())  # type: ignore[index]
        samples = len(self.train_index)
        steps = math.ceil(samples / self.batch_size)
        return replace(row, val_auc=auc, labels_left_out=left_out, samples=samples, steps=steps)

    def predict_validation(self) -> np.ndarray:
        """Probabilities that depend on point, fold and epoch alone; `auc` says how strong the signal is."""
        labels = np.nan_to_num(self.labels[self.val_index], nan=0.5)  # type: ignore[index]
        noise = np.random.default_rng([self.point, self.fold, self.epoch]).normal(size=labels.shape)
        signal = self.auc(self.point, self.fold, self.epoch) * (labels - 0.5)
        return np.asarray(1 / (1 + np.exp(-(signal + noise))), dtype=np.float32)


@dataclass
class LabelledObjective:
    """Evaluates trials on the folds of a data set; `signal` gives how well a point tells the labels."""

    dataset: Dataset

    def signal(self, point: int, fold: int, epoch: int) -> float:
        """Later points and later epochs know more; the last epoch a little less."""
        return 0.4 + 0.25 * point + 0.3 * min(epoch, 3) - 0.1 * max(0, epoch - 3)

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Cross-validate by labels and noise."""
        spec, data = attempt.study.spec, self.dataset
        labels = data.labels[:, [data.targets.index(name) for name in spec.data.targets or data.targets]]
        folds = make_folds(labels, data.groups, **spec.fold_plan)

        def start_fold(number: int) -> LabelledFold:
            size = int(attempt.hyperparameters["batch_size"])
            return LabelledFold(attempt.point, number, size, self.signal, *folds[number], labels=labels)

        schedule = "sequential" if spec.cv.schedule == "sequential" else "lockstep"
        return cross_validate(attempt, start_fold, schedule)
