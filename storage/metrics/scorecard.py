"""Every metric of every label, macro and micro, with intervals. Plain data for any front end."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics import intervals
from storage.metrics.bootstrap import (
    LOGIT,
    SHARE,
    corrected_interval,
    correlate,
    draw_counts,
    jackknife_interval,
    leave_out,
    mean_interval,
)
from storage.metrics.calibration import brier_score, calibration_error, describe_calibration
from storage.metrics.curves import Array, auc, average_precision, count_once
from storage.metrics.intervals import LEVEL, Interval, describe_ends
from storage.metrics.objectives import MEDICAL, TRAINED
from storage.metrics.tables import Table, tabulate
from storage.wording import name_few, say_count

RANKED = {"auc": auc, "pr_auc": average_precision}
CUT = tuple(kind for kind in (*MEDICAL, *TRAINED) if hasattr(Table, kind))
"""What is read off the confusion table."""
PROBABILITY = {"brier": brier_score, "calibration_error": calibration_error}
METRICS = (*RANKED, *CUT, *PROBABILITY)
JOINED = ("auc", "sensitivity", "specificity", "ppv", "npv", "accuracy", "f1")
"""Shares and areas, whose mean over labels has its interval from those of the labels; see `mean_interval`."""
RATIOS = ("lr_positive", "lr_negative")
"""Ratios of two shares: their mean over labels has no interval, as one joined from those of the labels held the truth in 91 to 96 %."""
SCALES = {"pr_auc": LOGIT, "brier": SHARE}
"""What has the interval of the jackknife, for each label as for the mean over labels, and on which scale."""
DRAWN = ("mcc",)
"""Metrics whose interval draws patients: of each label, or of the mean over labels."""

FEWEST_GROUPS = 10
"""With fewer groups (patients) of a class, resampling them says little about other patients of that class."""

SIDES = {"positive_groups": "positive", "negative_groups": "negative", "assessed_groups": "assessed"}
"""Counts of patients in the row of a label, and what these patients are; a number has the last alone."""
MOST_NAMED = 20
"""Labels that a warning names; the table of results has all."""

WITHOUT_NEGATIVES, WITHOUT_POSITIVES = ("pr_auc", "ppv"), ("npv",)
"""Metrics that are 1, whatever the model says, where no assessed image is negative, or none is positive."""
MEAN_OF_TRIVIAL = (
    "for {count} of {labels} labels it is 1 whatever the model says, as all their assessed images are alike"
)
ONE_CLASS = "all assessed images are {side}, so that it is 1 whatever the model says"


def score(
    targets: Sequence[str],
    labels: NDArray,
    probabilities: NDArray,
    groups: NDArray,
    *,
    thresholds: Sequence[float],
    resamples: int = 1000,
    seed: int = 0,
    metrics: Sequence[str] = METRICS,
) -> dict[str, Any]:
    """Score predictions.

    Args:
        targets: names of the labels, length t.
        labels: shape (n, t); 0, 1 or NaN (not assessed).
        probabilities: shape (n, t).
        groups: shape (n,): the patient of each image; resampled as a whole.
        thresholds: length t; a NaN one leaves undefined what needs it.
        resamples: for the intervals without a closed form; 0 for no intervals at all.
        seed: of the resamples.
        metrics: which of `METRICS`.

    Returns:
        A document: counts, `labels` by name, `macro` (mean over the labels where it is defined), `micro` (all assessed
        entries together) and `warnings`; a metric is {"value", "low", "high"}, NaN where undefined, and "note" says why an
        interval is missing where the value is not, or why a value is left out that would be trivial.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    values = _measure(labels, probabilities, thresholds, None, metrics)
    reasons = _leave_out_trivial(labels, values)
    found = (
        _find_intervals(labels, probabilities, groups, thresholds, values, resamples, seed)
        if resamples
        else {}
    )

    def describe(row: int) -> dict[str, dict[str, Any]]:
        return {
            name: {
                "value": float(values[name][row]),
                **describe_ends(found[name][row] if found else None),
                **({"note": reasons[name, row]} if (name, row) in reasons else {}),
            }
            for name in metrics
        }

    rows = [
        _describe_label(labels[:, place], probabilities[:, place], groups, thresholds[place])
        for place in range(len(targets))
    ]
    return {
        "images": len(labels),
        "groups": len(np.unique(groups)),
        "level": LEVEL,
        "resamples": resamples,
        "labels": {
            name: {
                **row,
                "metrics": describe(place),
                **(
                    {
                        "calibration": describe_calibration(
                            labels[:, place], probabilities[:, place], groups, with_intervals=resamples > 0
                        )
                    }
                    if "calibration_error" in metrics
                    else {}
                ),
            }
            for place, (name, row) in enumerate(zip(targets, rows, strict=True))
        },
        "macro": {"metrics": describe(len(targets))},
        "micro": {"metrics": describe(len(targets) + 1)},
        "warnings": find_small(dict(zip(targets, rows, strict=True))),
    }


