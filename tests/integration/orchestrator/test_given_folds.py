"""Folds that were given, and folds that are repeated: from the training to what verify, best.json and the report make of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dashboards.tables.outcomes import read_outcomes
from orchestrator.importing.given_folds import fill_in_folds
from orchestrator.studies.best import best_document
from orchestrator.studies.verify import verify_study
from storage.data.datasets import COLUMNS
from storage.database.opening import open_database
from storage.studies.study import create_study
from tests.labelled_studies import LabelledObjective, make_dataset
from tests.studies import make_spec
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


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
    database.close()
