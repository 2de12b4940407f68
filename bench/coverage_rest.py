"""How often do the other intervals of an evaluation hold the truth: differences between subgroups, means over labels, limits of agreement, readers, RUST, abstention, sets, the ROC band?

Patients with one to four images; half of the variance of a score is the patient's, as in `bench.coverage`. What has no formula for its truth
has that of 20,000 to 80,000 patients. Goal: 93 to 97 %, or a proof that it must be more. Run: python -m bench.coverage_rest [--sets 1000] [--only NAME] [--small]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import numpy as np

from bench.coverage import ALL_ALIKE, SHARED, draw, draw_grades, draw_numbers, read_metric, squash
from bench.coverage_report import BY_DEFINITION, WIDE, Cell, Found, Tally, conclude, report
from storage.metrics import scorecard
from storage.metrics.agreement import intraclass_correlation, weighted_kappa
from storage.metrics.intervals import Interval, roc_band
from storage.metrics.rust import CORTICES, Visit, compare_scores
from storage.practice.abstention import abstention_curve
from storage.practice.conformal import describe_sets, find_sets
from storage.practice.readers import compare_readers
from storage.practice.subgroups import compare_sides
from storage.tasks.kinds import TASKS
from storage.tasks.number_metrics import LIMITS

DRAWS = 400
"""Of the patients, for one interval."""
AREA, CALLED_RIGHT = 0.8, 0.8
PLACES: tuple[Cell, ...] = ((60, 0.3), (100, 0.2), (200, 0.05), (200, 0.3))
SIZES: tuple[Cell, ...] = tuple((patients, noise) for patients in (30, 60, 200) for noise in (0.3, 1.0))
MANY = 20_000


def main() -> int:
    """Print a table for each interval, and whether the goal is reached; the exit code is 1 where it is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000, help="data sets a cell")
    parser.add_argument("--only", help="names that begin so")
    parser.add_argument("--small", action="store_true", help="few cells and sets, to see that it runs")
    chosen = parser.parse_args()
    sets = 20 if chosen.small else chosen.sets
    tallies: dict[str, Tally] = {}
    for name, (cells, measure, columns) in list_intervals().items():
        if chosen.only and not name.startswith(chosen.only):
            continue
        rows = cells[:1] if chosen.small else cells
        alike = partial(measure, shared=ALL_ALIKE) if measure.func in WITH_SHARED else None
        tallies[name] = report(
            name, rows, measure, sets, alike, columns, BY_DEFINITION if "band" in name else WIDE
        )
    return conclude(tallies)


def list_intervals() -> dict[str, tuple[tuple[Cell, ...], Any, str]]:
    """By name: the cells, what measures them, and what the numbers of a cell are."""
    binary, numbers = "patients, prevalence", "patients, error in deviations of the truth"
    found: dict[str, tuple[tuple[Cell, ...], Any, str]] = {}
    for kind in ("auc", "sensitivity", "specificity", "observed_expected"):
        found[f"subgroup {kind}"] = (PLACES, partial(of_sides, kind), binary)
    for kind in ("auc", "sensitivity", "specificity", "ppv", "f1"):
        found[f"macro {kind}"] = (PLACES, partial(of_macro, kind), binary)
    for kind in LIMITS:
        found[f"agreement {kind}"] = (SIZES, partial(of_limits, kind), numbers)
    for task, kind in (("classes", "accuracy"), ("classes", "balanced_accuracy"), ("ordered", "grade_error")):
        found[f"classes {kind}"] = (SIZES, partial(of_classes, task, kind), numbers)
    for kind in ("pair", "model", "difference"):
        found[f"readers {kind}"] = (PLACES, partial(of_readers, kind), binary)
    for kind in ("weighted_kappa", "icc", "mean_absolute_difference"):
        found[f"rust {kind}"] = (SIZES, partial(of_rust, kind), numbers)
    found["abstention"] = (PLACES, partial(of_abstention), binary)
    found["sets"] = (PLACES, partial(of_sets), binary)
    for rate in (0.1, 0.3):
        found[f"roc band at {rate}"] = (PLACES, partial(of_band, rate), binary)
    return found


