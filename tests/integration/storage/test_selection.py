"""How sure a choice is, from a real database: what `study show`, best.json and a study of repeats say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from orchestrator.planning.plan import plan_points
from orchestrator.planning.regimes import build_spec, repeat_finalists
from orchestrator.studies import best as export
from orchestrator.studies.best import read_best
from orchestrator.studies.records import study_document
from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import SpecError
from storage.files.documents import to_json
from storage.files.writing import write_text
from storage.spec import from_toml, to_toml
from storage.studies.point_records import list_points
from storage.studies.study import StudyRecord, create_study, load_study
from storage.trust.selection import judge_selection
from storage.trust.verdict import describe_selection
from tests.studies import PretendObjective, make_study
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


def noisy_auc(point: int, fold: int, epoch: int) -> float:
    """Equal trials but for the first three; noise that repeats itself."""
    luck = np.random.default_rng([point, fold, epoch]).normal(0, 0.01)
    return float(0.7 + 0.01 * epoch - (0.2 if point < 3 else 0.0) + 0.02 * fold + luck)


def work(database: Database, study: StudyRecord) -> None:
    Worker(Circumstances(database), lambda _: PretendObjective(auc=noisy_auc)).run(
        lambda: [load_study(database, study.name)]
    )


def test_optimism_that_was_not_measured_is_not_claimed() -> None:
    document = {
        **{
            "study": "x",
            "candidates": 100,
            "value": 0.9758,
            "corrected_value": 0.9759,
            "correction": "bootstrap",
        },
        **dict.fromkeys(("corrected_at_most", "correction_reason", "noise_per_trial", "cheapest")),
        **{"indistinguishable": [{"point": 1}], "not_judged": []},
    }
    said = describe_selection(document)
    assert "is optimistic" not in said
    assert "Best mean value 0.9758. It is the maximum of 100 trials, but no optimism was measured" in said
    assert "Corrected for selection: about 0.9759" in said
    lower = describe_selection({**document, "corrected_value": 0.97})
    assert (
        "Because it is the maximum of 100 trials it is optimistic. Corrected for selection: about 0.970 "
        in lower
    )


def test_an_error_is_said_as_it_is_measured() -> None:
    document = {
        **{"study": "x", "candidates": 8, "metric": "neg_val_mae", "value": -9.2, "corrected_value": -9.8},
        **{"corrected_low": -11.0, "corrected_high": -9.1, "correction": "bootstrap", "noise_per_trial": 0.1},
        **dict.fromkeys(("corrected_at_most", "correction_reason", "cheapest")),
        **{"indistinguishable": [{"point": 1}], "not_judged": []},
        "nested": {"folds": 3, "value": -10.1, "low": -12.5, "high": -8.25},
    }
    assert describe_selection(document) == (
        "Best mean validation mean absolute error 9.200. Because it is the minimum of 8 trials it is optimistic. Corrected for selection: about 9.800, "
        "95 % interval 9.100 to 11.000 (estimated by bootstrap over patients). Nested cross-validation (3 outer folds, the whole search in each): 10.100, "
        "95 % interval 8.250 to 12.500. All other complete trials are significantly higher (95 %)"
    )
    bound = {**document, "corrected_value": None, "corrected_low": None, "corrected_at_most": -9.5}
    assert "at least 9.500 (a lower bound, since" in describe_selection(bound)


@pytest.mark.parametrize(
    ("at_most", "told"),
    [(0.78, "Corrected for selection: at most 0.780 (an"), (0.7967, "By how much is unknown, since")],
)
def test_a_bound_above_the_value_itself_is_not_told(at_most: float, told: str) -> None:
    document = {
        **{"study": "x", "candidates": 32, "value": 0.7917, "corrected_at_most": at_most},
        **dict.fromkeys(("corrected_value", "correction_reason", "noise_per_trial", "cheapest")),
        **{"indistinguishable": [{"point": 1}], "not_judged": [2]},
    }
    said = describe_selection(document)
    assert told in said
    assert "pruned trials cannot be corrected for" in said
    assert "0.7967" not in said


def test_the_document_accounts_for_every_trial(database: Database) -> None:
    study = make_study(database, points=10)
    work(database, study)
    with database.transaction() as connection:
        # Later trials took longer: 0.1 s more in each epoch of each fold.
        connection.execute(sa.update(tables.epochs).values(seconds=0.1 * (tables.epochs.c.point + 1)))
    selection = judge_selection(database, study)
    assert selection is not None
    assert selection["candidates"] == selection["complete"] == 10
    assert len(selection["indistinguishable"]) + selection["told_apart"] == 10
    assert {0, 1, 2}.isdisjoint(one["point"] for one in selection["indistinguishable"])
    assert selection["indistinguishable"][0]["point"] == selection["best_point"]
    trained = {point.point: point for point in list_points(database, study.uuid)}
    fold_epochs = study.spec.fold_count * study.spec.training.epochs
    for one in selection["indistinguishable"]:
        point = trained[one["point"]]
        assert (one["trial"], one["value"], one["params"]) == (point.trial_number, point.value, point.params)
        assert one["seconds"] == pytest.approx(0.1 * (one["point"] + 1) * fold_epochs)
    assert selection["cheapest"]["point"] == min(one["point"] for one in selection["indistinguishable"])
    assert selection["correction"] == "simulation"
    assert selection["corrected_value"] < selection["value"]
    assert selection["expected_luck"] > selection["noise_per_trial"] > 0
    others = len(selection["indistinguishable"]) - 1
    assert selection["sentence"] == (
        f"Best mean validation AUC {selection['value']:.3f}. Because it is the maximum of 10 trials it is optimistic. "
        f"Corrected for selection: about {selection['corrected_value']:.3f}, 95 % interval "
        f"{selection['corrected_low']:.3f} to {selection['corrected_high']:.3f} (estimated by simulating the study). "
        f"{others} other trials are statistically indistinguishable from it (95 %). "
        f"The fastest of these {others + 1} is trial {selection['cheapest']['trial']}"
    )


def test_pruned_trials_are_not_judged_and_leave_only_a_bound(database: Database) -> None:
    study = make_study(database, points=10, pruner="halving")
    work(database, study)
    selection = judge_selection(database, study)
    assert selection is not None
    assert selection["not_judged"]
    assert selection["corrected_value"] is None
    assert selection["corrected_at_most"] is not None
    assert "gives an unbiased estimate" in selection["sentence"]
    assert "--from small.json --repeats 5" in selection["sentence"]
    assert "pruned and are not part of this comparison" in selection["sentence"]


def test_a_metric_without_a_bound_has_no_correction_and_says_why(database: Database) -> None:
    study = make_study(database, points=3, **{"study.metric": "neg_val_loss"})
    work(database, study)
    selection = judge_selection(database, study)
    assert selection is not None
    assert (selection["correction"], selection["corrected_value"]) == (None, None)
    assert selection["correction_reason"] == "val_loss has no upper bound, so no correction can be computed"


def test_one_complete_trial_tells_no_noise(database: Database) -> None:
    study = make_study(database, points=1)
    work(database, study)
    selection = judge_selection(database, study)
    assert selection is not None
    assert selection["noise_per_trial"] is None
    assert describe_selection(selection) == (
        f"Best mean validation AUC {selection['value']:.3f}. "
        "There are too few trials or folds to estimate the random variation of a value"
    )
    assert judge_selection(database, make_study(database, "untouched")) is None


def test_best_json_and_study_show_carry_it(database: Database) -> None:
    study = make_study(database, points=6)
    work(database, study)
    best = json.loads(to_json(export.best_document(database, study)))
    assert best["selection"]["value"] == best["value"]
    assert best["trained_on"]["seeds"]["point"] == best["point"]
    assert best["warnings"] == []
    shown = study_document(database, study, whole=True)
    assert shown["selection"]["sentence"] == best["selection"]["sentence"]


def test_repeats_correct_the_winner_of_a_pruned_study(database: Database, tmp_path: Path) -> None:
    study = make_study(database, points=10, pruner="halving")
    work(database, study)
    write_text(tmp_path / "best.json", to_json(export.best_document(database, study)))
    best = read_best(tmp_path / "best.json")
    spec = repeat_finalists("again", best, repeats=3, finalists=2)
    assert (spec.study.repeats_of, spec.pruner.name) == (study.uuid, "none")
    assert spec.study.seed != study.spec.study.seed
    points = plan_points(spec)
    assert len(points) == spec.point_count
    assert points[0] == points[len(spec.sampler.points)] == best["params"]
    again = create_study(database, spec, points, data_folder="", facts={})
    work(database, again)
    selection = judge_selection(database, study)
    assert selection is not None
    assert (selection["correction"], selection["repeats"]) == ("repeats", 3)
    assert selection["corrected_at_most"] is None


def test_a_study_of_repeats_reads_back_from_toml_and_starts_no_search_of_lists(
    database: Database, tmp_path: Path
) -> None:
    study = make_study(database, points=6)
    work(database, study)
    best = export.best_document(database, study)
    spec = repeat_finalists("again", best, repeats=2, finalists=3)
    (tmp_path / "spec.toml").write_text(to_toml(spec))
    assert from_toml(tmp_path / "spec.toml") == spec
    changed = {**best, "spec": spec.model_dump(mode="json")}
    assert build_spec("next", regime="I", best=changed).sampler.name == "random"
    with pytest.raises(SpecError, match="Export it again"):
        repeat_finalists("again", {**best, "study_uuid": ""}, repeats=2, finalists=3)
