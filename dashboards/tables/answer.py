"""The first screen of a report: what was asked, the answer with its intervals, and the warnings that matter most."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from dashboards.tables.performance import say_estimate
from dashboards.tables.view import StudyView, fold_spread
from dashboards.tables.warnings import list_warnings
from storage.metrics.objectives import AUC, Metric
from storage.metrics.scorecard import find_small
from storage.results.evaluations import Evaluation, EvaluationKind, headline, headlines, main_results
from storage.states import StudyState
from storage.tasks.naming import say_targets
from storage.wording import name_few, say_count, say_instant, say_times, show_params

MOST_WARNINGS = 3
SEARCHES = {
    "random": "drawn at random",
    "grid": "of a grid",
    "qmc": "of a quasi-random sequence",
    "tpe": "chosen one after the other by TPE",
    "cmaes": "chosen one after the other by CMA-ES",
    "nsga2": "chosen by NSGA-II",
    "listed": "listed in the plan",
}


@dataclass(frozen=True)
class Line:
    """One line of the answer.

    Attributes:
        name: short and fit for an HTML id.
        what: which number this is.
        value: the number with its interval, or why there is none.
        remark: on what, when, by which model.
    """

    name: str
    what: str
    value: str
    remark: str = ""


def ask(view: StudyView) -> str:
    """What the study asked, in one sentence."""
    spec, facts = view.study.spec, view.study.facts
    targets = [str(name) for name in spec.data.targets or facts.get("targets") or ()]
    predicted = say_targets(spec.task, targets) if targets else "every label of the data set"
    searched = name_few((name.replace("_", " ") for name in view.searched), 6)
    patients = say_count(facts["groups"], "patient" if facts.get("grouped", True) else "group") if isinstance(facts.get("groups"), int) else "patients"  # fmt: skip
    images = f"{facts['images']:,} images" if isinstance(facts.get("images"), int) else "the images"
    way = SEARCHES.get(spec.sampler.name, f"by {spec.sampler.name}")
    model = "LeNet" if spec.model.kind == "lenet" else view.model.backbone_name if spec.model.kind == "transfer" else spec.model.kind  # fmt: skip
    return (
        f"Which of {say_count(view.counts.planned, 'configuration')} of {model} ({way}"
        f"{f'; varied: {searched}' if searched else ''}) predicts {predicted} best, by mean validation {view.metric.label} over "
        f"{spec.fold_words} of {images} of {patients}?"
    )


def answer(
    view: StudyView,
    selection: Mapping[str, Any] | None,
    openings: Sequence[str],
    evaluations: Sequence[Evaluation],
    *,
    has_holdout: bool | None,
) -> list[Line]:
    """The answer: the value corrected for the choice, the hold-out, data from elsewhere, and the configuration.

    Args:
        view: the study.
        selection: as `storage.trust.selection.judge_selection` gives it.
        openings: of the hold-out, one line each.
        evaluations: that the study remembers, oldest first.
        has_holdout: whether the data set has one; None where that is not known here.
    """
    best = view.best
    if best is None or best.value is None:
        return [
            Line(
                "corrected",
                f"Best mean validation {view.metric.label}",
                "none",
                "No trial is complete.",
            ),
            _hold_out(view, openings, evaluations, has_holdout),
            _external(view, evaluations),
        ]
    attempt = view.attempt_of.get(best.point)
    spread = fold_spread(attempt.fold_values) if attempt else None
    return [
        _corrected(view, selection),
        _hold_out(view, openings, evaluations, has_holdout),
        _external(view, evaluations),
        Line(
            "best",
            "Best trial, before correction",
            f"{_measured(view, best.value):.3f} (no interval: it was chosen for this value)",
            f"trial {best.trial_number}: {show_params(best.params)}"
            + (f"; SD over folds {spread:.3f}" if spread is not None else ""),
        ),
    ]


def _corrected(view: StudyView, selection: Mapping[str, Any] | None) -> Line:
    tried = view.counts.complete + view.counts.pruned
    what = f"Cross-validated {view.metric.label}"
    targets = view.study.spec.data.targets or view.study.facts.get("targets") or ()
    if not view.study.spec.task.has_probabilities and len(targets) > 1:
        what += f", mean of {len(targets)} numbers"
    what += ", corrected for having been chosen" if tried > 1 else ""
    how = {"repeats": "mean of repeats with new folds and seeds", "bootstrap": "bootstrap over patients", "simulation": "simulation of the study"}  # fmt: skip
    found = selection or {}
    remark = f"best of {say_count(tried, 'trial')}" if tried > 1 else "one trial"
    if found.get("corrected_value") is not None:
        ends = ("corrected_low", "corrected_high")[:: view.metric.sign]
        value, low, high = (_measured(view, found[name]) for name in ("corrected_value", *ends))
        estimate = {"value": value, "low": low, "high": high, "note": "too few folds"}
        return Line("corrected", what, say_estimate(estimate), f"{remark}; {how.get(found['correction'] or '', '')}".rstrip("; "))  # fmt: skip
    if (
        found.get("corrected_at_most") is not None
        and view.best is not None
        and found["corrected_at_most"] < (view.best.value or 0.0)
    ):
        return Line(
            "corrected",
            what,
            f"at {'most' if view.metric.sign > 0 else 'least'} {_measured(view, found['corrected_at_most']):.3f} (no interval: pruned trials cannot be corrected for)",
            f"{remark}; repeats of the best with new folds and seeds (--repeats) give an interval",
        )
    if tried > 1 and view.counts.pruned:
        reason = "pruned trials cannot be corrected for; repeats with new folds and seeds (--repeats) can"
    else:
        reason = found.get("correction_reason") or "too few trials or folds"
    return Line("corrected", what, "not known", f"{remark}; no correction: {reason}")


def _measured(view: StudyView, score: float | None) -> float | None:
    """A score of the search as it is measured, like the results beside it: an error, where its negative was maximised."""
    return None if score is None else view.metric.sign * score


def _hold_out(
    view: StudyView, openings: Sequence[str], evaluations: Sequence[Evaluation], has_holdout: bool | None
) -> Line:
    judged = [one for one in evaluations if one.kind == EvaluationKind.HOLD_OUT]
    times = max(len(openings), len(judged))
    if judged:
        name, value = _say_headline(judged[0], view.metric)
        opened = (
            f"opened {say_times(times)}"
            if times == 1
            else f"opened {say_times(times)}; this is the first result"
        )
        return Line("holdout", f"Hold-out {name}", value, f"{_judged(judged[0])}; {opened}")
    if openings:
        return Line(
            "holdout",
            "Hold-out",
            "no result of this study",
            f"the hold-out of this data was opened {say_times(times)}, for the model of another study, or without this database "
            "(then the file .evaluation.json beside the model has the result)",
        )
    if has_holdout is False:
        return Line("holdout", "Hold-out", "none", "The data set was imported without a hold-out.")
    return Line("holdout", "Hold-out", "not opened", "The final model has not been evaluated on it.")


def _external(view: StudyView, evaluations: Sequence[Evaluation]) -> Line:
    judged: dict[str, Evaluation] = {
        one.fingerprint: one for one in evaluations if one.kind == EvaluationKind.EXTERNAL
    }
    if not judged:
        return Line("external", "External data", "none evaluated", "No images from elsewhere were judged.")
    parts = [(_say_headline(one, view.metric), one) for one in judged.values()]
    return Line(
        "external",
        f"External {parts[0][0][0]}",
        "; ".join(value for (_, value), _ in parts),
        "; ".join(_judged(one) for _, one in parts),
    )


def _say_headline(one: Evaluation, metric: Metric) -> tuple[str, str]:
    """What stands for an evaluation, and it with its interval; of several numbers that of each."""
    name, values = headlines(one.document, metric)
    if values:
        return name, "; ".join(f"{label} {say_estimate(value)}" for label, value in values)
    name, value = headline(one.document, metric)
    return name, say_estimate(value)


def _judged(one: Evaluation) -> str:
    data, model = one.document["data"], one.document.get("model") or {}
    return (
        f"{say_count(data['images'], 'image')} of {say_count(data['groups'], 'patient')}, {model.get('file', 'model')}, "
        f"{say_instant(one.evaluated_at, UTC)[:10]}"
    )


def compare_without_anatomy(view: StudyView, selection: Mapping[str, Any] | None) -> tuple[str, bool]:
    """What models score that see no anatomy, beside the corrected value; and whether that value fails to exceed them.

    A value of which only an upper bound is known may lie anywhere below it, and one whose interval reaches down to theirs may be no
    better. Empty where the study keeps no such scores or is not judged by AUC.
    """
    known = [one for one in view.study.facts.get("without_anatomy") or () if one.get("auc") is not None]
    if not known or view.metric.name != AUC.name:
        return "", False
    highest = max(float(one["auc"]) for one in known)
    said = "; ".join(f"{one['predictor']} {one['auc']:.3f}" for one in known)
    said = f"Models that see no anatomy score on the same folds: {said} (mean AUC over the folds; no interval was computed)"
    found = selection or {}
    value, most, low = (found.get(f"corrected_{name}") for name in ("value", "at_most", "low"))
    if value is None and most is None:
        return f"{said}. A model must exceed {highest:.3f} before one may say that it reads anatomy", False
    shown = f"The corrected value, {f'at most {most:.3f}' if value is None else f'{value:.3f}'},"
    if (value if value is not None else most or 0.0) <= highest:
        return (
            f"{said}. {shown} does not exceed them, so the study does not show that the model reads anatomy",
            True,
        )
    if value is None:
        return (
            f"{said}. {shown} may or may not exceed them, because pruned trials cannot be corrected for",
            False,
        )
    if low is not None and low <= highest:
        return (
            f"{said}. {shown} exceeds them, but its 95 % interval begins at {low:.3f}: it may be no better",
            False,
        )
    return f"{said}. {shown} exceeds them", False


RANKS = (
    r"^No trial is complete",
    r"^Accepted when the study was created: ",
    r"hold-out was opened|sealed in the hold-out|^possible-holdout-duplicates: ",
    r"No group column|names no groups|^(patients-unknown|possible-duplicates|groups-carry-label): ",
    r"^Models that see no anatomy|^(target-known-without-pixels|target-confounds|trivial-pixels|metadata-baseline|pixel-ranges): ",
    r"is not finished: |was stopped: ",
    r"trials failed",
    r"(only|fewer than) \d+ patients|is small: |cannot score|^(single-class-folds|images-not-seen): ",
    r"no value in an epoch|mirrors images",
    r"every label of the data set|^(copy-targets|complement-targets): ",
    r"is the last one: longer training",
    r"every one is blank|^blank-advised: ",
)
"""What matters most comes first: what makes a number wrong, then what makes it unsure, then what could be better.

