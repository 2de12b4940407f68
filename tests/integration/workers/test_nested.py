"""Nested cross-validation: the whole search in each outer fold, worked off with the study, and judged on patients that no choice saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dashboards.figures.practice import draw_learning_curve
from orchestrator.planning.growing import extend
from orchestrator.planning.plan import plan_points
from orchestrator.proof.bundle import check_bundle, write_bundle
from orchestrator.studies.best import best_document
from orchestrator.studies.verify_parts import verify_whole
from storage.data.folds import draw_outer_folds, make_folds
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import StorageError
from storage.growth.part_specs import Role, count_draws, role_of
from storage.growth.parts import (
    is_left,
    leave_out_parts,
    list_curve,
    list_parts,
    make_learning_curve,
    make_searches,
    with_parts,
)
from storage.results.judged import judged_epoch
from storage.results.predictions import read_predictions
from storage.studies.point_records import best_point, count_points, list_points
from storage.studies.study import StudyRecord, create_study, list_studies, load_study
from storage.trust.learning_curve import judge_learning_curve
from storage.trust.selection import judge_selection, read_repeats
from tests.labelled_studies import LabelledObjective, make_dataset
from tests.studies import make_spec
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

OUTER = 3


@pytest.fixture
def database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """An open database with orch's tables."""
    (tmp_path / "orch.db").write_bytes(sqlite_template.read_bytes())
    opened = open_database(f"sqlite:///{tmp_path / 'orch.db'}")
    yield opened
    opened.close()


def test_each_outer_fold_makes_the_whole_search_and_is_judged_once(
    database: Database, tmp_path: Path
) -> None:
    dataset = make_dataset(tmp_path / "data")
    spec = make_spec(
        "whole",
        points=3,
        **{
            "data.fingerprint": dataset.fingerprint,
            "data.targets": list(dataset.targets),
            "cv.nested": OUTER,
            "cv.repeats_of_winner": 2,
        },
    )

    def make() -> None:
        study = create_study(database, spec, plan_points(spec), data_folder=str(dataset.folder), facts={})
        make_searches(database, study, dataset, plan_points)

    def work(trials: int) -> None:
        here = Circumstances(database)
        objective = LabelledObjective(dataset)
        Worker(here, lambda _: objective, find_dataset=lambda _: dataset).run(
            lambda: with_parts(database, [load_study(database, "whole")])
        )
        study = load_study(database, "whole")
        parts = list_parts(database, study)
        searches = [part for part in parts if role_of(part.spec) is Role.SEARCH]
        assert [count_points(database, part.uuid).planned for part in searches] == [trials] * OUTER
        assert all(count_points(database, part.uuid).is_settled for part in parts)
        assert not is_left(database, study)

    make()
    make()  # the command again changes nothing
    study = load_study(database, "whole")
    assert len(list_parts(database, study)) == OUTER
    assert [one.name for one in leave_out_parts(list_studies(database))] == ["whole"]
    work(3)
    parts = list_parts(database, study)
    assert sorted(str(role_of(part.spec)) for part in parts) == [
        "repeats",
        *["search"] * OUTER,
        *["test"] * OUTER,
    ]

    labels, groups = dataset.labels, dataset.groups
    outer = draw_outer_folds(labels, groups, OUTER, spec.study.seed)
    assert sorted(np.concatenate([held for _, held in outer]).tolist()) == list(range(len(labels)))
    for part in parts:
        folds = read_predictions(database, part.uuid, 0)
        seen = np.concatenate([fold.indices for fold in folds])
        if role_of(part.spec) is Role.SEARCH:
            assert sorted(seen) == outer[part.spec.cv.outer - 1][0].tolist(), "no image of the outer fold"
            assert set(groups[seen]).isdisjoint(groups[outer[part.spec.cv.outer - 1][1]])
        elif role_of(part.spec) is Role.TEST:
            assert seen.tolist() == outer[part.spec.cv.outer - 1][1].tolist(), "the outer fold, once"
            (search,) = (one for one in parts if one.name == part.name.partition("-test")[0])
            winner = best_point(list_points(database, search.uuid))
            assert winner is not None
            assert list_points(database, part.uuid)[0].params == winner.params
            assert part.spec.training.epochs == judged_epoch(database, search, winner)
            assert part.facts["folds_digest"].startswith("sha256:")

    selection = judge_selection(database, load_study(database, "whole"))
    assert selection is not None
    nested = selection["nested"]
    values = [one["value"] for one in nested["outer"]]
    assert (nested["finished"], len(set(values))) == (OUTER, OUTER)
    assert nested["value"] == pytest.approx(np.mean(values))
    assert nested["low"] < nested["value"] < nested["high"]
    assert nested["interval"] == "patients"
    assert "Nested cross-validation (3 outer folds" in selection["sentence"]
    assert selection["correction"] == "repeats"

    study = load_study(database, "whole")
    document = verify_whole(database, study, dataset)
    assert (document["problems"], document["part_missing"]) == ([], False)
    (tmp_path / "bundle.zip").write_bytes(write_bundle(database, study, None, 0)[0])
    assert check_bundle(tmp_path / "bundle.zip")["problems"] == []

    sizes = [25, 50, 75, 100]
    made = make_learning_curve(database, study, dataset, sizes, 2)
    assert [part.uuid for part in make_learning_curve(database, study, dataset, sizes, 2)] == [
        part.uuid for part in made
    ], "the command again makes nothing new"
    work(3)
    curve = judge_learning_curve(database, load_study(database, "whole"), [0.5, 0.99999])
    assert [one["percent"] for one in curve["sizes"]] == sizes
    patients = [one["patients"] for one in curve["sizes"]]
    assert patients == sorted(patients)
    assert patients[0] == pytest.approx(patients[-1] / 4, rel=0.1)
    assert len(curve["targets"]) == 2
    assert curve["reason"] is None
    assert all(one["low"] <= one["value"] <= one["high"] for one in curve["band"])
    picture = draw_learning_curve(curve)
    assert [one["name"] for one in picture.figure["data"] if "name" in one] == ["law", "measured"]
    assert [row[1] for row in picture.table.rows if row[0] == "measured"] == sizes
    exported = best_document(database, load_study(database, "whole"))["learning_curve"]
    assert exported["law"] == pytest.approx(curve["law"])
    assert all(one["is_settled"] and one["low"] < one["value"] < one["high"] for one in curve["sizes"])
    assert verify_whole(database, load_study(database, "whole"), dataset)["problems"] == []

    assert extend(database, study, 5)["added"] == 2
    work(5)
    assert verify_whole(database, load_study(database, "whole"), dataset)["problems"] == []


