"""How well a study's models do on each set of images: out of fold, on the hold-out, on data from elsewhere; with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboards.tables.outcomes import Outcomes
from dashboards.tables.view import Table
from storage.metrics import intervals
from storage.metrics.curves import auc
from storage.metrics.objectives import name_kind
from storage.metrics.scorecard import closed_intervals
from storage.metrics.tables import tabulate
from storage.results.evaluations import Evaluation, main_results, name_images
from storage.tasks.naming import shorten_names

RESAMPLES = 200
"""Of the patients, for what has no closed form: a page is written in seconds."""
THRESHOLD = 0.5
SHOWN = ("auc", "sensitivity", "specificity", "ppv", "npv", "mae", "rmse", "r2", "icc")
"""Metrics of a label in the table of results, in this order; the rest is in `orch study evaluate`."""
OVERALL = ("accuracy", "balanced_accuracy", "kappa", "quadratic_kappa", "grade_error")
"""Of all classes together."""
RUST = ("weighted_kappa", "icc", "mean_absolute_difference")
RUST_TITLE = "modified RUST score of each visit, predicted and true"
PLACES = 3


@dataclass(frozen=True)
class Performance:
    """What was measured on one set of images.

    Attributes:
        images_of: which images these are, for people.
        labels: by name: `assessed`, `positive` (of labels and classes), `threshold` (from which an image is called positive) and `metrics`,
            each {"value", "low", "high"}.
        overall: metrics of all classes together; empty where there are none.
    """

    images_of: str
    labels: Mapping[str, Mapping[str, Any]]
    overall: Mapping[str, Any]


def measure_outcomes(outcomes: Outcomes) -> Performance:
    """The performance out of fold, every image judged by the fold that did not train on it; predictions of all folds are pooled."""
    labels, values = outcomes.pooled
    groups = outcomes.groups if outcomes.groups is not None else np.arange(len(labels))
    name = "cross-validation (out of fold)"
    if not outcomes.task.is_called:
        scored = outcomes.task.card(
            outcomes.targets, labels, values, groups, thresholds=[], resamples=RESAMPLES
        )
        return read_scored(name, scored)
    rows = {}
    for place, target in enumerate(outcomes.targets):
        kept = ~np.isnan(labels[:, place])
        truth, guesses, patients = labels[kept, place], values[kept, place], groups[kept]
        table = tabulate(truth, guesses, THRESHOLD)
        found = closed_intervals(truth, guesses, guesses > THRESHOLD, patients, True, metrics=SHOWN)
        measured = {"auc": auc(truth, guesses)} | {
            kind: getattr(table, kind) for kind in SHOWN if hasattr(table, kind)
        }
        rows[target] = {
            "assessed": int(kept.sum()),
            "positive": int((truth == 1).sum()),
            "threshold": THRESHOLD,
            "metrics": {
                kind: {"value": float(value), **intervals.describe_ends(found[kind])}
                for kind, value in measured.items()
            },
        }
    return Performance(name, rows, {})


def read_evaluation(evaluation: Evaluation, others: Sequence[Evaluation] = ()) -> Performance:
    """What an evaluation that the study remembers says; `others` are those that stand beside it."""
    return read_scored(name_images(evaluation, others), main_results(evaluation.document))


def read_scored(name: str, scored: Mapping[str, Any]) -> Performance:
    """The same of any scorecard."""
    return Performance(name, scored.get("labels", {}), scored.get("overall", {}).get("metrics", {}))


def tabulate_performance(found: Sequence[Performance]) -> Table:
    """One row for each label and set of images, equal labels together; every metric with its 95 % interval."""
    kinds = [
        kind
        for kind in SHOWN
        if any(kind in row["metrics"] for part in found for row in part.labels.values())
    ]
    has_counts = any("positive" in row for part in found for row in part.labels.values())
    has_thresholds = any("threshold" in row for part in found for row in part.labels.values())
    has_limits = any("limits_of_agreement" in row for part in found for row in part.labels.values())
    names = list(dict.fromkeys(name for part in found for name in part.labels))
    short = shorten_names(names)
    rows = [
        (
            short[name],
            part.images_of,
            _count(part.labels[name], has_counts),
            *([_say_threshold(part.labels[name].get("threshold"))] if has_thresholds else []),
            *(say_estimate(part.labels[name]["metrics"].get(kind)) for kind in kinds),
            *(_say_limits(part.labels[name].get("limits_of_agreement")) if has_limits else ()),
        )
        for name in names
        for part in found
        if name in part.labels
    ]
    counted = "positive / assessed" if has_counts else "assessed"
    thresholds = ["threshold"] if has_thresholds else []
    limits = ["bias", "limits of agreement"] if has_limits else []
    what = "number" if has_limits else "label"
    return Table((what, "judged on", counted, *thresholds, *map(name_kind, kinds), *limits), rows)


def tabulate_overall(found: Sequence[Performance]) -> Table | None:
    """Metrics of all classes together, a row for each set of images; None where no label excludes another."""
    kinds = [kind for kind in OVERALL if any(kind in part.overall for part in found)]
    if not kinds:
        return None
    rows = [(part.images_of, *(say_estimate(part.overall.get(kind)) for kind in kinds)) for part in found]
    return Table(("judged on", *map(name_kind, kinds)), rows)


def tabulate_subgroups(evaluations: Sequence[Evaluation]) -> Table | None:
    """The first two metrics within subgroups, of each set of images that was judged by them; None where none was."""
    rows: list[tuple[str, ...]] = []
    found = [
        row
        for one in evaluations
        for parts in one.document.get("subgroups", {}).values()
        for part in parts.values()
        for row in part.get("labels", {}).values()
    ]
    kinds = [kind for kind in SHOWN if any(kind in row["metrics"] for row in found)][:2]
    for one in evaluations:
        for column, parts in one.document.get("subgroups", {}).items():
            for value, part in parts.items():
                short = shorten_names([*part.get("labels", {})])
                for label, row in part.get("labels", {}).items():
                    metrics, gap = row["metrics"], (part.get("differences") or {}).get(label, {})
                    rows.append(
                        (
                            name_images(one, evaluations),
                            f"{column} = {value}",
                            f"{part['images']:,} / {part['groups']:,}",
                            short[label],
                            *(say_estimate(metrics.get(kind)) for kind in kinds),
                            say_estimate(gap.get("auc")),
                            _say_p(gap.get("sensitivity", {}).get("p_holm")),
                        )
                    )
    columns = ("judged on", "subgroup", "images / patients", "label", *map(name_kind, kinds), "AUC less all others", "p (Holm), sensitivity")  # fmt: skip
    # Of classes and numbers no differences are tested.
    said = [place for place in range(len(columns)) if place < 4 or any(row[place] != "-" for row in rows)]
    return Table(tuple(columns[place] for place in said), [tuple(row[place] for place in said) for row in rows]) if rows else None  # fmt: skip


def tabulate_rust(evaluations: Sequence[Evaluation]) -> Table | None:
    """How well the modified RUST score of each visit agrees with the true one; None where no evaluation was asked for it."""
    rows = []
    for one in evaluations:
        rust = one.document.get("rust")
        if rust:
            agreement = (say_estimate(rust["agreement"].get(kind)) for kind in RUST)
            rows.append(
                (name_images(one, evaluations), f"{rust['compared']:,} of {rust['visits']:,}", *agreement)
            )
    return (
        Table(("judged on", "visits with a score", *(kind.replace("_", " ") for kind in RUST)), rows)
        if rows
        else None
    )


def has_tested_subgroups(evaluations: Sequence[Evaluation]) -> bool:
    """Whether any subgroup was tested against the others."""
    return any(
        gap.get("sensitivity", {}).get("p_holm") is not None
        for one in evaluations
        for parts in (one.document.get("subgroups") or {}).values()
        for part in parts.values()
        for gap in (part.get("differences") or {}).values()
    )


def say_estimate(metric: Mapping[str, Any] | None, places: int = PLACES) -> str:
    """A value with its interval, or why it has none: "0.812 (0.764 to 0.855)"; a dash for what is undefined."""
    value = _known(metric, "value")
    if value is None:
        return "-"
    low, high = _known(metric, "low"), _known(metric, "high")
    if low is not None and high is not None:
        return f"{value:.{places}f} ({low:.{places}f} to {high:.{places}f})"
    note = str((metric or {}).get("note") or "no interval").removeprefix("no interval: ")
    return f"{value:.{places}f} ({'no interval' if note == 'no interval' else f'no interval: {note}'})"


def _say_limits(limits: Mapping[str, Any] | None) -> tuple[str, str]:
    """The mean difference with its interval, and between which ends 95 % of the differences lie (Bland and Altman 1986)."""
    ends = [_known((limits or {}).get(f"{end}_limit"), "value") for end in ("lower", "upper")]
    said = "-" if None in ends else f"{ends[0]:.{PLACES}f} to {ends[1]:.{PLACES}f}"
    return say_estimate((limits or {}).get("bias")), said


def _known(metric: Mapping[str, Any] | None, key: str) -> float | None:
    value = (metric or {}).get(key)
    return None if value is None or value != value else float(value)


def _say_p(value: float | None) -> str:
    if value is None or value != value:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _say_threshold(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3g}"


def _count(row: Mapping[str, Any], has_counts: bool) -> str:
    assessed = row.get("assessed", row.get("images"))
    if not has_counts or "positive" not in row:
        return "-" if assessed is None else f"{assessed:,}"
    return f"{row['positive']:,} / {assessed:,}" if assessed is not None else f"{row['positive']:,}"
