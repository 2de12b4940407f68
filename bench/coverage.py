"""How often do the intervals of `orch model evaluate` hold the truth?

Patients with one to four images; half of the variance of a score is the patient's. For areas under the ROC curve, sensitivity and
predictive value over patients, prevalence and true value; for the metrics that resample patients, at fewer places. Goal: 93 to
97 %, where there is an interval at all. Run: python -m bench.coverage [--sets 2000] [--small]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import numpy as np

from storage.metrics import scorecard
from storage.metrics.calibration import Recalibration, describe_measure
from storage.metrics.intervals import Interval, auc_interval, share_interval
from storage.metrics.objectives import METRICS
from storage.metrics.tables import Table, tabulate
from storage.practice.decisions import decision_curve
from storage.practice.prevalence import predictive_values
from storage.tasks.kinds import TASKS
from storage.tasks.number_metrics import MEASURES
from storage.tasks.resampled import measure_with_intervals

PATIENTS, PREVALENCES, TRUTHS = (30, 60, 100, 200, 500), (0.05, 0.1, 0.2, 0.5), (0.6, 0.8, 0.9, 0.95, 0.995)
CLOSED = tuple(
    (p, q, 0.8) for p, q in ((30, 0.5), (60, 0.3), (100, 0.2), (200, 0.05), (200, 0.2), (500, 0.05))
)
SHARED = 0.5
DRAWS = 400
"""Of the patients, for one interval: fewer than the 1000 that a user gets, for the sake of time."""
LOWEST, HIGHEST = 0.93, 0.97
READ_OFF = ("lr_positive", "lr_negative", "mcc")
DISTORTED: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "slope": (0.5, Recalibration(2.0, 0.5).apply),
    "intercept": (-0.5, Recalibration(1.0, 0.5).apply),
    "observed_expected": (1.25, lambda probabilities: probabilities / 1.25),
}
"""What each would be of all images, and how right probabilities are distorted to that end."""
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> int:
    """Print a table for each kind of interval, and how many of its cells reach the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000, help="data sets a cell")
    parser.add_argument("--kinds", action="store_true", help="only the metrics of numbers and grades")
    parser.add_argument("--small", action="store_true", help="few cells and sets, to see that it runs")
    chosen = parser.parse_args()
    sets = 40 if chosen.small else chosen.sets
    cells = [(p, q, t) for p in PATIENTS for q in PREVALENCES for t in TRUTHS]
    if chosen.small:
        cells = cells[:: len(cells) // 4]
    few = max(20, sets // 10)
    if not chosen.kinds:
        report_labels(cells, sets, few, small=chosen.small)
    # Of these there is no prevalence; the third column is the standard deviation of the error, in that of the truth.
    spreads = [(patients, noise) for patients in (30, 60, 200) for noise in (0.3, 1.0)][
        : 1 if chosen.small else 6
    ]
    for name in MEASURES:
        report(name, (((p, 0.0, noise), of_numbers(name, p, noise, few)) for p, noise in spreads))
    for name in ("val_kappa", "val_quadratic_kappa"):
        report(name, (((p, 0.0, noise), of_grades(name, p, noise, few)) for p, noise in spreads))
    return 0


def report_labels(cells: list[tuple[int, float, float]], sets: int, few: int, *, small: bool) -> None:
    """The intervals of metrics of labels."""
    for name, measure in (("auc", of_area), ("sensitivity", of_sensitivity), ("ppv", of_predictive_value)):
        report(name, ((cell, measure(*cell, sets)) for cell in cells))
    places = ((100, 0.3, 0.8),) if small else CLOSED
    for name in ("specificity", "npv", "accuracy", "f1", "balanced_accuracy"):
        report(name, ((cell, of_closed(name, *cell, sets)) for cell in places))
    for name in ("ppv", "npv"):
        report(f"{name} elsewhere", ((cell, of_elsewhere(name, *cell, sets)) for cell in places))
    report_read(places, sets // 2)
    for name in ("brier", "pr_auc"):
        places = ((100, 0.3, 0.8),) if small else ((60, 0.3, 0.8), (200, 0.2, 0.8), (200, 0.3, 0.95))
        report(name, ((cell, of_resampled(name, *cell, few)) for cell in places))


def report_read(places: Sequence[tuple[int, float, float]], sets: int) -> None:
    """The intervals that draw patients, of what is read off the confusion table and off probabilities."""
    for name in READ_OFF:
        report(name, ((cell, of_table(name, *cell, sets)) for cell in places))
    for name in DISTORTED:
        report(f"calibration {name}", ((cell, of_calibration(name, *cell, sets)) for cell in places))
    for name in ("net_benefit", "gain"):
        report(name, ((cell, of_decisions(name, *cell, sets)) for cell in places))


def report(name: str, rows: Iterable[tuple[tuple[int, float, float], list[tuple[Interval, float]]]]) -> None:
    """Print what each cell came to."""
    reached = cells = 0
    print(
        f"\n{name}: patients, prevalence, truth, coverage, truth below, truth above, mean width, no interval"
    )
    for cell, found in rows:
        given = [(interval, truth) for interval, truth in found if not interval.reason]
        missing = 1 - len(given) / max(len(found), 1)
        if len(given) < len(found) / 2:
            print(f"{cell[0]:5d} {cell[1]:6.2f} {cell[2]:7.3f}   no interval in {missing:.0%}")
            continue
        below = np.mean([truth < interval.low for interval, truth in given])
        above = np.mean([truth > interval.high for interval, truth in given])
        width = np.mean([interval.high - interval.low for interval, _ in given])
        covered = 1 - below - above
        cells += 1
        reached += bool(LOWEST - 0.005 <= covered <= HIGHEST + 0.005)
        print(
            f"{cell[0]:5d} {cell[1]:6.2f} {cell[2]:7.3f} {covered:9.3f} {below:9.3f} {above:9.3f} {width:9.3f} {missing:8.0%}"
            + ("" if covered >= LOWEST - 0.005 else "   too seldom")
        )
    print(
        f"{name}: {reached} of {cells} cells within {LOWEST:.0%} to {HIGHEST:.0%} (half a point for chance)"
    )


def of_area(patients: int, prevalence: float, truth: float, sets: int) -> list[tuple[Interval, float]]:
    """Intervals of the area under the ROC curve of two normals."""
    generator, apart = np.random.default_rng(1), NormalDist().inv_cdf(truth) * np.sqrt(2)
    return [
        (auc_interval(labels, scores, groups), truth)
        for groups, labels, scores in (draw(generator, patients, prevalence, apart) for _ in range(sets))
    ]


def of_sensitivity(patients: int, prevalence: float, truth: float, sets: int) -> list[tuple[Interval, float]]:
    """Intervals of the share of positive images above a threshold."""
    generator, apart = np.random.default_rng(2), NormalDist().inv_cdf(truth)
    return [
        (share_interval(*count_by_patient(groups, scores > 0, labels == 1)), truth)
        for groups, labels, scores in (draw(generator, patients, prevalence, apart) for _ in range(sets))
    ]


def of_predictive_value(
    patients: int, prevalence: float, truth: float, sets: int
) -> list[tuple[Interval, float]]:
    """Intervals of the share of positives among the images above a threshold; the sensitivity is .8."""
    normal, generator = NormalDist(), np.random.default_rng(3)
    alarms = 0.8 * prevalence / (1 - prevalence) * (1 - truth) / truth
    if alarms >= 1:
        return []
    cut = normal.inv_cdf(1 - alarms)
    apart = cut + normal.inv_cdf(0.8)
    return [
        (share_interval(*count_by_patient(groups, labels == 1, scores > cut)), truth)
        for groups, labels, scores in (draw(generator, patients, prevalence, apart) for _ in range(sets))
    ]


def of_closed(
    name: str, patients: int, prevalence: float, right: float, sets: int
) -> list[tuple[Interval, float]]:
    """Intervals made of shares, at a threshold where sensitivity and specificity are both `right`."""
    generator, cut = np.random.default_rng(8), NormalDist().inv_cdf(right)
    hits, alarms, rest = prevalence * right, (1 - prevalence) * (1 - right), (1 - prevalence) * right
    missed = prevalence - hits
    exact = {"npv": rest / (rest + missed), "f1": 2 * hits / (2 * hits + alarms + missed)}.get(name, right)
    found = []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, 2 * cut)
        given = scorecard.closed_intervals(labels, scores, scores > cut, groups, True, metrics=(name,))
        found.append((given[name], exact))
    return found


def of_elsewhere(
    name: str, patients: int, prevalence: float, right: float, sets: int
) -> list[tuple[Interval, float]]:
    """Intervals of predictive values where one in twenty is positive; sensitivity and specificity are `right`."""
    generator, cut = np.random.default_rng(9), NormalDist().inv_cdf(right)
    rare = {"ppv": 0.05, "npv": 0.95}[name]
    exact, found = rare * right / (rare * right + (1 - rare) * (1 - right)), []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, 2 * cut)
        called, shares = scores > cut, []
        for positive in (1, 0):
            hits, totals = count_by_patient(groups, called == positive, labels == positive)
            shares.append((hits.sum() / max(totals.sum(), 1), share_interval(hits, totals)))
        found.append((read_interval(predictive_values(shares[0], shares[1], 0.05)[name]), exact))
    return found


def of_table(
    name: str, patients: int, prevalence: float, right: float, sets: int
) -> list[tuple[Interval, float]]:
    """Intervals of likelihood ratios and MCC where sensitivity and specificity are both `right`."""
    shares = (
        prevalence * right,
        (1 - prevalence) * (1 - right),
        prevalence * (1 - right),
        (1 - prevalence) * right,
    )
    exact = float(getattr(Table(*map(np.array, shares)), name))
    return [(read_interval(found[name]), exact) for found in score_tables(patients, prevalence, right, sets)]


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


def of_calibration(
    name: str, patients: int, prevalence: float, truth: float, sets: int
) -> list[tuple[Interval, float]]:
    """Intervals of slope, intercept and observed / expected of probabilities distorted so that these are known."""
    generator, apart = np.random.default_rng(11), NormalDist().inv_cdf(truth) * np.sqrt(2)
    exact, distort = DISTORTED[name]
    found = []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart)
        probabilities = distort(squash(scores, prevalence, apart))
        said = describe_measure(name, labels, probabilities, groups)
        found.append((read_interval(said), exact))
    return found


