"""How often do the intervals of `orch model evaluate` hold the truth?

Patients with one to four images; half of the variance of a score is the patient's. For areas under the ROC curve, sensitivity and
predictive value over patients, prevalence and true value; for the metrics that resample patients, at fewer places. Goal: 93 to
97 %, where there is an interval at all, or a proof that it must be more. Run: python -m bench.coverage [--sets 2000] [--only NAME] [--small] [--keep FILE --minutes M]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import numpy as np

from bench.coverage_report import LEAVING_OUT, Cell, Found, Measure, Report, read_command
from storage.metrics import scorecard
from storage.metrics.calibration import Recalibration, describe_measure
from storage.metrics.curves import auc
from storage.metrics.intervals import Interval, auc_interval, share_interval
from storage.metrics.tables import Table, tabulate
from storage.practice.decisions import decision_curve
from storage.practice.prevalence import predictive_values
from storage.tasks.kinds import TASKS
from storage.tasks.number_metrics import MEASURES

PATIENTS, PREVALENCES, TRUTHS = (30, 60, 100, 200, 500), (0.05, 0.1, 0.2, 0.5), (0.6, 0.8, 0.9, 0.95, 0.995)
CLOSED = tuple(
    (p, q, 0.8) for p, q in ((30, 0.5), (60, 0.3), (100, 0.2), (200, 0.05), (200, 0.2), (500, 0.05))
)
SHARED, ALL_ALIKE = 0.5, 1.0
"""The part of the variance of a score that the images of a patient have in common, and what it can be at most."""
DRAWS = 1000
"""Of the patients, for one interval: as a user gets."""
CLOSED_ONES = ("specificity", "npv", "accuracy", "f1", "balanced_accuracy", "lr_positive", "lr_negative")
"""Metrics of the confusion table that need no drawing, besides those that are looked at in every cell."""
DISTORTED: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "slope": (0.5, Recalibration(2.0, 0.5).apply),
    "intercept": (-0.5, Recalibration(1.0, 0.5).apply),
    "observed_expected": (1.25, lambda probabilities: probabilities / 1.25),
}
"""What each would be of all images, and how right probabilities are distorted to that end."""
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> int:
    """Print a table for each kind of interval, and whether the goal is reached; the exit code is 1 where it is not, 3 where it is not finished."""
    report, sets, small = read_command(__doc__.splitlines()[0], sets=2000)
    cells = [(p, q, t) for p in PATIENTS for q in PREVALENCES for t in TRUTHS]
    report_labels(report, cells[:: len(cells) // 4] if small else cells, sets, small=small)
    spreads = [(patients, noise) for patients in (30, 60, 200) for noise in (0.3, 1.0)]
    for name in MEASURES:
        report.add(
            name,
            spreads[:1] if small else spreads,
            partial(of_numbers, name),
            max(20, sets // 2),
            columns="patients, error in deviations of the truth",
            wide=LEAVING_OUT,
        )
    return report.conclude()


def report_labels(report: Report, cells: list[Cell], sets: int, *, small: bool) -> None:
    """The intervals of metrics of labels."""
    places: Sequence[Cell] = ((100, 0.3, 0.8),) if small else CLOSED
    measures: dict[str, tuple[Sequence[Cell], Measure, int]] = {
        "auc": (cells, of_area, sets),
        "sensitivity": (cells, of_sensitivity, sets),
        "ppv": (cells, of_predictive_value, sets),
    }
    for name in CLOSED_ONES:
        measures[name] = (places, partial(of_closed, name), sets)
    for name in ("ppv", "npv"):
        measures[f"{name} elsewhere"] = (places, partial(of_elsewhere, name), sets)
    measures["mcc"] = (places, of_correlation, sets // 2)
    for name in ("net_benefit", "gain"):
        measures[name] = (places, partial(of_decisions, name), sets // 2)
    for name in ("brier", "pr_auc"):
        more = places if small else (*places, (60, 0.3, 0.95), (200, 0.3, 0.95))
        measures[name] = (more, partial(of_resampled, name), sets // 2)
    for name, (where, measure, count) in measures.items():
        report.add(name, where, measure, count, partial(measure, shared=ALL_ALIKE))
    for name in DISTORTED:
        report.add(f"calibration {name}", places, partial(of_calibration, name), sets // 2, wide=LEAVING_OUT)


def of_area(patients: int, prevalence: float, truth: float, sets: int, shared: float = SHARED) -> Found:
    """Intervals of the area under the ROC curve of two normals."""
    generator, apart = np.random.default_rng(1), NormalDist().inv_cdf(truth) * np.sqrt(2)
    return [
        (auc_interval(labels, scores, groups), truth, float(auc(labels, scores)))
        for groups, labels, scores in (
            draw(generator, patients, prevalence, apart, shared) for _ in range(sets)
        )
    ]


def of_sensitivity(
    patients: int, prevalence: float, truth: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals of the share of positive images above a threshold."""
    generator, apart = np.random.default_rng(2), NormalDist().inv_cdf(truth)
    return [
        judge_share(*count_by_patient(groups, scores > 0, labels == 1), truth)
        for groups, labels, scores in (
            draw(generator, patients, prevalence, apart, shared) for _ in range(sets)
        )
    ]


