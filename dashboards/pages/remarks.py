"""What a page says below its tables and images: how they were made, and how far they hold."""

from __future__ import annotations

from dashboards.pages.chapter import Chapter
from storage.metrics.intervals import ABOUT_INTERVALS
from storage.results.evaluations import EvaluationKind

OF_LABELS = (
    "An image is called positive above the threshold; sensitivity, specificity, PPV and NPV depend on it."
)
CALLS = {
    "labels": OF_LABELS,
    "two-classes": OF_LABELS,
    "classes": "The most probable class is called; the numbers of a class are those of it against all others.",
    "ordered": 'The median grade is called; the numbers are those of each cut between grades: "above mild" means a higher grade than mild.',
}
"""How an image is called, by the kind of label."""
RESULTS = {
    "classes": "Results per class",
    "ordered": "Results per grade",
    "number": "Results per number",
}
"""The heading of the results, by the kind of label; of any other it is that of the check lists."""
EACH = {
    "labels": "Each label",
    "two-classes": "The positive class",
    "classes": "Each class against all others",
    "ordered": "Each cut between grades",
    "number": "Each number",
}
"""What a row of the table of results is of, by the kind of label."""


def note_examples(chapter: Chapter) -> str:
    """How the images of a page were chosen, and what their colours mean."""
    has_probabilities = chapter.view.study.spec.task.has_probabilities
    which = (
        "on which the models of the folds were most confident"
        if has_probabilities
        else "with the smallest error and the largest errors"
    )
    said = (
        f"Development images of different patients {which}, judged out of fold; chosen by the numbers alone."
    )
    if any(one.heat is not None for one in chapter.examples):
        said += (
            " Colours: where the final model looks (Grad-CAM), from blue (nothing) to red (most). It was trained on these images, too. A heat map shows "
            "what moved the score, not whether it is a reason."
        )
    return said + " This page contains images of patients: share it accordingly."


def note_table_one(parts: int, chapter: Chapter) -> str:
    """What Table 1 counts; `parts` is how many columns of patients it has."""
    said = "Of several images of a patient the first one counts; values of fewer than 5 patients stand together as others."
    if parts > 1:
        said += (
            " SMD: standardised difference from development (above 0.1 is often called an imbalance); p: Welch's t-test of means, "
            "chi-squared test of shares."
        )
    held = (chapter.data_summary or {}).get("holdout")
    if held and not any(one.kind == EvaluationKind.HOLD_OUT for one in chapter.evaluations):
        said += " The hold-out is sealed, so its patients are not described here."
    return said


def note_performance(chapter: Chapter) -> str:
    """By which model each image was judged, and how an image is called."""
    said = []
    if chapter.outcomes is not None:
        said.append(
            "Out of fold: each image is judged by the model of the fold that did not train on it, and the folds' predictions are pooled; "
            "the best trial was chosen on these images, so these values are optimistic."
        )
        said += [CALLS[name] for name in CALLS if name == chapter.view.study.spec.task.name]
    if any(one.kind != EvaluationKind.OUT_OF_FOLD for one in chapter.evaluations):
        said.append("Hold-out and external results are those of the final model.")  # fmt: skip
    return " ".join([*said, ABOUT_INTERVALS])