A finding of `orch data audit` is known by its name, and what was accepted by how it begins; any other warning by its words.
"""
OF_FEW_PATIENTS = re.compile(r"patients \(groups\) .*(unreliable|relied on)")
SAID_ABOVE = "was selected by this very value"


def rank_warnings(
    view: StudyView,
    openings: Sequence[str],
    evaluations: Sequence[Evaluation],
    selection: Mapping[str, Any] | None = None,
) -> list[str]:
    """Every warning, those that matter most first; what the answer itself says is left to the end."""
    found = list(list_warnings(view))
    compared, is_doubt = compare_without_anatomy(view, selection)
    if is_doubt:
        found.append(f"{compared}.")
    if len(openings) > 1:
        found.append(
            f"The hold-out was opened {len(openings)} times: each evaluation after the first makes the estimate more optimistic."
        )
    for one in evaluations:
        found += [
            f"{one.title}: {warning}"
            for warning in _list_doubts(one.document)
            if one.kind != EvaluationKind.OUT_OF_FOLD
        ]
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=_rank)


def _list_doubts(document: Mapping[str, Any]) -> list[str]:
    """The warnings of an evaluation, those of labels with few patients together; earlier versions of orch kept a line for each label."""
    others = [
        str(one) for one in document.get("warnings", ()) if one and not OF_FEW_PATIENTS.search(str(one))
    ]
    return find_small(main_results(document).get("labels", {})) + others


def _rank(warning: str) -> int:
    if SAID_ABOVE in warning:
        return len(RANKS) + 1
    return next((place for place, words in enumerate(RANKS) if re.search(words, warning, re.IGNORECASE)), len(RANKS))  # fmt: skip


def describe_progress(view: StudyView) -> str:
    """How far the study is: "100 of 100 trials finished: 61 complete, 38 pruned, 1 failed"."""
    counts = view.counts
    settled = counts.complete + counts.pruned + counts.failed
    parts = [f"{number:,} {name}" for number, name in ((counts.complete, "complete"), (counts.pruned, "pruned"), (counts.failed, "failed"), (counts.running, "running"), (counts.open, "open")) if number]  # fmt: skip
    state = " (the study is stopped)" if view.study.state == StudyState.STOPPED else ""
    return f"{settled:,} of {counts.planned:,} trials finished: {', '.join(parts)}{state}"