def _leave_out_trivial(labels: Array, values: dict[str, Array]) -> dict[tuple[str, int], str]:
    """Make those values undefined that say nothing of the model; returns why, by metric and row, and what the mean over labels counts of them.

    Args:
        labels: shape (n, t).
        values: of `_measure`; changed.
    """
    count = labels.shape[1]
    reasons = {}
    rows = [*labels.T, labels.ravel()]
    for row, column in enumerate(rows):
        place = row if row < count else count + 1
        for side, absent, names in (
            ("positive", 0, WITHOUT_NEGATIVES),
            ("negative", 1, WITHOUT_POSITIVES),
        ):
            known = column[~np.isnan(column)]
            if not len(known) or (known == absent).any():
                continue
            for name in names:
                if name in values and not np.isnan(values[name][place]):
                    values[name][place] = np.nan
                    reasons[name, place] = ONE_CLASS.format(side=side)
    for name in {name for name, place in reasons if place < count}:
        # The mean stays the one that was recorded while training.
        several = sum(one == name and place < count for one, place in reasons)
        reasons.setdefault((name, count), MEAN_OF_TRIVIAL.format(count=several, labels=count))
    return reasons


def _measure(
    labels: Array,
    probabilities: Array,
    thresholds: Sequence[float],
    counts: Array | None,
    metrics: Sequence[str],
) -> dict[str, Array]:
    """Each metric of every label, then their mean, then of all entries together: shape (t + 2, ..)."""
    assessed = ~np.isnan(labels)
    images, places = np.nonzero(assessed)
    weights = count_once(labels, counts)
    columns = [
        (labels[kept, place], probabilities[kept, place], weights[..., kept])
        for place, kept in enumerate(assessed.T)
    ]
    pooled = (labels[images, places], probabilities[images, places], weights[..., images])
    measured: dict[str, Array] = {}
    for name, measure in {**RANKED, **PROBABILITY}.items():
        if name in metrics:
            rows = [measure(*column) for column in columns]
            measured[name] = np.stack([*rows, _mean(rows), measure(*pooled)])
    if set(metrics) & set(CUT):
        tables = [
            tabulate(column[0], column[1], threshold, column[2])
            for column, threshold in zip(columns, thresholds, strict=True)
        ]
        together = sum(tables, Table.empty())
        for name in CUT:
            rows = [getattr(table, name) for table in tables]
            measured[name] = np.stack([*rows, _mean(rows), getattr(together, name)])
    return measured


def _mean(rows: Sequence[Array]) -> Array:
    with warnings.catch_warnings():
        # All labels undefined: the mean is undefined, too, and that is said by the NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(np.stack(rows), axis=0)


def _find_intervals(
    labels: Array,
    probabilities: Array,
    groups: NDArray,
    thresholds: Sequence[float],
    values: Mapping[str, Array],
    resamples: int,
    seed: int,
) -> dict[str, list[Interval]]:
    """An interval for each metric of every label, of their mean, and of all entries together: t + 2 each."""
    metrics = tuple(values)
    drawn_ones = tuple(name for name in metrics if name in DRAWN)

    def measure_all(draws: Iterable[Array], names: Sequence[str]) -> dict[str, Array]:
        parts = [_measure(labels, probabilities, thresholds, counts, names) for counts in draws]
        return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in names}

    drawn = measure_all(draw_counts(groups, resamples, seed), drawn_ones) if drawn_ones else {}
    left_out = measure_all(leave_out(groups), metrics)
    assessed = ~np.isnan(labels)
    images, places = np.nonzero(assessed)
    # The calls of all labels together count against each label's own threshold.
    above = probabilities > np.asarray(thresholds)
    known = ~np.isnan(np.asarray(thresholds)) & ~np.isnan(probabilities).any(axis=0)
    columns = [
        (labels[kept, place], probabilities[kept, place], above[kept, place], groups[kept], known[place])
        for place, kept in enumerate(assessed.T)
    ]
    together = (
        labels[images, places], probabilities[images, places], above[images, places], groups[images], known.all(),
    )  # fmt: skip
    closed = [closed_intervals(*column, metrics=metrics) for column in columns]
    means = _find_mean_intervals(values, left_out, closed)
    found: dict[str, list[Interval]] = {name: [] for name in metrics}
    for row, given in enumerate([*closed, means, closed_intervals(*together, metrics=metrics)]):
        for name in metrics:
            measured = [place for place in range(len(columns)) if not np.isnan(values[name][place])]
            if np.isnan(values[name][row]):
                interval = Interval.none("")
            elif given is means and len(measured) == 1 and values[name][measured[0]] == values[name][row]:
                # The mean of one label is that label: one number has one interval.
                interval = found[name][measured[0]]
            elif name == "calibration_error":
                interval = Interval.none(intervals.BIASED)
            elif name in given:
                interval = given[name]
            elif name in SCALES:
                interval = jackknife_interval(float(values[name][row]), left_out[name][row], SCALES[name])
            else:
                interval = corrected_interval(float(values[name][row]), drawn[name][row], left_out[name][row])
            found[name].append(interval)
    return found


