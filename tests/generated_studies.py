"""Whole studies written straight into a database, without training: of any size, real curves where they are at hand.

The rows are those that workers would have left: points, fold-epochs, Optuna's trials with their reports and
attributes, out-of-fold predictions. `check` in tests/unit/test_generated_studies.py holds them to that.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.storages._rdb import models

from orchestrator.planning.plan import plan_points
from orchestrator.planning.regimes import regime_one, regime_two
from storage.database import tables
from storage.database.engine import Database
from storage.results.ledger import FoldEpoch, run_key
from storage.spec import StudySpec
from storage.spec.distributions import distributions, to_optuna
from storage.states import WorkerState
from storage.studies.points import claim_point, count_points
from storage.studies.study import StudyRecord, create_study
from storage.studies.workers import note_worker

TRAIN_IMAGES = 2079
BEGAN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC).timestamp()
TRIAL_SECONDS = 240.0
WORKERS = tuple(f"gpu-{number}-{4000 + number}-a1b2c{number}" for number in range(4))

Curves = Callable[[int, int, int], dict[str, float]]
"""From (point, fold, epoch from 1) to the metrics of that fold-epoch."""


@dataclass(frozen=True)
class Ending:
    """How a point ends: its last epoch, and its outcome ("COMPLETE", "PRUNED", "failed" or "open")."""

    epoch: int
    outcome: str


def formula_curves(params: list[dict], seed: int = 1) -> Curves:
    """Curves that rise and level off; dropout and a small learning rate cost, folds differ."""

    def metrics(point: int, fold: int, epoch: int) -> dict[str, float]:
        # A hash in place of a generator per number, which would take most of the time.
        noise = (
            3.4 * (math.sin(12.9898 * point + 78.233 * fold + 37.719 * epoch + seed) * 43758.5453 % 1) - 1.7
        )
        chosen = params[point]
        cost = 0.25 * chosen.get("dropout_rate", 0.1) ** 2 + 0.03 * abs(
            math.log10(chosen.get("learning_rate", 1e-3)) + 3
        )
        auc = 0.81 - cost + 0.01 * math.sin(fold * 2.1) - 0.3 * math.exp(-epoch / 3) + 0.004 * noise
        loss = 0.75 - 0.5 * auc
        return {
            "train_loss": loss - 0.02, "train_auc": min(auc + 0.01 * epoch**0.5, 0.99), "train_precision": 0.6,
            "train_recall": 0.35, "train_f1": 0.3, "val_loss": loss, "val_auc": auc, "val_precision": 0.55,
            "val_recall": 0.3 + 0.005 * epoch, "val_f1": 0.28,
        }  # fmt: skip

    return metrics


def reference_folder() -> Path | None:
    """The published curves of the reference study, where this machine has them."""
    root = Path(os.environ.get("ORCH_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    folder = root / "reference-study"
    return folder if (folder / "regime-1-curves.csv.gz").is_file() else None


def read_reference(folder: Path) -> tuple[list[dict], Curves]:
    """The hyperparameters and the curves of the 110 published trials of Regime I."""
    names = {"loss": "train_loss", "auc": "train_auc", "precision": "train_precision",
             "recall": "train_recall", "f1": "train_f1"}  # fmt: skip
    known: dict[tuple[int, int, int], dict[str, float]] = {}
    params: dict[int, dict] = {}
    with gzip.open(folder / "regime-1-curves.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            trial = int(row["trial"])
            params[trial] = {"batch_size": int(row["batch_size"]), "dropout_rate": float(row["dropout_rate"])}
            known[trial, int(row["fold"]), int(row["epoch"]) + 1] = {
                names.get(name, name): float(value)
                for name, value in row.items()
                if name not in ("trial", "batch_size", "dropout_rate", "fold", "epoch")
            }
    return [params[trial] for trial in sorted(params)], lambda *place: known[place]


def halving_endings(params: list[dict], curves: Curves, folds: int, epochs: int) -> list[Ending]:
    """What successive halving (4, 2) would have let run, in the order of the points."""
    rungs: dict[int, list[float]] = {}
    endings = []
    for point in range(len(params)):
        ending = Ending(epochs, "COMPLETE")
        for rung in (4, 8, 16):
            if rung >= epochs:
                break
            value = float(np.mean([curves(point, fold, rung)["val_auc"] for fold in range(folds)]))
            peers = rungs.setdefault(rung, [])
            peers.append(value)
            if value < sorted(peers, reverse=True)[(len(peers) - 1) // 2]:
                ending = Ending(rung, "PRUNED")
                break
        endings.append(ending)
    return endings


def reference_study(database: Database, name: str = "regime-1", *, pruned: bool = True) -> StudyRecord:
    """Regime I with the published curves; formula curves of the same size where they are not at hand."""
    folder = reference_folder()
    params, curves = read_reference(folder) if folder else ([], None)
    spec = regime_one(name).with_values({"study.trials": len(params) or 110})
    return fill_study(database, spec, params=params or None, curves=curves, pruned=pruned)


def regime_two_study(database: Database, name: str = "regime-2") -> StudyRecord:
    """Regime II by formula: 32 cells, pruned as halving would."""
    return fill_study(database, regime_two(name))


def sized_study(
    database: Database, name: str, trials: int, *, settled: int | None = None, failed: int = 0, folds: int = 6,
    epochs: int = 20, pruned: bool = True,
) -> StudyRecord:  # fmt: skip
    """A study of any size by formula; the first `settled` points are settled, the first `failed` of them failed."""
    spec = regime_one(name).with_values(
        {"study.trials": trials, "cv.folds": folds, "training.epochs": epochs, "pruner.min_resource": 1}
    )
    return fill_study(database, spec, settled=settled, failed=failed, pruned=pruned)


def fill_study(
    database: Database, spec: StudySpec, *, params: list[dict] | None = None, curves: Curves | None = None,
    settled: int | None = None, failed: int = 0, pruned: bool = True,
) -> StudyRecord:  # fmt: skip
    """Create a study and settle its points as workers would have; one that is settled already is returned."""
    folds, epochs = spec.cv.folds, spec.training.epochs
    spec = spec.with_values({"data.fingerprint": "sha256:" + "0" * 64, "data.targets": ["fracture", "view"]})
    planned = params or [point or {} for point in plan_points(spec)]
    curves = curves or formula_curves(planned)
    facts = {
        "images": 2495, "groups": 1020, "targets": ["fracture", "view"],
        "warnings": ["The smallest class (view) has 41 images; the AUC of a fold rests on few of them."],
    }  # fmt: skip
    study = create_study(database, spec, planned, data_folder="", facts=facts)
    if count_points(database, study.uuid).open < len(planned):
        return study
    endings = [Ending(epochs, "COMPLETE")] * len(planned)
    if pruned:
        endings = halving_endings(planned, curves, folds, epochs)
    endings = [Ending(0, "failed") if point < failed else ending for point, ending in enumerate(endings)]
    count = len(planned) if settled is None else settled
    rows = _Rows(study, planned, curves, endings[:count])
    with database.transaction() as connection:
        first = connection.execute(sa.select(sa.func.max(models.TrialModel.trial_id))).scalar() or 0
        rows.make(first + 1)
        for table, values in rows.tables.items():
            if values:
                connection.execute(sa.insert(table), values)
        if rows.points:
            names = [name for name in rows.points[0] if not name.startswith("b_")]
            connection.execute(
                sa.update(tables.points)
                .where(
                    tables.points.c.study_uuid == study.uuid, tables.points.c.point == sa.bindparam("b_point")
                )
                .values({name: sa.bindparam(name) for name in names}),
                rows.points,
            )
    return study


class _Rows:
    """The rows of a study, collected before they are written at once."""

    def __init__(self, study: StudyRecord, params: list[dict], curves: Curves, endings: list[Ending]) -> None:
        self.study, self.params, self.curves, self.endings = study, params, curves, endings
        self.distributions = distributions(study.spec)
        self.points: list[dict] = []
        self.tables: dict[sa.Table, list[dict]] = {
            table: []
            for table in (
                models.TrialModel.__table__,
                models.TrialValueModel.__table__,
                models.TrialParamModel.__table__,
                models.TrialUserAttributeModel.__table__,
                models.TrialIntermediateValueModel.__table__,
                tables.epochs,
            )
        }

    def make(self, trial_id: int) -> None:
        free_at = dict.fromkeys(WORKERS, BEGAN)
        number = 0
        for point, ending in enumerate(self.endings):
            worker = min(free_at, key=lambda name: free_at[name])
            # Every ninth point is lost once, so that a figure of the fleet has something to show.
            for outcome in (*(["lost"] if point % 9 == 4 else []), ending.outcome):
                began = free_at[worker]
                share = ending.epoch / self.study.spec.training.epochs if outcome != "lost" else 0.3
                ended = began + TRIAL_SECONDS * max(share, 0.05)
                free_at[worker] = ended + 3
                self._attempt(trial_id + number, number, point, ending, outcome, worker, (began, ended))
                number += 1

    def _attempt(
        self, trial_id: int, number: int, point: int, ending: Ending, outcome: str, worker: str,
        times: tuple[float, float],
    ) -> None:  # fmt: skip
        token = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.study.uuid}-{number}"))
        attributes: dict = {"point": point, "attempt": 2 if point % 9 == 4 and outcome != "lost" else 1,
                            "token": token, "worker": worker}  # fmt: skip
        began, ended = (datetime.fromtimestamp(time, UTC).replace(tzinfo=None) for time in times)
        state = outcome if outcome in ("COMPLETE", "PRUNED") else "FAIL"
        value, error = None, None
        if outcome == "lost":
            attributes["orch_outcome"] = "lost"
        elif outcome == "failed":
            error = "ResourceExhaustedError: OOM when allocating <tensor> of shape [2048,1024] & type float"
            attributes |= {"orch_outcome": "failed", "error": error}
        else:
            value, best_epoch, fold_values = self._epochs(point, ending, trial_id)
            if outcome == "COMPLETE":
                attributes |= {"best_epoch": best_epoch, "fold_values": fold_values}
            self._add(models.TrialValueModel, trial_id=trial_id, objective=0, value=value,
                      value_type="FINITE")  # fmt: skip
        self._add(models.TrialModel, trial_id=trial_id, number=number, study_id=self.study.optuna_study_id,
                  state=state, datetime_start=began, datetime_complete=ended)  # fmt: skip
        for name, chosen in to_optuna(self.params[point]).items():
            distribution = self.distributions[name]
            self._add(
                models.TrialParamModel, trial_id=trial_id, param_name=name,
                param_value=distribution.to_internal_repr(chosen),
                distribution_json=optuna.distributions.distribution_to_json(distribution),
            )  # fmt: skip
        for key, chosen in attributes.items():
            self._add(
                models.TrialUserAttributeModel, trial_id=trial_id, key=key, value_json=json.dumps(chosen)
            )
        if outcome != "lost":
            self.points.append(
                {
                    "b_point": point, "state": "failed" if outcome == "failed" else "done",
                    "attempt": attributes["attempt"], "losses": 0, "failures": 3 if outcome == "failed" else 0,
                    "worker": worker, "token": token, "claimed_at": times[0], "finished_at": times[1],
                    "epoch": ending.epoch, "trial_id": trial_id, "trial_number": number,
                    "outcome": None if outcome == "failed" else outcome, "value": value, "error": error,
                }
            )  # fmt: skip

    def _epochs(self, point: int, ending: Ending, trial_id: int) -> tuple[float, int, list[float]]:
        spec = self.study.spec
        key = run_key(self.study.spec_hash, self.params[point])
        size = int(self.params[point].get("batch_size", spec.training.batch_size))
        rate = float(self.params[point].get("learning_rate", spec.training.learning_rate))
        columns: list[list[float]] = []
        for epoch in range(1, ending.epoch + 1):
            values = []
            for fold in range(spec.cv.folds):
                row = FoldEpoch(
                    point=point, fold=fold, epoch=epoch, steps=math.ceil(TRAIN_IMAGES / size),
                    samples=TRAIN_IMAGES, labels_left_out=0, learning_rate=rate, seconds=0.4,
                    **self.curves(point, fold, epoch),
                )  # fmt: skip
                values.append(row.val_auc)
                self.tables[tables.epochs].append(
                    {"study_uuid": self.study.uuid, "run_key": key, **vars(replace(row))}
                )
            columns.append(values)
            self._add(models.TrialIntermediateValueModel, trial_id=trial_id, step=epoch,
                      intermediate_value=float(np.mean(values)), intermediate_value_type="FINITE")  # fmt: skip
        means = [float(np.mean(values)) for values in columns]
        if ending.outcome == "PRUNED":
            return means[-1], ending.epoch, columns[-1]
        best = int(np.argmax(means))
        return means[best], best + 1, columns[best]

    def _add(self, model: type, **values: object) -> None:
        self.tables[model.__table__].append(values)  # type: ignore[attr-defined]


def fleet_at_work(
    database: Database, studies: list[StudyRecord], count: int, *, silent: int = 0
) -> list[str]:
    """Workers that hold points of these studies by turns; the first `silent` were last heard before their lease.

    Returns:
        Their names.
    """
    held = []
    for number in range(count):
        study, name = studies[number % len(studies)], f"gpu-{number // 8}-{5000 + number}-{number:06x}"
        claim = claim_point(database, study, worker=name, token=str(uuid.uuid4()))
        assert claim is not None
        device = f"GPU {number % 8} (NVIDIA A100)"
        note_worker(database, worker=name, host=f"gpu-{number // 8}", pid=5000 + number, device=device, state=WorkerState.WORKING,
                    versions={"orch": "0"}, study_uuid=study.uuid, point=claim.point)  # fmt: skip
        held.append((name, study, claim.point))
    with database.transaction() as connection:
        now = database.now(connection)
        for number, (name, study, point) in enumerate(held):
            lease = study.spec.study.lease_seconds
            heard_at = now - lease - 1 if number < silent else now
            of_point = (tables.points.c.study_uuid == study.uuid, tables.points.c.point == point)
            of_worker = tables.workers.c.worker == name
            connection.execute(sa.update(tables.workers).where(of_worker).values(last_seen=heard_at))
            connection.execute(
                sa.update(tables.points)
                .where(*of_point)
                .values(expires_at=heard_at + lease, epoch=7, trial_number=1000 + point)
            )
    return [name for name, _, _ in held]
