"""How often do the intervals of `orch model evaluate` hold the truth?

Patients with one to four images; half of the variance of a score is the patient's. For areas under the ROC curve, sensitivity and
predictive value over patients, prevalence and true value; for the metrics that resample patients, at fewer places. Goal: 93 to
97 %, where there is an interval at all, or a proof that it must be more. Run: python -m bench.coverage [--sets 2000] [--small]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import numpy as np

from bench.coverage_report import LEAVING_OUT, WIDE, Cell, Found, Tally, conclude, report
from storage.metrics import scorecard
from storage.metrics.calibration import Recalibration, describe_measure
from storage.metrics.curves import auc
from storage.metrics.intervals import Interval, auc_interval, share_interval
from storage.metrics.objectives import METRICS
from storage.metrics.tables import Table, tabulate
from storage.practice.decisions import decision_curve
from storage.practice.prevalence import predictive_values
from storage.tasks.kinds import TASKS
from storage.tasks.number_metrics import MEASURES, SCALES
from storage.tasks.resampled import measure_with_intervals

PATIENTS, PREVALENCES, TRUTHS = (30, 60, 100, 200, 500), (0.05, 0.1, 0.2, 0.5), (0.6, 0.8, 0.9, 0.95, 0.995)
CLOSED = tuple(
    (p, q, 0.8) for p, q in ((30, 0.5), (60, 0.3), (100, 0.2), (200, 0.05), (200, 0.2), (500, 0.05))
)
SHARED, ALL_ALIKE = 0.5, 1.0
"""The part of the variance of a score that the images of a patient have in common, and what it can be at most."""
DRAWS = 400
"""Of the patients, for one interval: fewer than the 1000 that a user gets, for the sake of time."""
READ_OFF = ("lr_positive", "lr_negative", "mcc")
DISTORTED: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "slope": (0.5, Recalibration(2.0, 0.5).apply),
    "intercept": (-0.5, Recalibration(1.0, 0.5).apply),
    "observed_expected": (1.25, lambda probabilities: probabilities / 1.25),
}
"""What each would be of all images, and how right probabilities are distorted to that end."""
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> int:
    """Print a table for each kind of interval, and whether the goal is reached; the exit code is 1 where it is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000, help="data sets a cell")
    parser.add_argument("--kinds", action="store_true", help="only the metrics of numbers and grades")
    parser.add_argument("--small", action="store_true", help="few cells and sets, to see that it runs")
    chosen = parser.parse_args()
    sets = 40 if chosen.small else chosen.sets
    cells = [(p, q, t) for p in PATIENTS for q in PREVALENCES for t in TRUTHS]
    if chosen.small:
        cells = cells[:: len(cells) // 4]
    few = max(20, sets // 2)
    tallies: dict[str, Tally] = {}
    if not chosen.kinds:
        tallies |= report_labels(cells, sets, few, small=chosen.small)
    spreads = [(patients, noise) for patients in (30, 60, 200) for noise in (0.3, 1.0)]
    if chosen.small:
        spreads = spreads[:1]
    of_kinds = dict.fromkeys(MEASURES, of_numbers) | dict.fromkeys(
        ("val_kappa", "val_quadratic_kappa"), of_grades
    )
    for name, measure in of_kinds.items():
        tallies[name] = report(
            name,
            spreads,
            partial(measure, name),
            few,
            columns="patients, error in deviations of the truth",
            wide=LEAVING_OUT if name in SCALES else WIDE,
        )
    return conclude(tallies)


def report_labels(cells: list[Cell], sets: int, few: int, *, small: bool) -> dict[str, Tally]:
    """The intervals of metrics of labels."""
    found = {
        name: report(name, cells, measure, sets, partial(measure, shared=ALL_ALIKE))
        for name, measure in (
            ("auc", of_area), ("sensitivity", of_sensitivity), ("ppv", of_predictive_value),
        )
    }  # fmt: skip
    places: Sequence[Cell] = ((100, 0.3, 0.8),) if small else CLOSED
    for name in ("specificity", "npv", "accuracy", "f1", "balanced_accuracy"):
        measure = partial(of_closed, name)
        found[name] = report(name, places, measure, sets, partial(measure, shared=ALL_ALIKE))
    for name in ("ppv", "npv"):
        measure = partial(of_elsewhere, name)
        found[f"{name} elsewhere"] = report(
            f"{name} elsewhere", places, measure, sets, partial(measure, shared=ALL_ALIKE)
        )
    found |= report_read(places, sets // 2)
    for name in ("brier", "pr_auc"):
        places = ((100, 0.3, 0.8),) if small else ((60, 0.3, 0.8), (200, 0.2, 0.8), (200, 0.3, 0.95))
        found[name] = report(name, places, partial(of_resampled, name), few)
    return found


def report_read(places: Sequence[Cell], sets: int) -> dict[str, Tally]:
    """The intervals of what is read off the confusion table and off probabilities."""
    found = {name: report(name, places, partial(of_table, name), sets) for name in READ_OFF}
    for name in DISTORTED:
        found[f"calibration {name}"] = report(
            f"calibration {name}", places, partial(of_calibration, name), sets, wide=LEAVING_OUT
        )
    for name in ("net_benefit", "gain"):
        measure = partial(of_decisions, name)
        found[name] = report(name, places, measure, sets, partial(measure, shared=ALL_ALIKE))
    return found


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
    exact = {"npv": rest / (rest + missed), "f1": 2 * hits / (2 * hits + alarms + missed)}.get(name, right)
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


def of_table(name: str, patients: int, prevalence: float, right: float, sets: int) -> Found:
    """Intervals of likelihood ratios and MCC where sensitivity and specificity are both `right`."""
    shares = (
        prevalence * right,
        (1 - prevalence) * (1 - right),
        prevalence * (1 - right),
        (1 - prevalence) * right,
    )
    exact = float(getattr(Table(*map(np.array, shares)), name))
    return [read_metric(found[name], exact) for found in score_tables(patients, prevalence, right, sets)]


@cache
def score_tables(patients: int, prevalence: float, right: float, sets: int) -> list[dict[str, Any]]:
    """What is said of `READ_OFF` in each data set."""
    generator, cut, found = np.random.default_rng(10), NormalDist().inv_cdf(right), []
    for place in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, 2 * cut)
        measures = {name: partial(read_table, name, labels, scores, cut) for name in READ_OFF}
        found.append(measure_with_intervals(measures, groups, resamples=DRAWS, seed=place))
    return found


def read_table(
    name: str, labels: np.ndarray, scores: np.ndarray, cut: float, weights: np.ndarray | None
) -> np.ndarray:
    """A metric of the confusion table at a threshold."""
    return np.asarray(getattr(tabulate(labels, scores, cut, weights), name))


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


def of_resampled(name: str, patients: int, prevalence: float, truth: float, sets: int) -> Found:
    """Intervals that draw patients; the truth is the metric of 200,000 images."""
    generator, apart = np.random.default_rng(4), NormalDist().inv_cdf(truth) * np.sqrt(2)
    measure: Callable[..., np.ndarray] = {**scorecard.RANKED, **scorecard.PROBABILITY}[name]
    _, labels, scores = draw(generator, 80_000, prevalence, apart)
    exact, found = float(measure(labels, squash(scores, prevalence, apart))), []
    for place in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart)
        probabilities = squash(scores, prevalence, apart)[:, None]
        card = scorecard.score(
            ["a"], labels[:, None], probabilities, groups, thresholds=[0.5], seed=place, metrics=(name,)
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


def of_grades(name: str, patients: int, noise: float, sets: int) -> Found:
    """Intervals of a metric of four grades: numbers as above, cut into grades."""
    generator, task = np.random.default_rng(6), TASKS["classes" if name == "val_kappa" else "ordered"]
    kind = METRICS[name].kind
    _, labels, values = draw_grades(generator, 80_000, noise)
    exact = float(task.measure(kind, labels, values, np.ones(len(labels))))
    found = []
    for place in range(sets):
        groups, labels, values = draw_grades(generator, patients, noise)
        measure = {kind: partial(task.measure, kind, labels, values)}
        metric = measure_with_intervals(measure, groups, resamples=1000, seed=place)[kind]
        found.append(read_metric(metric, exact))
    return found


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
    """Groups, grades as columns of 0 and 1, and probabilities that are 1 for the grade of the guess."""
    groups, truth, guess = draw_numbers(generator, patients, noise)
    cuts = np.array([-0.7, 0.0, 0.7])
    return groups, *(np.eye(4)[np.searchsorted(cuts, numbers)] for numbers in (truth, guess))


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
