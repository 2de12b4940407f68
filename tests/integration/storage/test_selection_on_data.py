"""The correction for selection from end to end: a data folder, kept predictions, and the same numbers by the definition."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from scipy import stats

from storage.data.datasets import MANIFEST, Dataset
from storage.data.folds import make_folds
from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.studies.point_records import list_points
from storage.studies.study import StudyRecord, create_study, load_study
from storage.trust import bias
from storage.trust.luck import simulate_luck
from storage.trust.selection import judge_selection, read_judged
from tests.labelled_studies import LabelledFold, LabelledObjective, make_dataset, make_labelled_study
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

TARGETS = ["label_2", "label_0"]
"""Of three, and in another order than the data has them."""


class Weak(LabelledObjective):
    """Trials that are nearly equal, so that chance chooses among them."""

    def signal(self, point: int, fold: int, epoch: int) -> float:
        """Point 3 is a little better."""
        return 1.0 + 0.1 * (point == 3)


@dataclass
class Worked:
    """A finished study on a data set."""

    database: Database
    dataset: Dataset
    study: StudyRecord

    def judge(self) -> dict[str, Any]:
        """How sure its choice is."""
        found = judge_selection(self.database, load_study(self.database, self.study.name))
        assert found is not None
        return found


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


def work(database: Database, folder: Path, **changes: object) -> Worked:
    dataset = make_dataset(folder, targets=3, patients=30)
    study = make_labelled_study(database, dataset, points=5, **{"data.targets": TARGETS, **changes})
    Worker(Circumstances(database), lambda _: Weak(dataset)).run(lambda: [study])
    return Worked(database, dataset, study)


def predict(worked: Worked, epochs: list[int]) -> tuple[np.ndarray, list[np.ndarray], list[list[np.ndarray]]]:
    """The labels, the validation images of each fold, and what each trial predicts, from the formulas alone."""
    spec, data = worked.study.spec, worked.dataset
    labels = data.labels[:, [2, 0]]
    folds = make_folds(labels, data.groups, spec.cv.folds, spec.study.seed)
    kept = []
    for point, epoch in enumerate(epochs):
        trial = []
        for number, (train, validation) in enumerate(folds):
            fold = LabelledFold(point, number, 16, Weak(data).signal, train, validation, labels=labels)
            fold.epoch = epoch
            trial.append(fold.predict_validation().astype(np.float16))
        kept.append(trial)
    return labels, [validation for _, validation in folds], kept


def auc_by_pairs(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of pairs (positive, negative) in order, each counted as often as its two images are drawn: shape (draws,)."""
    positive, negative = labels == 1, labels == 0
    above = scores[positive][:, None] - scores[negative][None, :]
    won = np.where(above > 0, 1.0, np.where(above == 0, 0.5, 0.0))
    heavy, light = weights[positive].astype(float), weights[negative].astype(float)
    pairs = heavy.sum(axis=0) * light.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.einsum("pd,pn,nd->d", heavy, won, light) / pairs


def score_cells(
    trial: list[np.ndarray],
    labels: np.ndarray,
    folds: list[np.ndarray],
    weights: np.ndarray,
    everything: np.ndarray,
) -> np.ndarray:
    """The mean over folds of the mean over labels; where a draw lacks a class, other folds of the label stand in."""

    def measure(counts: np.ndarray) -> np.ndarray:
        return np.array(
            [
                [
                    auc_by_pairs(labels[rows, t], values[:, t].astype(np.float32), counts[rows])
                    for t in range(2)
                ]
                for rows, values in zip(folds, trial, strict=True)
            ]
        )

    whole, cells = ~np.isnan(measure(everything)[:, :, 0]), measure(weights)
    for t in range(2):
        of_label = np.nanmean(cells[:, t], axis=0)
        of_label = np.where(np.isnan(of_label), np.nanmean(of_label), of_label)
        cells[:, t] = np.where(np.isnan(cells[:, t]), of_label, cells[:, t])
    return np.nanmean(
        [np.mean(cells[fold][whole[fold]], axis=0) for fold in range(len(folds)) if whole[fold].any()], axis=0
    )


def by_definition(worked: Worked, epochs: list[int]) -> np.ndarray:
    """What the trial that is best on the drawn patients scores on the others, one number a draw."""
    labels, folds, kept = predict(worked, epochs)
    drawn = bias.draw_weights(worked.dataset.groups, bias.DRAWS, 0)
    sides = []
    everything = np.ones((len(labels), 1))
    for weights in (drawn, (drawn == 0).astype(np.float32)):
        scores = [score_cells(trial, labels, folds, weights, everything) for trial in kept]
        sides.append(np.stack(scores))
    inside, outside = sides
    return outside[inside.argmax(axis=0), np.arange(bias.DRAWS)]


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
def test_the_best_is_corrected_on_patients_that_did_not_choose_it(database: Database, tmp_path: Path) -> None:
    worked = work(database, tmp_path / "data", **{"study.objective": "last"})
    found = worked.judge()
    values = by_definition(worked, [4] * 5)
    assert found["correction"] == "bootstrap"
    assert found["corrected_value"] == pytest.approx(values.mean(), abs=1e-6)
    judged = read_judged(database, worked.study, list_points(database, worked.study.uuid))
    assert judged is not None
    of_folds = judged.fold_values[0]
    half = stats.t.ppf(0.975, len(of_folds) - 1) * stats.sem(of_folds)
    assert found["corrected_high"] - found["corrected_value"] == pytest.approx(half, rel=1e-3)
    assert found["corrected_value"] - found["corrected_low"] == pytest.approx(half, rel=1e-3)
    assert found["corrected_value"] < found["value"]


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
def test_the_best_epoch_is_corrected_for_too(database: Database, tmp_path: Path) -> None:
    worked = work(database, tmp_path / "data")
    judged = read_judged(database, worked.study, list_points(database, worked.study.uuid))
    assert judged is not None
    epochs = dict(zip((point.point for point in judged.points), judged.epochs, strict=True))
    simulated = simulate_luck(judged.curves)
    assert simulated is not None
    assert simulated.of_epochs > 0
    values = by_definition(worked, [epochs[point] for point in range(5)])
    found = worked.judge()
    assert found["correction"] == "bootstrap"
    assert found["corrected_value"] == pytest.approx(values.mean() - simulated.of_epochs, abs=1e-6)


