"""Does the interval of a learning curve hold the truth? Simulated curves whose law is known.

300 patients, 6 folds drawn twice, five sizes. A model's power follows an inverse power law of the patients that it learned from, and is moved by
which of them these were: each patient teaches a little more or less, and the sizes of a fold are nested, as in `orch study learning-curve`. All sizes are
judged on the same images; the epoch is chosen for each size and fold, among 20. Printed: the mean error of the value of each size, and how often these hold
the truth: the interval of a size, the band of the law at 1 and 2 times all patients, and the interval of the number of patients that a value needs which
1.5 to 8 times as many reach. Run: python -m bench.learning_curve [curves] [--keep FILE --minutes M]
"""

import math
import sys
from statistics import NormalDist

import numpy as np

from bench import kept_rows
from bench import simulated_studies as simulated
from storage.growth.parts import DRAWN, PERCENTS
from storage.trust.learning_curve import judge_apart
from storage.trust.noise import mean_interval
from storage.trust.power_law import Curve, PowerLaw, estimate_covariance, find_band, find_patients

FULL = simulated.GROUPS * (simulated.FOLDS - 1) // simulated.FOLDS
"""Patients that a fold trains on."""
LAWS = tuple(
    PowerLaw(limit, gap * FULL**exponent, exponent)
    for limit, gap, exponent in ((0.90, 0.10, 0.5), (0.88, 0.05, 0.8), (0.97, 0.12, 0.3))
)
"""Of each the limit, and what is missing to it with all patients."""
TIMES = (1.5, 2.0, 4.0, 8.0)
COVERED, FEWEST = (0.93, 0.97), 100
"""The goal, which is judged of as many curves of a law."""


def power_for(area: float) -> float:
    """The power of a model that has this area on endless data."""
    noise = math.sqrt(simulated.SHARED**2 + simulated.OWN**2 + simulated.EPOCH**2)
    return math.sqrt(2) * noise * NormalDist().inv_cdf(min(max(area, 0.001), 0.999))


def draw_curve(generator: np.random.Generator, law: PowerLaw) -> tuple[np.ndarray, np.ndarray]:
    """Patients of each size, shape (sizes,), and the values of its folds, shape (runs, folds, sizes)."""
    images, epochs = simulated.IMAGES, np.arange(1, simulated.EPOCHS + 1)
    groups = np.sort(generator.integers(simulated.GROUPS, size=images))
    severity = generator.standard_normal((simulated.GROUPS, simulated.TARGETS))[groups]
    severity = severity + generator.standard_normal((images, simulated.TARGETS))
    labels = (severity > np.quantile(severity, 1 - simulated.PREVALENCE, axis=0)).astype(np.float32)
    shared = simulated.draw_by_group(generator, groups)
    taught = simulated.SEED_POWER * math.sqrt(FULL) * generator.standard_normal(simulated.GROUPS)
    rise = 1 - 0.6 * np.exp(-epochs / 3)
    curves = np.empty((DRAWN, simulated.FOLDS, len(PERCENTS), len(epochs)))
    counts = np.empty((DRAWN, simulated.FOLDS, len(PERCENTS)))
    for run in range(DRAWN):
        for fold, held in enumerate(simulated.make_folds(generator, groups)):
            order = generator.permutation(np.setdiff1d(groups, groups[held]))
            for size, percent in enumerate(PERCENTS):
                learned = order[: max(1, round(len(order) * percent / 100))]
                counts[run, fold, size] = len(learned)
                power = power_for(law.at(len(learned))) * rise / rise[-1] + taught[learned].mean()
                power = power + simulated.SEED_POWER * generator.standard_normal()
                noise = simulated.OWN * generator.standard_normal((1, len(held), simulated.TARGETS))
                noise = noise + simulated.EPOCH * generator.standard_normal((len(epochs), *noise.shape[1:]))
                scores = power[:, None, None] * labels[held] + simulated.SHARED * shared[held] + noise
                curves[run, fold, size] = simulated.auc_of(labels[held], scores[None].astype(np.float32))[0]
    values = [[judge_apart(run[:, size], "max_of_mean") for size in range(len(PERCENTS))] for run in curves]
    return counts.mean(axis=(0, 1)), np.array(values).transpose(0, 2, 1)


