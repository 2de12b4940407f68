"""The six mistakes of a published study, planted one by one: orch refuses, or says so loudly.

docs/what-went-wrong.md tells the story; each test names its mistake.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from orchestrator.audit.admission import audit_for_study, note_findings, refuse_errors
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.planning.plan import plan_points
from orchestrator.planning.regimes import regime_one
from orchestrator.planning.review import fill_in_data, review_study
from orchestrator.studies import best as export
from orchestrator.studies.verify import verify_study
from storage.data.datasets import Dataset
from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import DataError, SpecError
from storage.spec import StudySpec
from storage.studies.points import list_points
from storage.studies.study import StudyRecord, create_study, load_study
from tests.pictures import draw_image, sketch_each_picture_once, write_table
from tests.studies import PretendFold, PretendObjective, make_study, rising_auc
from workers.objective.canary import refuse_idle, try_parameters
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

pytestmark = pytest.mark.thorough

PATIENTS = 64


@pytest.fixture(autouse=True)
def _quick_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    sketch_each_picture_once(monkeypatch)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


def bring_in(folder: Path, out: str = "data", **choices: object) -> Dataset:
    """Radiographs in two views of each patient; view flags and grades that one view cannot show, coded 0."""
    rows = []
    for patient in range(PATIENTS):
        for view in range(2):
            name = f"{patient:02d}{view}.png"
            if not (folder / "images" / name).exists():
                draw_image(folder / "images" / name, seed=10 * patient + view)
            grade = patient % 2
            seen = [grade * (1 - view), (1 - grade) * (1 - view), grade * view, (1 - grade) * view]
            rows.append([name, f"p{patient}", 1 - view, view, *seen])
    labels = folder / "labels.csv"
    columns = ["filename", "patient", "ap", "lateral", "medial_1", "medial_2", "anterior_1", "anterior_2"]
    write_table(labels, columns, rows)
    options: dict = {"group_columns": ("patient",), "holdout": 0.2} | choices
    return import_dataset(folder / "images", labels, folder / out, Choices(**options), cache=folder / "cache")


def plan(dataset: Dataset, folder: Path, *accepted: str) -> tuple[StudySpec, dict]:
    """As `orch study create` does: the spec on this data and the facts that are kept."""
    spec = fill_in_data(regime_one("s").with_values({"study.trials": 4, "cv.folds": 3}), dataset)
    review = review_study(spec, plan_points(spec), dataset)
    findings = audit_for_study(spec, dataset, cache=folder / "cache", database=None).findings
    refuse_errors(findings, accepted)
    note_findings(review.facts, findings, accepted)
    return spec, review.facts


def work(database: Database, study: StudyRecord, objective: PretendObjective) -> None:
    Worker(Circumstances(database), lambda _: objective).run(lambda: [load_study(database, study.name)])


def test_mistake_1_a_batch_size_that_was_never_applied(database: Database) -> None:
    study = make_study(database, points=2)

    def start_fold(values: dict) -> PretendFold:
        every = np.arange(100)
        return PretendFold(0, 0, int(values["batch_size"]), rising_auc, every, every, applied_batch_size=128)

    with pytest.raises(SpecError, match="changes nothing: batch_size"):
        refuse_idle(try_parameters(study.spec, start_fold))
    # And should it get past the first look, every epoch's steps are held against images / batch size.
    work(database, study, PretendObjective(applied_batch_size=128))
    for point in list_points(database, study.uuid):
        assert point.state == "failed"
        assert "batch size was not applied" in str(point.error)


def test_mistake_2_the_hold_out_in_training(tmp_path: Path) -> None:
    bring_in(tmp_path)
    everything = bring_in(tmp_path, out="again", holdout=0.0)
    with pytest.raises(DataError, match=r"holdout-in-training: \d+ of 128 development images are sealed"):
        plan(everything, tmp_path)


def test_mistake_3_patients_in_several_folds(tmp_path: Path) -> None:
    split = bring_in(tmp_path, group_columns=(), holdout=0.0)
    with pytest.raises(DataError, match=r"patients-split: .* of the patients in column 'patient'"):
        plan(split, tmp_path)
    grouped = bring_in(tmp_path, out="grouped", holdout=0.0)
    spec, _ = plan(grouped, tmp_path)
    assert spec.data.fingerprint == grouped.fingerprint


def test_mistake_4_a_metric_that_the_view_decides(
    tmp_path: Path, run_orch: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    dataset = bring_in(tmp_path)
    create = ("study", "create", "s", "--regime", "I", "--trials", "2", "--data", dataset.folder)
    made = run_orch(*create, "--set", "cv.folds=3", "--set", "model.weights=none")
    assert made.returncode == 0, made.stderr
    shown = json.loads(run_orch("study", "show", "s", "--json").stdout)
    for said in (made.stderr, "\n".join(shown["facts"]["warnings"])):
        assert "The value of 'ap' alone scores a macro AUC of" in said
        assert "Do not use as targets: ap, lateral" in said
        assert "2 targets are 0 and never 1: anterior_1, anterior_2" in said


def test_mistake_5_a_winner_that_luck_chose(database: Database) -> None:
    def equal(point: int, fold: int, epoch: int) -> float:
        return float(0.78 + 0.02 * fold + np.random.default_rng([point, fold]).normal(0, 0.0141))

    study = make_study(database, points=30)
    work(database, study, PretendObjective(auc=equal))
    best = export.best_document(database, study)
    selection = best["selection"]
    truth = 0.78 + 0.02
    assert best["value"] - truth > 0.008
    assert abs(selection["corrected_value"] - truth) < 0.5 * (best["value"] - truth)
    assert len(selection["indistinguishable"]) > 25
    assert "statistically indistinguishable from it" in selection["sentence"]


def test_mistake_6_bookkeeping_that_loses_the_best_trial(tmp_path: Path, database: Database) -> None:
    dataset = bring_in(tmp_path)
    spec, facts = plan(dataset, tmp_path)
    spec = spec.with_values({"pruner.name": "none", "training.epochs": 3})
    planned = plan_points(spec)
    study = create_study(database, spec, planned, data_folder="", facts=facts)
    work(database, study, PretendObjective(auc=lambda point, fold, epoch: 0.5 + 0.05 * point + 0.01 * fold))
    whole = verify_study(database, study, planned)
    assert export.best_document(database, study)["points"]["complete"] == 4
    with database.transaction() as connection:
        connection.execute(sa.delete(tables.points).where(tables.points.c.point == 3))
    lost = verify_study(database, study, planned)
    assert not lost["ok"]
    assert len(lost["problems"]) > len(whole["problems"])
