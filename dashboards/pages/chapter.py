"""What a page says of one study: everything that was read of it, its answer, its measurements and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.figures.drawing import Picture
from dashboards.figures.evaluated import draw_evaluation
from dashboards.figures.gallery import draw_study
from dashboards.figures.practice import draw_decisions, draw_learning_curve
from dashboards.tables.answer import Line, answer
from dashboards.tables.examples import ShownExample
from dashboards.tables.outcomes import Outcomes
from dashboards.tables.performance import Performance, measure_outcomes, read_evaluation
from dashboards.tables.view import StudyView
from storage.results.evaluations import Evaluation, EvaluationKind


def tells(picture: Picture) -> bool:
    """Whether a figure says anything: none does of pruning that stopped no trial, or of a learning rate that stayed as it was."""
    if not picture.figure["data"]:
        return False
    last = [row[-1] for row in picture.table.rows]
    if picture.name == "pruning":
        return any(last)
    return picture.name != "learning-rate" or len(set(last)) > 1


@dataclass(frozen=True)
class Chapter:
    """What the report says of one study.

    Attributes:
        view: the study, read with its curves.
        outcomes: out-of-fold predictions of the best trial, where labels and predictions are at hand.
        spec_text: the spec as TOML.
        data_summary: counts of the data set by name, where it is at hand.
        selection: how sure the choice of the best is, as `storage.trust.selection.judge_selection` gives it.
        openings: of the hold-out of this data, oldest first: when, by whom and for what, one line each.
        evaluations: that the study remembers, oldest first.
        population: who the development patients are, as `storage.practice.population.describe_population` gives it.
        examples: images where the best trial was right and wrong out of fold; only where they were asked for.
        practice: decision curves of the best trial out of fold, as `storage.practice.review.review` gives them.
        learning_curve: of the best trial where one was planned, as `storage.trust.learning_curve.judge_learning_curve` gives it.
    """

    view: StudyView
    outcomes: Outcomes | None
    spec_text: str
    data_summary: Mapping[str, Any] | None = None
    selection: Mapping[str, Any] | None = None
    openings: Sequence[str] = ()
    evaluations: Sequence[Evaluation] = ()
    population: Mapping[str, Any] | None = None
    practice: Mapping[str, Any] | None = None
    learning_curve: Mapping[str, Any] | None = None
    examples: Sequence[ShownExample] = ()

    @property
    def answer(self) -> list[Line]:
        """The lines of the first screen."""
        has_holdout = None if self.data_summary is None else bool(self.data_summary.get("holdout"))
        return answer(
            self.view, self.selection, self.openings, self.evaluations, has_holdout=has_holdout
        )  # fmt: skip

    @property
    def judged(self) -> list[Evaluation]:
        """The evaluations of final models, of several on one set of images the first, the hold-out before data from elsewhere."""
        found: dict[tuple[str, str], Evaluation] = {}
        for one in self.evaluations:
            if one.kind != EvaluationKind.OUT_OF_FOLD:
                found.setdefault((one.kind, one.fingerprint), one)
        return sorted(found.values(), key=lambda one: one.kind != EvaluationKind.HOLD_OUT)

    def measure(self) -> list[Performance]:
        """The performance on every set of images that was judged."""
        found = [measure_outcomes(self.outcomes)] if self.outcomes is not None else []
        return found + [read_evaluation(one, self.judged) for one in self.judged]

    def draw(self) -> list[Picture]:
        """All its figures."""
        pictures = draw_study(self.view, self.outcomes, self.selection)
        if self.practice:
            labels = len(self.outcomes.targets) if self.outcomes else 0
            pictures.append(draw_decisions(self.practice, labels))
        if self.learning_curve:
            pictures.append(draw_learning_curve(self.learning_curve))
        for one in self.judged:
            pictures += draw_evaluation(self.view.study.name, one, self.judged)
        return pictures