def _find_mean_intervals(
    values: Mapping[str, Array], left_out: Mapping[str, Array], closed: Sequence[Mapping[str, Interval]]
) -> dict[str, Interval]:
    """The intervals of means over labels, of metrics that are shares or areas.

    Args:
        values: of `_measure`: labels, their mean, all together.
        left_out: the same without each patient, which is the last axis.
        closed: of each label.
    """
    count, unknown = len(closed), Interval.none(intervals.UNDEFINED)

    def join(name: str, among: NDArray) -> tuple[float, Interval, Array]:
        rows = np.where(among[:, None], left_out[name][:count], np.nan)
        # What is 1 whatever the model says counts in the mean, and does not vary.
        trivial = np.isnan(values[name][:count]) & ~np.isnan(rows).all(axis=1)
        parts = np.where(trivial, 1.0, np.where(among, values[name][:count], np.nan))
        ends = [
            Interval.none(intervals.ALL_EQUAL) if is_trivial else given.get(name, unknown)
            for is_trivial, given in zip(trivial, closed, strict=True)
        ]
        value, means = float(_mean(list(parts))), _mean(list(rows))
        return value, mean_interval(value, means, rows, parts, ends), means

    found = {name: join(name, np.ones(count, bool))[1] for name in JOINED if name in values}
    found |= {name: Interval.none(intervals.OF_LABELS) for name in RATIOS if name in values}
    if "sensitivity" in found:
        both = ~np.isnan(values["balanced_accuracy"][:count])
        parts = [join(name, both) for name in ("sensitivity", "specificity")]
        found["balanced_accuracy"] = intervals.difference_interval(
            ((parts[0][0], parts[0][1]), (parts[1][0], parts[1][1])),
            (0.5, 0.5),
            correlate(np.stack([parts[0][2], parts[1][2]]))[0, 1],
        )
    return found


def closed_intervals(
    labels: Array,
    probabilities: Array,
    called: NDArray,
    groups: NDArray,
    known: bool,
    *,
    metrics: Sequence[str],
) -> dict[str, Interval]:
    """The intervals that need no resampling: of areas, of shares, and of what is made of two of them."""
    found = {}
    if "auc" in metrics:
        found["auc"] = intervals.auc_interval(labels, probabilities, groups)
    if not known or not set(metrics) & set(CUT):
        return found
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    positive, right = labels == 1, called == (labels == 1)

    def share(hits: NDArray, among: NDArray) -> Interval:
        return intervals.share_interval(
            np.bincount(members, hits & among, count), np.bincount(members, among, count)
        )

    table = tabulate(labels, called.astype(np.float64))
    found |= {
        "sensitivity": share(right, positive),
        "specificity": share(right, ~positive),
        "ppv": share(right, called),
        "npv": share(right, ~called),
        "accuracy": share(right, np.ones(len(labels), bool)),
        # F1 is a rising function of a share: with J = TP / (TP + FP + FN), F1 = 2 J / (1 + J).
        "f1": intervals.map_interval(share(right, positive | called), lambda part: 2 * part / (1 + part)),
    }
    sides = [
        (float(value), found[name])
        for name, value in (("sensitivity", table.sensitivity), ("specificity", table.specificity))
    ]
    missed, alarms = ((1 - value, intervals.complement(interval)) for value, interval in sides)
    found["balanced_accuracy"] = intervals.difference_interval((sides[0], sides[1]), (0.5, 0.5))
    found["lr_positive"] = intervals.ratio_interval(sides[0], alarms)
    found["lr_negative"] = intervals.ratio_interval(missed, sides[1])
    return found


def _describe_label(labels: Array, probabilities: Array, groups: NDArray, threshold: float) -> dict[str, Any]:
    assessed = ~np.isnan(labels)
    table = tabulate(labels[assessed], probabilities[assessed], threshold)
    return {
        "assessed": int(assessed.sum()),
        "positive": int((labels == 1).sum()),
        "negative": int((labels == 0).sum()),
        "positive_groups": len(np.unique(groups[labels == 1])),
        "negative_groups": len(np.unique(groups[labels == 0])),
        "threshold": float(threshold),
        "table": {name: float(count) for name, count in vars(table).items()},
    }


def find_small(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What to know of labels with few patients: one sentence for each of `SIDES`, however many labels it concerns.

    Args:
        rows: of the scorecard of any kind of label, by name.
    """
    said = []
    for key, side in SIDES.items():
        few = {name: row[key] for name, row in rows.items() if row.get(key, FEWEST_GROUPS) < FEWEST_GROUPS}
        if len(few) == 1:
            [(name, count)] = few.items()
            said.append(
                f"{name}: only {say_count(count, 'patient (group) is', 'patients (groups) are')} {side}; its intervals are unreliable."
            )
        elif few:
            said.append(
                f"{len(few)} of {len(rows)} labels have fewer than {FEWEST_GROUPS} patients (groups) that are {side}, so their intervals are unreliable: "
                f"{name_few((f'{name} ({count})' for name, count in few.items()), MOST_NAMED)}."
            )
    return said