def of_decisions(
    name: str, patients: int, prevalence: float, truth: float, sets: int
) -> list[tuple[Interval, float]]:
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
        groups, labels, scores = draw(generator, patients, prevalence, apart)
        probabilities = squash(scores, prevalence, apart)
        [row] = decision_curve(
            labels, probabilities, groups, thresholds=[threshold], resamples=DRAWS, seed=place
        )
        found.append((read_interval(row[name]), exact))
    return found


def of_resampled(
    name: str, patients: int, prevalence: float, truth: float, sets: int
) -> list[tuple[Interval, float]]:
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
        found.append((Interval(metric["low"], metric["high"], metric.get("note", "")), exact))
    return found


def of_numbers(name: str, patients: int, noise: float, sets: int) -> list[tuple[Interval, float]]:
    """Intervals of a metric of numbers: the truth of a patient is standard normal, and half of the error is the patient's own."""
    _, truth, guess = draw_numbers(np.random.default_rng(5), 80_000, noise)
    exact = float(MEASURES[name](truth, guess, np.ones(len(truth))))
    cards = score_numbers(patients, noise, sets)
    return [(read_interval(card["labels"]["a"]["metrics"][name]), exact) for card in cards]


@cache
def score_numbers(patients: int, noise: float, sets: int) -> list[dict[str, Any]]:
    """What is said of numbers in each data set."""
    generator, cards = np.random.default_rng(7), []
    for place in range(sets):
        groups, truth, guess = draw_numbers(generator, patients, noise)
        cards.append(TASKS["number"].card(["a"], truth[:, None], guess[:, None], groups, seed=place))
    return cards


def of_grades(name: str, patients: int, noise: float, sets: int) -> list[tuple[Interval, float]]:
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
        found.append((read_interval(metric), exact))
    return found


def read_interval(metric: dict[str, Any]) -> Interval:
    """The interval of a metric as a card has it; of a value that is undefined there is none, and no note either."""
    undefined = "undefined" if np.isnan(metric["low"]) else ""
    return Interval(metric["low"], metric["high"], metric.get("note", undefined))


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


def draw(generator: np.random.Generator, patients: int, prevalence: float, apart: float) -> Drawn:
    """Groups, labels and scores of the images of patients; positives lie `apart` standard deviations higher."""
    groups = np.repeat(np.arange(patients), generator.integers(1, 5, patients))
    labels = (generator.random(patients) < prevalence)[groups].astype(np.float64)
    noise = np.sqrt(SHARED) * generator.standard_normal(patients)[groups]
    noise += np.sqrt(1 - SHARED) * generator.standard_normal(len(groups))
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
