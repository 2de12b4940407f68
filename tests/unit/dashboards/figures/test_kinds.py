"""Figures of out-of-fold predictions for each kind of label say what its metrics say; every storey knows the same kinds."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboards.figures.kinds import FIGURES, draw_outcomes
from dashboards.tables.outcomes import Outcomes, compare_numbers, tabulate_classes
from orchestrator.models.answers import ANSWERS, answer_of
from storage.errors import DataError
from storage.tasks.kinds import TASKS
from workers.final_model.predict import Predictions


def pretend(task: str) -> Any:
    return SimpleNamespace(
        study=SimpleNamespace(name="x", spec=SimpleNamespace(data=SimpleNamespace(task=task)))
    )


def make_outcomes(task: str) -> Outcomes:
    chance = np.random.default_rng(0)
    folds = []
    for _ in range(2):
        if task == "number":
            labels = chance.normal(50, 10, (30, 2))
            values = labels + chance.normal(2, 3, (30, 2))
        else:
            labels = np.eye(3)[chance.integers(0, 3, 30)]
            values = chance.dirichlet(np.ones(3), 30) * 0.5 + labels * 0.5
        labels[::7] = np.nan
        folds.append((labels, values))
    names = ("age", "weight") if task == "number" else ("grade=1", "grade=2", "grade=3")
    return Outcomes(names, folds, TASKS[task])


def test_each_of_several_numbers_has_a_panel_of_its_own_scale() -> None:
    point: Any = SimpleNamespace(trial_number=3)
    agreement, differences = draw_outcomes(pretend("number"), point, make_outcomes("number"))
    for picture in (agreement, differences):
        layout = picture.figure["layout"]
        assert {trace["xaxis"] for trace in picture.figure["data"]} == {"x", "x2"}
        assert layout["xaxis2"]["title"]["text"].endswith("true weight")
        assert len([one for one in layout["annotations"] if one["text"]]) == 2
        assert picture.is_broad
    outcomes = make_outcomes("number")
    alone = Outcomes(
        ("age",), [(labels[:, :1], values[:, :1]) for labels, values in outcomes.folds], TASKS["number"]
    )
    nothing = Outcomes(
        ("age",),
        [(labels[:, :1] * np.nan, values[:, :1]) for labels, values in outcomes.folds],
        TASKS["number"],
    )
    for picture in draw_outcomes(pretend("number"), point, alone):
        assert not picture.is_broad
    for picture in draw_outcomes(pretend("number"), point, nothing):
        assert picture.figure["data"] == []


def test_every_storey_knows_the_same_kinds_of_label() -> None:
    assert list(FIGURES) == list(ANSWERS) == list(TASKS)
    with pytest.raises(DataError, match="'ranks', which this version of orch does not know"):
        answer_of({"task": "ranks"})


@pytest.mark.parametrize("task", ["classes", "ordered", "number"])
def test_each_kind_has_its_figures_with_and_without_predictions(task: str) -> None:
    point: Any = SimpleNamespace(trial_number=3)
    outcomes = make_outcomes(task)
    pictures = draw_outcomes(pretend(task), point, outcomes)
    empty = draw_outcomes(pretend(task), point, None)
    assert [one.name for one in pictures] == [one.name for one in empty]
    for picture in pictures:
        go.Figure(picture.figure)
        assert picture.table.rows
        assert all(len(row) == len(picture.table.columns) for row in picture.table.rows)
    for picture in empty:
        go.Figure(picture.figure)
        assert not picture.table.rows


def test_a_table_of_classes_counts_each_image_with_a_class_once() -> None:
    names, counts = tabulate_classes(make_outcomes("classes"))
    assert names == ("1", "2", "3")
    assert counts.sum() == 50
    assert counts.shape == (3, 3)


def test_numbers_are_compared_where_they_are_known() -> None:
    (age, truth, guess, said), weight = compare_numbers(make_outcomes("number"))
    assert (age, weight[0]) == ("age", "weight")
    assert len(truth) == len(guess) == 50
    assert f"MAE {np.abs(guess - truth).mean():.3g}" in said


@pytest.mark.parametrize("task", ["classes", "ordered"])
def test_a_prediction_of_classes_names_the_class_that_is_called(task: str) -> None:
    raw = np.array([[0.4, 0.2, 0.4], [0.1, 0.8, 0.1]], np.float32)
    known = {"g=a": [1, None], "g=b": [0, None], "g=c": [0, None]}
    columns = dict(
        ANSWERS[task].columns(list(known), known, Predictions(raw, np.empty((2, 0, 3), np.float32)))
    )
    assert columns["label"] == ["a", None]
    # Of the first, the likeliest is one end of the scale; the median is its middle.
    assert columns["predicted"] == (["a", "b"] if task == "classes" else ["b", "b"])
    assert columns["c raw"] == [0.4, 0.1]
    assert ANSWERS["number"].likeliest(raw[1]) == 0