def of_sides(kind: str, patients: int, prevalence: float, sets: int, shared: float = SHARED) -> Found:
    """Intervals of a metric of a third of the patients less that of the others, where both are drawn alike: the truth is 0."""
    return [read_metric(one[kind], 0.0) for one in compare_many(patients, prevalence, sets, shared)]


@cache
def compare_many(patients: int, prevalence: float, sets: int, shared: float) -> list[dict[str, Any]]:
    """What is said of the two sides in each data set."""
    generator, apart = np.random.default_rng(21), NormalDist().inv_cdf(CALLED_RIGHT) * 2
    cut, found = squash(np.array([apart / 2]), prevalence, apart)[0], []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart, shared)
        found.append(compare_sides(labels, squash(scores, prevalence, apart), groups % 3 == 0, groups, cut))
    return found


def of_macro(kind: str, patients: int, prevalence: float, sets: int, shared: float = SHARED) -> Found:
    """Intervals of the mean over three labels of .5, 1 and 2 times the prevalence; sensitivity and specificity of each are the same."""
    exact = np.mean([exact_of(kind, prevalence * times) for times in (0.5, 1, 2)])
    return [read_metric(one[kind], float(exact)) for one in score_many(patients, prevalence, sets, shared)]


def exact_of(kind: str, prevalence: float) -> float:
    """A metric where sensitivity and specificity are both `CALLED_RIGHT`."""
    right = CALLED_RIGHT
    if kind == "auc":
        return NormalDist().cdf(np.sqrt(2) * NormalDist().inv_cdf(right))
    hits, alarms = prevalence * right, (1 - prevalence) * (1 - right)
    return {"ppv": hits / (hits + alarms), "f1": 2 * hits / (hits + alarms + prevalence)}.get(kind, right)


@cache
def score_many(patients: int, prevalence: float, sets: int, shared: float) -> list[dict[str, Any]]:
    """The means over labels in each data set."""
    generator, apart = np.random.default_rng(22), NormalDist().inv_cdf(CALLED_RIGHT) * 2
    found = []
    for place in range(sets):
        groups, _, _ = draw(generator, patients, prevalence, apart, shared)
        labels, scores = np.empty((2, len(groups), 3))
        for column, times in enumerate((0.5, 1, 2)):
            own = (generator.random(patients) < prevalence * times)[groups].astype(np.float64)
            noise = np.sqrt(shared) * generator.standard_normal(patients)[groups]
            noise += np.sqrt(1 - shared) * generator.standard_normal(len(groups))
            labels[:, column], scores[:, column] = own, 1 / (1 + np.exp(apart / 2 - noise - apart * own))
        card = scorecard.score(
            ["a", "b", "c"], labels, scores, groups, thresholds=[0.5] * 3, resamples=DRAWS, seed=place,
            metrics=("auc", "sensitivity", "specificity", "ppv", "f1"),
        )  # fmt: skip
        found.append(card["macro"]["metrics"])
    return found


def of_limits(kind: str, patients: int, noise: float, sets: int) -> Found:
    """Intervals of bias and limits of agreement."""
    _, truth, guess = draw_numbers(np.random.default_rng(5), 4 * MANY, noise)
    exact = float(LIMITS[kind](truth, guess, np.ones(len(truth))))
    return [read_metric(one[kind], exact) for one in limit_many(patients, noise, sets)]


@cache
def limit_many(patients: int, noise: float, sets: int) -> list[dict[str, Any]]:
    """Bias and limits in each data set."""
    generator, found = np.random.default_rng(23), []
    for place in range(sets):
        groups, truth, guess = draw_numbers(generator, patients, noise)
        card = TASKS["number"].card(["a"], truth[:, None], guess[:, None], groups, seed=place)
        found.append(card["labels"]["a"]["limits_of_agreement"])
    return found


