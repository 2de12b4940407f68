"""Folds that were given, and folds that are repeated: from the training to what verify, best.json and the report make of them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dashboards.tables.outcomes import read_outcomes
from orchestrator.importing.given_folds import fill_in_folds
from orchestrator.models.out_of_fold import StudyQuestions, evaluate_study
from orchestrator.studies.best import best_document
from orchestrator.studies.comparing import compare_studies
from orchestrator.studies.verify import verify_study
from storage.data.datasets import COLUMNS, Dataset
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.metrics.curves import auc
from storage.results.predictions import read_predictions
from storage.studies.attempts import list_attempts
from storage.studies.points import list_points
from storage.studies.study import StudyRecord, create_study
from storage.trust.selection import judge_selection
from tests.labelled_studies import LabelledObjective, make_dataset
from tests.studies import make_spec
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


@pytest.mark.main_tier("changes0")
@pytest.mark.parametrize("changes", [{"cv.repeats": 2}, {"cv.by": "site"}])
def test_given_and_repeated_folds_hold_from_the_training_to_the_report(
    sqlite_url: str, tmp_path: Path, changes: dict[str, object]
) -> None:
    dataset = make_dataset(tmp_path / "data")
    with (dataset.folder / COLUMNS).open("w", newline="", encoding="utf-8") as file:
        rows = [
            [sha256, f"site {group % 4}"]
            for sha256, group in zip(dataset.sha256, dataset.groups, strict=True)
        ]
        csv.writer(file).writerows([["sha256", "site"], *rows])
    spec = make_spec("labelled", points=4, **{"data.fingerprint": dataset.fingerprint, **changes})
    spec, _ = fill_in_folds(spec, dataset)
    planned = [{"batch_size": 16 + number} for number in range(4)]
    database = open_database(sqlite_url)
    study = create_study(database, spec, planned, data_folder=str(dataset.folder), facts={})
    Worker(Circumstances(database), lambda _: LabelledObjective(dataset)).run(lambda: [study])
    document = verify_study(database, study, list(planned), dataset)
    assert document["ok"], document["problems"]
    folds = spec.fold_count
    assert folds == (4 if spec.cv.by else 6)
    assert document["folds"] == {"recorded": 4 * folds * spec.training.epochs, "missing": 0}
    best = best_document(database, study)
    assert len(best["fold_values"]) == folds
    assert best["selection"] is not None
    outcomes = read_outcomes(database, study, best["point"], dataset)
    assert outcomes is not None
    assert len(outcomes.folds) == folds
    assert len(outcomes.pooled[0]) == len(dataset.files), "each image once"
    check_that_each_image_counts_once(database, study, best["point"], dataset)
    database.close()


def check_that_each_image_counts_once(
    database: Database, study: StudyRecord, point: int, dataset: Dataset
) -> None:
    """Hold evaluation and comparison against the mean of an image's probabilities, worked by hand from the kept rows."""
    by_hand: dict[int, list[float]] = {}
    for fold in read_predictions(database, study.uuid, point):
        for row, values in zip(fold.indices.tolist(), fold.values, strict=True):
            by_hand.setdefault(row, []).append(float(values[0]))
    repeats = study.spec.cv.repeats
    assert {len(values) for values in by_hand.values()} == {repeats}
    rows = [row for row in sorted(by_hand) if not np.isnan(dataset.labels[row, 0])]
    means = [sum(by_hand[row]) / repeats for row in rows]
    number = next(one.trial_number for one in list_points(database, study.uuid) if one.point == point)
    document = evaluate_study(database, f"labelled:{number}", [dataset.folder], StudyQuestions(resamples=100))
    assert document["data"]["images"] == len(dataset.files)
    scored = document["results"]["labels"]["label_0"]
    assert scored["metrics"]["auc"]["value"] == pytest.approx(
        float(auc(dataset.labels[rows, 0], np.array(means)))
    )
    compared = compare_studies(database, ["labelled:0", "labelled:1"], [dataset.folder], resamples=100)
    values = [np.array(one.fold_values) for one in list_attempts(database, study) if one.point in (0, 1)]
    gaps = values[1] - values[0]
    error = np.sqrt(gaps.var(ddof=1) * (1 / len(gaps) + 1 / (study.spec.cv.folds - 1)))
    claim = compared["comparisons"][0]["claim"]
    assert claim["p"] == pytest.approx(2 * stats.t.sf(abs(gaps.mean()) / error, len(gaps) - 1), abs=1e-6)
    # Each repeat has all patients, so that its folds alone say how far other patients would be from these.
    selection = judge_selection(database, study)
    assert selection is not None
    best = next(np.array(one.fold_values) for one in list_attempts(database, study) if one.point == point)
    runs = np.split(best, repeats)
    error = np.sqrt(np.mean([stats.sem(run) ** 2 for run in runs]))
    half = stats.t.ppf(0.975, sum(len(run) - 1 for run in runs)) * error
    assert (selection["corrected_high"] - selection["corrected_low"]) / 2 == pytest.approx(half, rel=1e-3)