@pytest.mark.parametrize("name", ["plain", "x" * 200])
def test_a_search_is_made_whatever_its_study_is_called_and_what_is_there_already(
    database: Database, tmp_path: Path, name: str
) -> None:
    dataset = make_dataset(tmp_path / "data")
    own = {"data.fingerprint": dataset.fingerprint, "data.targets": list(dataset.targets)}
    for spec in (make_spec("plain-outer-2", **own), make_spec(name, points=2, **own, **{"cv.nested": 2})):  # type: ignore[arg-type]
        study = create_study(database, spec, plan_points(spec), data_folder=str(dataset.folder), facts={})
    made = make_searches(database, study, dataset, plan_points)
    again = make_searches(database, study, dataset, plan_points)
    assert [part.uuid for part in again] == [part.uuid for part in made]
    assert [part.uuid for part in list_parts(database, study)] == [part.uuid for part in made]
    assert verify_whole(database, load_study(database, name), dataset)["problems"] == []


def test_a_learning_curve_keeps_to_its_plan_and_is_no_repeat_of_a_winner(
    database: Database, tmp_path: Path
) -> None:
    dataset = make_dataset(tmp_path / "data")
    own = {"data.fingerprint": dataset.fingerprint, "data.targets": list(dataset.targets)}

    def make(name: str, **changes: object) -> StudyRecord:
        spec = make_spec(name, points=2, **own, **changes)  # type: ignore[arg-type]
        return create_study(database, spec, plan_points(spec), data_folder=str(dataset.folder), facts={})

    def work(name: str) -> StudyRecord:
        objective = LabelledObjective(dataset)
        Worker(Circumstances(database), lambda _: objective).run(
            lambda: with_parts(database, [load_study(database, name)])
        )
        return load_study(database, name)

    first = make("first")
    work("first")
    again = make("again", **{"study.repeats_of": first.uuid})
    work("again")
    made = make_learning_curve(database, again, dataset, [50, 100], 1)
    again = work("again")
    best = best_point(list_points(database, again.uuid))
    assert best is not None
    repeats = read_repeats(database, first, best.params or {}, 1)
    assert len(repeats) == 1, "models of fewer patients do not stand for the winner"
    curve = judge_learning_curve(database, again)
    assert [one["study"] for one in curve["sizes"]] == [part.name for part in made]
    assert curve["sentence"].startswith("A law needs 4 sizes with a value, and there are 2")
    assert verify_whole(database, again, dataset)["problems"] == []

    def uuids(*how: object) -> list[str]:
        return [part.uuid for part in make_learning_curve(database, again, dataset, *how)]  # type: ignore[arg-type]

    assert uuids() == [part.uuid for part in made], "whoever only looks need not name the sizes again"
    assert uuids([25, 50])[1:] == uuids([50])
    assert [count_draws(part.spec) for part in list_curve(database, again, best)] == [1, 1, 1]
    with pytest.raises(StorageError, match="planned with --repeats 1"):
        uuids([75], 3)
    with pytest.raises(StorageError, match="part of another study"):
        make_learning_curve(database, made[0], dataset)


def test_fewer_patients_are_always_among_more_and_judge_the_same() -> None:
    chance = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 2)
    labels = (chance.random((80, 1)) < 0.4).astype(np.float64)
    whole = make_folds(labels, groups, 4, 7)
    before: list[set[int]] = [set()] * 4
    for percent in (20, 50, 90):
        folds = make_folds(labels, groups, 4, 7, train_percent=percent)
        for (train, held), (all_of_them, judged), fewer in zip(folds, whole, before, strict=True):
            assert held.tolist() == judged.tolist()
            assert fewer <= set(train) <= set(all_of_them)
            present = len(np.unique(groups[all_of_them]))
            assert len(np.unique(groups[train])) == round(present * percent / 100)
        before = [set(train) for train, _ in folds]


def test_the_folds_of_a_search_are_made_of_its_own_patients() -> None:
    chance = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 2)
    labels = (chance.random((80, 1)) < 0.4).astype(np.float64)
    plain = make_folds(labels, groups, 4, 7)
    for number in (1, 2, 3):
        train, held = draw_outer_folds(labels, groups, 3, 7)[number - 1]
        folds = make_folds(labels, groups, 4, 7, outer=(number, 3))
        assert sorted(np.concatenate([one for _, one in folds]).tolist()) == train.tolist()
        assert all(set(first) | set(second) == set(train) for first, second in folds)
        ((alone, judged),) = make_folds(labels, groups, 4, 7, outer=(number, 3), is_test=True)
        assert (alone.tolist(), judged.tolist()) == (train.tolist(), held.tolist())
        assert not set(groups[train]) & set(groups[held])
    assert [one.tolist() for _, one in make_folds(labels, groups, 4, 7)] == [one.tolist() for _, one in plain]
