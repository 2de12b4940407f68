"""Figures of what an evaluation of a final model showed, from the document that the study keeps."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboards.figures.drawing import entry
from dashboards.figures.evaluated import draw_evaluation
from dashboards.figures.practice import draw_decisions
from orchestrator.models.scores import describe_curves
from storage.files.documents import without_nan
from storage.metrics.objectives import AUC
from storage.practice.review import review
from storage.results.evaluations import Evaluation, EvaluationKind, headline, keep_shareable
from storage.tasks.kinds import TASKS


def judge(task: str, names: tuple[str, ...], labels: np.ndarray, values: np.ndarray) -> Evaluation:
    """The evaluation that a database would hand back."""
    kind, groups = TASKS[task], np.arange(len(labels)) // 2
    thresholds = [0.5] * len(names)
    scored = kind.card(names, labels, values, groups, thresholds=thresholds, resamples=20)
    document: dict[str, Any] = {
        "results": {"raw": scored},
        "curves": describe_curves(kind, names, labels, values, groups),
        "practice": review(names, labels, values, groups, thresholds, scored, resamples=20)
        if kind.is_called
        else {},
    }
    kept = json.loads(json.dumps(without_nan(keep_shareable(document))))
    return Evaluation(
        EvaluationKind.HOLD_OUT, 0.0, "someone", "0", None, "a" * 64, "sha256:" + "1" * 64, kept
    )


def make(task: str, targets: int) -> Evaluation:
    """Labels of `targets` columns, and values that know them a little."""
    chance = np.random.default_rng(targets)
    if task == "classes":
        classes = chance.integers(0, targets, 120)
        labels = np.eye(targets)[classes]
        values = 0.5 * labels + chance.dirichlet(np.ones(targets), 120) * 0.5
    else:
        labels = chance.integers(0, 2, (120, targets)).astype(float)
        values = np.clip(0.4 * labels + 0.6 * chance.random(labels.shape), 0, 1)
        labels[:10] = np.nan
    if task == "number":
        return judge(task, ("age",), labels[:, :1] * 40 + 3, values[:, :1] * 40)
    return judge(task, tuple(f"x={number}" for number in range(targets)), labels, values)


@pytest.mark.parametrize(
    ("task", "targets", "kinds"),
    [
        ("labels", 1, ["roc", "calibration", "decisions", "confusion"]),
        ("labels", 6, ["roc", "calibration", "decisions", "confusion"]),
        ("classes", 3, ["roc", "calibration", "confusion"]),
        ("number", 1, []),
    ],
)
def test_each_kind_of_label_is_drawn_from_what_is_kept(task: str, targets: int, kinds: list[str]) -> None:
    evaluation = make(task, targets)
    pictures = draw_evaluation("first", evaluation)
    assert [one.name for one in pictures] == [f"holdout-{kind}" for kind in kinds]
    for one in pictures:
        go.Figure(one.figure)
        json.dumps(one.figure, allow_nan=False)
        assert one.title.startswith("first: ")
        assert one.title.endswith(", hold-out")
        assert one.caption.endswith(".")
        assert one.table.rows
    if task == "labels":
        _, *lines = pictures[0].figure["data"]
        # One label has its band and its interval; the mean of six has an interval and no band, which the caption says.
        assert [("fill" in one) for one in lines] == ([True, False] if targets == 1 else [False])
        assert " to " in lines[-1]["name"]
        assert ("no band" in pictures[0].caption) == (targets == 6)
        # A figure that has only some of the labels says so.
        drawn = {line["name"].partition(":")[0] for line in pictures[2].figure["data"] if "name" in line}
        assert len(drawn) == min(targets, 4)
        assert ("the first 4 of 6 labels" in pictures[2].caption) == (targets == 6)


def test_decision_curves_are_as_high_as_those_that_are_drawn_and_say_which_were_computed() -> None:
    def curve(benefit: float) -> dict[str, Any]:
        ends = {"low": benefit, "high": benefit}
        row = {"threshold": 0.5, "act_on_all": 0.0, "net_benefit": {"value": benefit, **ends}}
        return {"decision_curve": [row | {"gain": row["net_benefit"]}]}

    few = {f"x{number}": curve(0.1) for number in range(4)}
    picture = draw_decisions({**few, "last": curve(0.9)})
    assert picture.figure["layout"]["yaxis"]["range"][1] == pytest.approx(0.11)
    assert "the first 4 of 5 labels" in picture.caption
    assert "the first 4 of 18 labels" in draw_decisions(few, 18).caption
    assert "first" not in draw_decisions(few, 4).caption


def test_a_legend_in_a_figure_is_broken_before_an_interval_not_within() -> None:
    assert entry("edema", "AUC 0.812 (0.764 to 0.855)") == "edema: AUC 0.812 (0.764 to 0.855)"
    assert (
        entry("pleural thickening", "AUC 0.812 (0.764 to 0.855)")
        == "pleural thickening: AUC 0.812<br>(0.764 to 0.855)"
    )
    said = entry("x" * 50, "AUC 0.933 (no interval: fewer than 5 patients count for it)")
    assert max(map(len, said.split("<br>"))) <= 36


def test_an_evaluation_of_before_the_band_is_drawn_without_it() -> None:
    evaluation = make("labels", 1)
    del evaluation.document["curves"]["x=0"]["roc"]["band"]
    pictures = {one.name: one for one in draw_evaluation("first", evaluation)}
    assert not any("fill" in one for one in pictures["holdout-roc"].figure["data"])


def test_one_label_has_one_interval_wherever_it_is_said() -> None:
    evaluation = make("labels", 1)
    name, value = headline(evaluation.document, AUC)
    [row] = evaluation.document["results"]["raw"]["labels"].values()
    assert (name, value) == ("AUC", row["metrics"]["auc"])
    several = make("labels", 2).document
    assert headline(several, AUC)[1] == several["results"]["raw"]["macro"]["metrics"]["auc"]