def of_classes(name: str, kind: str, patients: int, noise: float, sets: int) -> Found:
    """Intervals of metrics of all classes together: four grades, as in `bench.coverage`."""
    task = TASKS[name]
    _, labels, values = draw_grades(np.random.default_rng(6), 4 * MANY, noise)
    exact = float(task.measure(kind, labels, values, np.ones(len(labels))))
    found, generator = [], np.random.default_rng(24)
    for place in range(sets):
        groups, labels, values = draw_grades(generator, patients, noise)
        card = task.card(list("abcd"), labels, values, groups, resamples=DRAWS, seed=place)
        metric = card["overall"]["metrics"][kind]
        found.append(read_metric(metric, exact))
    return found


def of_readers(kind: str, patients: int, prevalence: float, sets: int, shared: float = SHARED) -> Found:
    """Intervals of kappa of two readers, of the model with a reader, and of their difference; three readers as good as the model."""
    exact = read_kappa(describe_readers(np.random.default_rng(25), MANY, prevalence, 0, 0, shared), kind)[
        "value"
    ]
    return [
        read_metric(read_kappa(one, kind), exact) for one in read_many(patients, prevalence, sets, shared)
    ]


@cache
def read_many(patients: int, prevalence: float, sets: int, shared: float) -> list[dict[str, Any]]:
    """What is said of the readers in each data set."""
    generator = np.random.default_rng(26)
    return [describe_readers(generator, patients, prevalence, DRAWS, place, shared) for place in range(sets)]


def describe_readers(
    generator: np.random.Generator, patients: int, prevalence: float, draws: int, seed: int, shared: float
) -> dict[str, Any]:
    """Three readers and the model, each with the same share of mistakes."""
    apart = NormalDist().inv_cdf(0.9) * 2
    groups, labels, scores = draw(generator, patients, prevalence, apart, shared)
    ratings = []
    for _ in range(3):
        noise = np.sqrt(shared) * generator.standard_normal(patients)[groups]
        noise += np.sqrt(1 - shared) * generator.standard_normal(len(groups))
        ratings.append((noise + apart * labels > apart / 2).astype(np.float64))
    values = 1 / (1 + np.exp(apart / 2 - scores))
    return compare_readers(
        ["a", "b", "c"], np.stack(ratings, axis=1), values, groups, threshold=0.5, resamples=draws, seed=seed
    )