def judge(number: int) -> dict[str, float]:
    """One curve: the errors of its sizes, and whether each interval holds the truth."""
    law = LAWS[number % len(LAWS)]
    patients, runs = draw_curve(np.random.default_rng([2027, number]), law)
    values, found = runs.mean(axis=(0, 1)), {}
    for size, percent in enumerate(PERCENTS):
        truth, value = law.at(patients[size]), float(values[size])
        low, high = mean_interval(value, list(runs[:, :, size])) or (math.nan, math.nan)
        found |= {f"error_{percent}": value - truth, f"size_{percent}": float(low <= truth <= high)}
    covariance, freedom = estimate_covariance(runs)
    curve = Curve(patients, values, covariance, freedom, 1.0)
    for place in (1.0, 2.0):
        low, high = (float(end[0]) for end in find_band(curve, np.array([place * FULL])))
        found |= {
            f"band_{place:g}": float(low <= law.at(place * FULL) <= high),
            f"half_{place:g}": (high - low) / 2,
        }
    for times in TIMES:
        low, high = find_patients(curve, law.at(times * FULL)) or (math.inf, math.inf)
        # The ends lie on a grid.
        found |= {
            f"target_{times:g}": float(low / 1.01 <= times * FULL <= high * 1.01),
            f"ended_{times:g}": float(math.isfinite(high)),
        }
    return found


def main() -> None:
    """Print a table; exit code 1 when a goal is missed."""
    rows = kept_rows.collect(judge, studies=600)
    missed = False
    together = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    for place, law in enumerate(LAWS):
        mine = [row for number, row in enumerate(rows) if number % len(LAWS) == place]
        if not mine:
            continue
        means = {name: float(np.mean([row[name] for row in mine])) for name in mine[0]}
        print(
            f"\n{len(mine)} curves, {law.at(FULL):.3f} with {FULL} patients, limit {law.limit:.2f}, exponent {law.exponent:.1f}"
        )
        for percent in PERCENTS:
            print(
                f"  {percent:3d} %: mean error {means[f'error_{percent}']:+.4f}; the interval holds the truth in {means[f'size_{percent}']:.1%}"
            )
        for at in ("1", "2"):
            print(
                f"  the band at {at} x the patients, half width {means[f'half_{at}']:.3f}, holds the truth in {means[f'band_{at}']:.1%}"
            )
        for times in TIMES:
            print(
                f"  a value that {times:g} x the patients reach: the interval holds the truth in {means[f'target_{times:g}']:.1%}; "
                f"it has an upper end in {means[f'ended_{times:g}']:.0%}"
            )
        judged = {name: share for name, share in means.items() if name.startswith(("size", "band", "target"))}
        # A share of 95 % of so many is known to twice this.
        chance = 2 * math.sqrt(0.95 * 0.05 / len(mine))
        off = [name for name, share in judged.items() if not COVERED[0] - chance / 2 <= share]
        missed |= len(mine) >= FEWEST and bool(off)
        print(f"  below 93 %: {', '.join(off) or 'none'}")
    shares = ("size", "band", "target", "ended")
    print(
        f"\nAll {len(rows)} curves (a share of 95 % is known to {2 * math.sqrt(0.95 * 0.05 / len(rows)):.1%})"
    )
    for share in shares:
        said = [
            f"{name.partition('_')[2]}: {value:.1%}"
            for name, value in together.items()
            if name.startswith(share)
        ]
        print(f"  {share:<7} {', '.join(said)}")
    print(f"\n{'MISSED ' if missed else 'reached'}  the intervals hold the truth in at least 93 %")
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
