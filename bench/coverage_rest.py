"""How often do the other intervals of an evaluation hold the truth: differences between subgroups, means over labels, limits of agreement, readers, RUST, abstention, sets, the ROC band?

Patients with one to four images; half of the variance of a score is the patient's, as in `bench.coverage`. What has no formula for its truth
has that of 20,000 to 80,000 patients. Goal: 93 to 97 %, or a proof that it must be more. Run: python -m bench.coverage_rest [--sets 1000] [--only NAME] [--small] [--keep FILE --minutes M]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import numpy as np

from bench.coverage import ALL_ALIKE, SHARED, draw, draw_grades, draw_numbers, read_metric, squash
from bench.coverage_report import BY_DEFINITION, WIDE, Cell, Found, read_command
from storage.metrics import scorecard
from storage.metrics.agreement import intraclass_correlation, weighted_kappa
from storage.metrics.intervals import Interval, roc_band
from storage.metrics.objectives import METRICS
from storage.metrics.rust import CORTICES, Visit, compare_scores
from storage.metrics.tables import Table
from storage.practice.abstention import abstention_curve
from storage.practice.conformal import describe_sets, find_sets
from storage.practice.readers import compare_readers
from storage.practice.subgroups import compare_sides
from storage.tasks.class_cards import describe_overall
from storage.tasks.classes import Classes
from storage.tasks.kinds import TASKS
from storage.tasks.number_metrics import LIMITS

DRAWS = 1000
"""Of the patients, for one interval: as a user gets."""
AREA, CALLED_RIGHT = 0.8, 0.8
PLACES: tuple[Cell, ...] = ((60, 0.3), (100, 0.2), (200, 0.05), (200, 0.3))
SIZES: tuple[Cell, ...] = tuple((patients, noise) for patients in (30, 60, 200) for noise in (0.3, 1.0))
TOGETHER: tuple[Cell, ...] = (
    *((patients, prevalence, CALLED_RIGHT) for patients, prevalence in PLACES),
    *((60, 0.3, 0.95), (200, 0.05, 0.95)),
)
"""The last is the sensitivity, and the specificity."""
SEVERAL = tuple(kind for kind in scorecard.METRICS if kind != "calibration_error")
MANY = 20_000


def main() -> int:
    """Print a table for each interval, and whether the goal is reached; the exit code is 1 where it is not."""
    report, sets, small = read_command(__doc__.splitlines()[0], sets=1000)
    for name, (cells, measure, columns) in list_intervals().items():
        rows = cells[:1] if small else cells
        alike = partial(measure, shared=ALL_ALIKE) if measure.func in WITH_SHARED else None
        report.add(name, rows, measure, sets, alike, columns, BY_DEFINITION if "band" in name else WIDE)
    return report.conclude()


def list_intervals() -> dict[str, tuple[tuple[Cell, ...], Any, str]]:
    """By name: the cells, what measures them, and what the numbers of a cell are."""
    binary, numbers = "patients, prevalence", "patients, error in deviations of the truth"
    found: dict[str, tuple[tuple[Cell, ...], Any, str]] = {}
    for kind in ("auc", "sensitivity", "specificity", "observed_expected"):
        found[f"subgroup {kind}"] = (PLACES, partial(of_sides, kind), binary)
    for side in ("macro", "micro"):
        for kind in SEVERAL:
            found[f"{side} {kind}"] = (
                TOGETHER,
                partial(of_several, side, kind),
                f"{binary}, share called right",
            )
    for kind in LIMITS:
        found[f"agreement {kind}"] = (SIZES, partial(of_limits, kind), numbers)
    for task in ("classes", "ordered"):
        for kind in (METRICS[name].kind for name in TASKS[task].metrics):
            if kind != "calibration_error":
                found[f"{task} {kind}"] = (SIZES, partial(of_classes, task, kind), numbers)
    for kind in ("pair", "model", "difference", "auc", "distance"):
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


def of_several(
    side: str, kind: str, patients: int, prevalence: float, right: float, sets: int, shared: float = SHARED
) -> Found:
    """Intervals of the mean over three labels, or of all of them together; sensitivity and specificity of each are `right`.

    They are of .5, 1 and 2 times the prevalence. What has no formula for its truth has that of 20,000 patients five times over.
    """
    exact = measure_truly(side, kind, prevalence, right, shared)
    cards = score_many(patients, prevalence, right, sets, shared)
    return [read_metric(one[side][kind], exact) for one in cards]


@cache
def measure_truly(side: str, kind: str, prevalence: float, right: float, shared: float) -> float:
    """The truth of such labels: by formula where there is one."""
    tables, areas = [], []
    for part in (0.5 * prevalence, prevalence, 2 * prevalence):
        hits, alarms = part * right, (1 - part) * (1 - right)
        tables.append(Table(*map(np.array, (hits, alarms, part - hits, 1 - part - alarms))))
        areas.append(NormalDist().cdf(np.sqrt(2) * NormalDist().inv_cdf(right)))
    if kind in scorecard.CUT and side == "macro":
        return float(np.mean([getattr(table, kind) for table in tables]))
    if kind in scorecard.CUT:
        return float(getattr(sum(tables, Table.empty()), kind))
    if kind == "auc" and side == "macro":
        return float(np.mean(areas))
    generator, found = np.random.default_rng(33), []
    for _ in range(5):
        groups, labels, scores = draw_several(generator, MANY, prevalence, right, shared)
        card = scorecard.score(
            list("abc"), labels, scores, groups, thresholds=[0.5] * 3, resamples=0, metrics=(kind,)
        )
        found.append(card[side]["metrics"][kind]["value"])
    return float(np.mean(found))


@cache
def score_many(
    patients: int, prevalence: float, right: float, sets: int, shared: float
) -> list[dict[str, Any]]:
    """The mean over labels and all together in each data set."""
    generator, found = np.random.default_rng(22), []
    for place in range(sets):
        groups, labels, scores = draw_several(generator, patients, prevalence, right, shared)
        card = scorecard.score(
            list("abc"), labels, scores, groups, thresholds=[0.5] * 3, resamples=DRAWS, seed=place, metrics=SEVERAL
        )  # fmt: skip
        found.append({side: card[side]["metrics"] for side in ("macro", "micro")})
    return found


def draw_several(
    generator: np.random.Generator, patients: int, prevalence: float, right: float, shared: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups, and labels and scores of shape (n, 3)."""
    groups, _, _ = draw(generator, patients, prevalence, 0.0, shared)
    apart = NormalDist().inv_cdf(right) * 2
    labels, scores = np.empty((2, len(groups), 3))
    for column, times in enumerate((0.5, 1, 2)):
        own = (generator.random(patients) < prevalence * times)[groups].astype(np.float64)
        noise = np.sqrt(shared) * generator.standard_normal(patients)[groups]
        noise += np.sqrt(1 - shared) * generator.standard_normal(len(groups))
        labels[:, column], scores[:, column] = own, 1 / (1 + np.exp(apart / 2 - noise - apart * own))
    return groups, labels, scores


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
    """Intervals of metrics of all classes together: four grades."""
    task = TASKS[name]
    _, labels, values = draw_grades(np.random.default_rng(6), 4 * MANY, noise)
    exact = float(task.measure(kind, labels, values, np.ones(len(labels))))
    return [read_metric(one[kind], exact) for one in describe_many(name, patients, noise, sets)]


@cache
def describe_many(name: str, patients: int, noise: float, sets: int) -> list[dict[str, Any]]:
    """What is said of all classes together in each data set."""
    generator, task, found = np.random.default_rng(24), TASKS[name], []
    assert isinstance(task, Classes)
    for _ in range(sets):
        groups, labels, values = draw_grades(generator, patients, noise)
        found.append(describe_overall(task, labels, values, groups, resamples=DRAWS))
    return found


def of_readers(kind: str, patients: int, prevalence: float, sets: int, shared: float = SHARED) -> Found:
    """Intervals of kappa of two readers, of the model with a reader, and of their difference, of its area against a reader, and of its distance from the share of readers; three readers as good as the model."""
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
        "auc": found["model"][0]["auc"],
        "distance": found["brier_soft"],
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
    {of_sides, of_several, of_readers, of_abstention, of_sets, of_band}
)
"""Measures that can be taken where the images of a patient are all alike, too."""

if __name__ == "__main__":
    sys.exit(main())