@pytest.mark.main_tier("folder", "other data")
@pytest.mark.parametrize(
    "lacking",
    ["folder", "other data", "edited data", "predictions of a fold", "other images", "a label of a fold"],
)
def test_without_labels_or_predictions_the_study_is_simulated(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    worked = work(database, tmp_path / "data")
    assert worked.judge()["correction"] == "bootstrap"
    kept = tables.predictions
    if lacking == "folder":
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        monkeypatch.setenv("ORCH_DATA", str(tmp_path / "elsewhere"))
        assert worked.judge()["correction"] == "bootstrap"
        monkeypatch.delenv("ORCH_DATA")
    elif lacking == "other data":
        shutil.rmtree(tmp_path / "data")
        make_dataset(tmp_path / "data", targets=3, patients=30, seed=1)
    elif lacking == "edited data":
        manifest = json.loads((tmp_path / "data" / MANIFEST).read_text())
        manifest["images"][0]["labels"][0] = 1 - (manifest["images"][0]["labels"][0] or 0)
        (tmp_path / "data" / MANIFEST).write_text(json.dumps(manifest))
    else:
        of_fold = sa.and_(kept.c.point == 2, kept.c.fold == 1)
        with database.transaction() as connection:
            if lacking == "predictions of a fold":
                connection.execute(sa.delete(kept).where(of_fold))
            elif lacking == "a label of a fold":
                # The same images, and of each the probability of one label.
                values = connection.execute(sa.select(kept.c["values"]).where(of_fold)).scalar_one()
                first = np.frombuffer(values, "<f2").reshape(-1, 2)[:, 0].tobytes()
                changed = {"values": first, "target_count": 1, "digest": None}
                connection.execute(sa.update(kept).where(of_fold).values(changed))
            else:
                indices = connection.execute(sa.select(kept.c.indices).where(of_fold)).scalar_one()
                turned = np.frombuffer(indices, "<i4")[::-1].tobytes()
                connection.execute(sa.update(kept).where(of_fold).values(indices=turned, digest=None))
    found = worked.judge()
    assert found["correction"] == "simulation"
    assert found["corrected_low"] < found["corrected_value"] < found["corrected_high"]
    assert found["corrected_value"] < found["value"]


def test_where_trials_were_pruned_it_is_a_bound(database: Database, tmp_path: Path) -> None:
    worked = work(database, tmp_path / "data", **{"study.objective": "last"})
    with database.transaction() as connection:
        worst = sa.select(sa.func.min(tables.points.c.value)).scalar_subquery()
        pruned = tables.points.c.value == worst
        connection.execute(sa.update(tables.points).where(pruned).values(outcome="PRUNED"))
    found = worked.judge()
    assert found["corrected_value"] is found["corrected_low"] is found["corrected_high"] is None
    assert found["correction"] is None
    assert 0.5 < found["corrected_at_most"] < found["value"]


def test_repeats_give_a_mean_and_an_interval_about_it(database: Database, tmp_path: Path) -> None:
    worked = work(database, tmp_path / "data")
    best = worked.judge()
    number, epoch = best["best_point"], best["epoch"]
    spec = worked.study.spec.with_values(
        {"study.name": "again", "study.repeats_of": worked.study.uuid, "study.trials": 3, "study.seed": 7}
    )
    params = {"batch_size": 16 + number}
    again = create_study(database, spec, [params, params, {"batch_size": 99}], data_folder="", facts={})
    Worker(Circumstances(database), lambda _: LabelledObjective(worked.dataset)).run(lambda: [again])
    epochs = tables.epochs.c
    with database.transaction() as connection:
        # The label of a fold may lack a class: such a fold has no score and takes no part in the mean.
        nowhere = (epochs.study_uuid == again.uuid) & (epochs.point == 1) & (epochs.fold == 0)
        connection.execute(sa.update(tables.epochs).where(nowhere).values(val_auc=None))
        rows = connection.execute(
            sa.select(epochs.point, epochs.val_auc).where(
                epochs.study_uuid == again.uuid, epochs.epoch == epoch, epochs.point < 2
            )
        ).all()
    runs = [[value for point, value in rows if point == wanted and value is not None] for wanted in (0, 1)]
    found = worked.judge()
    assert (found["correction"], found["repeats"]) == ("repeats", 2)
    assert found["corrected_value"] == pytest.approx(np.mean([np.mean(run) for run in runs]), abs=1e-12)
    # Patients are counted, too: what the folds of a run differ by, not only what the runs do.
    error = np.mean([stats.sem(run) ** 2 for run in runs]) ** 0.5
    half = stats.t.ppf(0.975, sum(len(run) - 1 for run in runs)) * error
    assert found["corrected_high"] - found["corrected_value"] == pytest.approx(half, rel=1e-3)
    assert found["corrected_value"] - found["corrected_low"] == pytest.approx(half, rel=1e-3)