def of_predictive_value(
    patients: int, prevalence: float, truth: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals of the share of positives among the images above a threshold; the sensitivity is .8."""
    normal, generator = NormalDist(), np.random.default_rng(3)
    alarms = 0.8 * prevalence / (1 - prevalence) * (1 - truth) / truth
    if alarms >= 1:
        return []
    cut = normal.inv_cdf(1 - alarms)
    apart = cut + normal.inv_cdf(0.8)
    return [
        judge_share(*count_by_patient(groups, labels == 1, scores > cut), truth)
        for groups, labels, scores in (
            draw(generator, patients, prevalence, apart, shared) for _ in range(sets)
        )
    ]


def of_closed(
    name: str, patients: int, prevalence: float, right: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals made of shares, at a threshold where sensitivity and specificity are both `right`."""
    generator, cut = np.random.default_rng(8), NormalDist().inv_cdf(right)
    hits, alarms, rest = prevalence * right, (1 - prevalence) * (1 - right), (1 - prevalence) * right
    missed = prevalence - hits
    exact = float(getattr(Table(*map(np.array, (hits, alarms, missed, rest))), name))
    found = []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, 2 * cut, shared)
        given = scorecard.closed_intervals(labels, scores, scores > cut, groups, True, metrics=(name,))
        found.append((given[name], exact, float(getattr(tabulate(labels, scores, cut), name))))
    return found


def of_elsewhere(
    name: str, patients: int, prevalence: float, right: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals of predictive values where one in twenty is positive; sensitivity and specificity are `right`."""
    generator, cut = np.random.default_rng(9), NormalDist().inv_cdf(right)
    rare = {"ppv": 0.05, "npv": 0.95}[name]
    exact, found = rare * right / (rare * right + (1 - rare) * (1 - right)), []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, 2 * cut, shared)
        called, shares = scores > cut, []
        for positive in (1, 0):
            hits, totals = count_by_patient(groups, called == positive, labels == positive)
            shares.append((hits.sum() / max(totals.sum(), 1), share_interval(hits, totals)))
        found.append(read_metric(predictive_values(shares[0], shares[1], 0.05)[name], exact))
    return found


def of_correlation(
    patients: int, prevalence: float, right: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals of Matthews' correlation where sensitivity and specificity are both `right`."""
    hits, alarms = prevalence * right, (1 - prevalence) * (1 - right)
    shares = (hits, alarms, prevalence - hits, 1 - prevalence - alarms)
    exact = float(Table(*map(np.array, shares)).mcc)
    generator, cut, found = np.random.default_rng(10), NormalDist().inv_cdf(right), []
    for place in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, 2 * cut, shared)
        card = scorecard.score(
            ["a"], labels[:, None], scores[:, None], groups,
            thresholds=[cut], resamples=DRAWS, seed=place, metrics=("mcc",),
        )  # fmt: skip
        found.append(read_metric(card["labels"]["a"]["metrics"]["mcc"], exact))
    return found


def of_calibration(name: str, patients: int, prevalence: float, truth: float, sets: int) -> Found:
    """Intervals of slope, intercept and observed / expected of probabilities distorted so that these are known."""
    generator, apart = np.random.default_rng(11), NormalDist().inv_cdf(truth) * np.sqrt(2)
    exact, distort = DISTORTED[name]
    found = []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart)
        probabilities = distort(squash(scores, prevalence, apart))
        said = describe_measure(name, labels, probabilities, groups)
        found.append(read_metric(said, exact))
    return found


def of_decisions(
    name: str, patients: int, prevalence: float, truth: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals of the net benefit of right probabilities at 1.5 times the prevalence, and of the gain over acting on all at half of it."""
    generator, apart = np.random.default_rng(12), NormalDist().inv_cdf(truth) * np.sqrt(2)
    normal, threshold = NormalDist(), prevalence * {"net_benefit": 1.5, "gain": 0.5}[name]
    odds = threshold / (1 - threshold)
    # The score that means this probability.
    cut = (apart**2 / 2 + np.log(odds * (1 - prevalence) / prevalence)) / apart
    exact = prevalence * normal.cdf(apart - cut) - (1 - prevalence) * normal.cdf(-cut) * odds
    if name == "gain":
        exact -= prevalence - (1 - prevalence) * odds
    found = []
    for place in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart, shared)
        probabilities = squash(scores, prevalence, apart)
        [row] = decision_curve(
            labels, probabilities, groups, thresholds=[threshold], resamples=DRAWS, seed=place
        )
        found.append(read_metric(row[name], exact))
    return found


def of_resampled(
    name: str, patients: int, prevalence: float, truth: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals of the Brier score and of PR-AUC; the truth is the metric of 200,000 images."""
    generator, apart = np.random.default_rng(4), NormalDist().inv_cdf(truth) * np.sqrt(2)
    measure: Callable[..., np.ndarray] = {**scorecard.RANKED, **scorecard.PROBABILITY}[name]
    _, labels, scores = draw(generator, 80_000, prevalence, apart, shared)
    exact, found = float(measure(labels, squash(scores, prevalence, apart))), []
    for place in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart, shared)
        probabilities = squash(scores, prevalence, apart)[:, None]
        card = scorecard.score(
            ["a"],
            labels[:, None],
            probabilities,
            groups,
            thresholds=[0.5],
            resamples=DRAWS,
            seed=place,
            metrics=(name,),
        )
        metric = card["labels"]["a"]["metrics"][name]
        found.append(read_metric(metric, exact))
    return found