def read_kappa(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """One number of it."""
    places = {
        "pair": found["pairs"][0]["kappa"],
        "model": found["model"][0]["kappa"],
        "difference": found["difference"],
    }
    return places[kind]


def of_rust(kind: str, patients: int, noise: float, sets: int) -> Found:
    """Intervals of the agreement of RUST scores; a patient has one to four visits."""
    given, guessed = draw_rust(np.random.default_rng(27), 4 * MANY, noise)[1]
    exact = {
        "weighted_kappa": weighted_kappa(given, guessed),
        "icc": intraclass_correlation(np.stack([given, guessed], axis=1)),
        "mean_absolute_difference": float(np.abs(given - guessed).mean()),
    }[kind]
    return [read_metric(one[kind], exact) for one in rust_many(patients, noise, sets)]


@cache
def rust_many(patients: int, noise: float, sets: int) -> list[dict[str, Any]]:
    """The agreement in each data set."""
    generator = np.random.default_rng(28)
    return [rust_scores(generator, patients, noise) for _ in range(sets)]


def draw_rust(
    generator: np.random.Generator, patients: int, noise: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The patient of each visit, and its two scores: numbers cut into 4 to 16."""
    groups, *numbers = draw_numbers(generator, patients, noise)
    return groups, [np.clip(np.rint(10 + 3 * one), 4, 16).astype(int) for one in numbers]


def rust_scores(generator: np.random.Generator, patients: int, noise: float) -> dict[str, Any]:
    """What is said of such visits."""
    groups, sums = draw_rust(generator, patients, noise)
    visits = [
        Visit(str(place), split_score(int(given)), split_score(int(guessed)), int(group), "")
        for place, (group, given, guessed) in enumerate(zip(groups, *sums, strict=True))
    ]
    agreement: dict[str, Any] = compare_scores(visits)["agreement"]
    return agreement


def split_score(score: int) -> dict[str, int | None]:
    """Four grades that add up to it."""
    return {cortex: (score + place) // 4 for place, cortex in enumerate(CORTICES)}


def of_abstention(patients: int, prevalence: float, sets: int, shared: float = SHARED) -> Found:
    """Intervals of the accuracy of the 80 % of images that the model is surest of."""
    apart = NormalDist().inv_cdf(AREA) * np.sqrt(2)

    def keep(generator: np.random.Generator, count: int) -> dict[str, Any]:
        groups, labels, scores = draw(generator, count, prevalence, apart, shared)
        values = squash(scores, prevalence, apart)
        [row] = abstention_curve(labels, values, groups, prevalence, shares=(0.8,))
        return row["accuracy"]

    exact, generator = keep(np.random.default_rng(29), 4 * MANY)["value"], np.random.default_rng(30)
    return [read_metric(keep(generator, patients), exact) for _ in range(sets)]


def of_sets(patients: int, prevalence: float, sets: int, shared: float = SHARED) -> Found:
    """Intervals of how often conformal sets of 90 % hold the truth; the truth is how often these sets do, of 2,000 further patients."""
    apart, generator, found = NormalDist().inv_cdf(AREA) * np.sqrt(2), np.random.default_rng(31), []
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart, shared)
        folds = groups % 5
        rows = describe_sets(labels, scores_to(scores), folds, groups, levels=(0.9,))
        _, further, seen = draw(generator, 2000, prevalence, apart, shared)
        if not rows:
            found.append((Interval.none("few"), 0.0, np.nan))
            continue
        both = np.concatenate([labels, further])
        parts = np.concatenate([np.zeros(len(labels), int), np.ones(len(further), int)])
        kept = judge_further(both, scores_to(np.concatenate([scores, seen])), parts)
        found.append(read_metric(rows[0]["held"], kept))
    return found


def judge_further(labels: np.ndarray, values: np.ndarray, parts: np.ndarray) -> float:
    """How often the images of part 1, held against those of part 0, have the truth in their set."""
    kept = find_sets(labels, values, parts, 0.9)
    further = parts == 1
    return float(kept[further, labels[further].astype(int)].mean())


def scores_to(scores: np.ndarray) -> np.ndarray:
    """Scores as numbers from 0 to 1."""
    return 1 / (1 + np.exp(-scores))


def of_band(rate: float, patients: int, prevalence: float, sets: int, shared: float = SHARED) -> Found:
    """The band about a ROC curve, at one false positive rate."""
    normal, generator, found = NormalDist(), np.random.default_rng(32), []
    apart = normal.inv_cdf(AREA) * np.sqrt(2)
    exact = normal.cdf(apart + normal.inv_cdf(rate))
    for _ in range(sets):
        groups, labels, scores = draw(generator, patients, prevalence, apart, shared)
        cuts = np.concatenate([[np.inf], np.quantile(scores, np.linspace(1, 0, 60)), [-np.inf]])
        band = roc_band(labels, scores, groups, cuts)
        if not band["lower_x"]:
            found.append((Interval.none("few"), exact, np.nan))
            continue
        low = float(np.interp(rate, band["lower_x"], band["lower_y"]))
        high = float(np.interp(rate, band["upper_x"], band["upper_y"]))
        found.append((Interval(low, high), exact, float((low + high) / 2)))
    return found


WITH_SHARED: frozenset[Callable[..., Found]] = frozenset(
    {of_sides, of_macro, of_readers, of_abstention, of_sets, of_band}
)
"""Measures that can be taken where the images of a patient are all alike, too."""

if __name__ == "__main__":
    sys.exit(main())