def of_numbers(name: str, patients: int, noise: float, sets: int) -> Found:
    """Intervals of a metric of numbers: the truth of a patient is standard normal, and half of the error is the patient's own."""
    _, truth, guess = draw_numbers(np.random.default_rng(5), 80_000, noise)
    exact = float(MEASURES[name](truth, guess, np.ones(len(truth))))
    cards = score_numbers(patients, noise, sets)
    return [read_metric(card["labels"]["a"]["metrics"][name], exact) for card in cards]


@cache
def score_numbers(patients: int, noise: float, sets: int) -> list[dict[str, Any]]:
    """What is said of numbers in each data set."""
    generator, cards = np.random.default_rng(7), []
    for place in range(sets):
        groups, truth, guess = draw_numbers(generator, patients, noise)
        cards.append(TASKS["number"].card(["a"], truth[:, None], guess[:, None], groups, seed=place))
    return cards


def read_metric(metric: dict[str, Any], exact: float) -> tuple[Interval, float, float]:
    """The interval of a metric as a card has it, the truth and the value; of a value that is undefined there is no interval, and no note either."""
    undefined = "undefined" if np.isnan(metric["low"]) else ""
    interval = Interval(metric["low"], metric["high"], metric.get("note", undefined))
    return interval, exact, metric["value"]


def judge_share(hits: np.ndarray, totals: np.ndarray, truth: float) -> tuple[Interval, float, float]:
    """The interval of a share, the truth and the share."""
    return share_interval(hits, totals), truth, float(hits.sum() / max(totals.sum(), 1))


def draw_numbers(generator: np.random.Generator, patients: int, noise: float) -> Drawn:
    """Groups, truths and guesses of the images of patients; `noise` is the standard deviation of the error."""
    groups = np.repeat(np.arange(patients), generator.integers(1, 5, patients))
    truth = generator.standard_normal(patients)[groups] + 0.3 * generator.standard_normal(len(groups))
    shared = np.sqrt(SHARED) * generator.standard_normal(patients)[groups]
    error = noise * (shared + np.sqrt(1 - SHARED) * generator.standard_normal(len(groups)))
    return groups, truth, truth + error


def draw_grades(generator: np.random.Generator, patients: int, noise: float) -> Drawn:
    """Groups, grades as columns of 0 and 1, and probabilities that fall with the distance of a grade from the guess."""
    groups, truth, guess = draw_numbers(generator, patients, noise)
    cuts = np.array([-0.7, 0.0, 0.7])
    below = 1 / (1 + np.exp(-2 * (cuts - guess[:, None]) / noise))
    edges = np.concatenate([np.zeros((len(guess), 1)), below, np.ones((len(guess), 1))], axis=1)
    return groups, np.eye(4)[np.searchsorted(cuts, truth)], np.diff(edges, axis=1)


def draw(
    generator: np.random.Generator, patients: int, prevalence: float, apart: float, shared: float = SHARED
) -> Drawn:
    """Groups, labels and scores of the images of patients; positives lie `apart` standard deviations higher."""
    groups = np.repeat(np.arange(patients), generator.integers(1, 5, patients))
    labels = (generator.random(patients) < prevalence)[groups].astype(np.float64)
    noise = np.sqrt(shared) * generator.standard_normal(patients)[groups]
    noise += np.sqrt(1 - shared) * generator.standard_normal(len(groups))
    return groups, labels, noise + apart * labels


def squash(scores: np.ndarray, prevalence: float, apart: float) -> np.ndarray:
    """The probability of being positive that a score of two normals means."""
    logits = apart * scores - apart**2 / 2 + np.log(prevalence / (1 - prevalence))
    return 1 / (1 + np.exp(-logits))


def count_by_patient(
    groups: np.ndarray, hits: np.ndarray, among: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Images of each patient that count as a success, and that count."""
    return np.bincount(groups, hits & among), np.bincount(groups, among)


if __name__ == "__main__":
    sys.exit(main())
