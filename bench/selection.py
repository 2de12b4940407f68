"""How honest is what orch says of a winner? Simulated studies whose truth is known, and the reference study's curves.

200 studies of 100 trials, 6 folds, 20 epochs; with and without the default pruner, and then with repeats of the winner as the plan has
them (`cv.repeats_of_winner`). Printed: the mean error of the naive
value and of the corrected one (with its standard error over studies), how often its interval holds the truth, how often the
trials that "cannot be told from the best" hold the truly best, and how many they are, beside an uncorrected test. Then studies
drawn from the reference study's curves and from a grid with wild trials, each trial with a noise of its own.
Run: python -m bench.selection [studies] [--keep FILE --minutes M]: what was simulated is kept in FILE, and the next call goes on there.
"""

import csv
import gzip
import math
import os
import sys
from pathlib import Path

import numpy as np

from bench import kept_rows
from bench import simulated_studies as simulated
from storage.spec import PrunerSection
from storage.trust import bias, noise
from storage.trust.luck import simulate_luck

REPOSITORY = Path(__file__).resolve().parent.parent

DRAWS = 60
REPEATS = (1, 2, 3, 5)
PLANNED = 3
"""How often the winner is repeated by default, of those that are tried."""
COVERED = (0.93, 0.97)
NAIVE_IS_OFF_BY, CORRECTED_WITHIN, HOLDS, TIMES_AS_MANY = 0.010, 0.003, 0.95, 2.5
"""The goals; the last bounds the median size of the equivalence set by that of the uncorrected test."""


def judge_whole(study: simulated.Simulated, seed: int) -> dict[str, float]:
    """Every trial runs to its end; the winner is corrected by bootstrap from out-of-fold predictions."""
    means = study.curves.mean(axis=1)
    epochs, values = means.argmax(axis=1), means.max(axis=1)
    winner = int(values.argmax())
    ranked = np.argsort(-values)[: bias.MOST_TRIALS]
    predictions = [[study.scores[trial, epochs[trial]][fold] for fold in study.folds] for trial in ranked]
    corrected = bias.correct_choice(
        predictions, study.labels, study.groups, study.folds, draws=DRAWS, seed=seed
    )
    luck = simulate_luck(study.curves, seed=seed)
    assert corrected is not None
    assert luck is not None
    truth = study.truth[winner, epochs[winner]]
    return {
        "naive": values[winner] - truth,
        "bootstrap": corrected.value - luck.of_epochs - truth,
        "simulation": values[winner] - luck.both - truth,
        "covered": is_held(
            truth, corrected.value - luck.of_epochs, [study.curves[winner, :, epochs[winner]]]
        ),
        **compare(study, np.arange(len(values)), epochs, values),
    }


def judge_pruned(study: simulated.Simulated, generator: np.random.Generator) -> dict[str, float]:
    """The default pruner stops trials; the winner is corrected by fresh repeats, with new seeds and new folds."""
    ran, complete = simulated.prune(study.curves, PrunerSection())
    kept = np.flatnonzero(complete)
    means = study.curves[kept].mean(axis=1)
    epochs, values = means.argmax(axis=1), means.max(axis=1)
    winner, epoch = kept[values.argmax()], epochs[values.argmax()]
    # Each repeat has folds of its own, as in the plan.
    again = [
        simulated.train(generator, study.power[[winner]], study.labels, study.groups, study.shared).curves[
            0, :, epoch
        ]
        for _ in range(max(REPEATS))
    ]
    truth = study.truth[winner, epoch]
    best_of_all = study.truth.max(axis=1).argmax()
    found = {}
    for count in REPEATS:
        mean = float(np.mean(again[:count]))
        low, high = noise.mean_interval(mean, again[:count]) or (math.nan, math.nan)
        found |= {
            f"repeats_{count}": mean - truth,
            f"covered_{count}": float(low <= truth <= high),
            f"half_{count}": (high - low) / 2,
        }
    return {
        "naive": values.max() - truth,
        **found,
        "repeats": found[f"repeats_{PLANNED}"],
        "covered": found[f"covered_{PLANNED}"],
        "trained": float(ran.sum() / (ran.size * study.curves.shape[2])),
        "complete": len(kept),
        "lost": float(best_of_all not in kept),
        **compare(study, kept, epochs, values),
    }


def is_held(truth: float, value: float, runs: list[np.ndarray]) -> float:
    """Whether the interval of a corrected value holds the truth."""
    interval = noise.mean_interval(float(value), runs)
    return float(interval is not None and interval[0] <= truth <= interval[1])


def compare(
    study: simulated.Simulated, kept: np.ndarray, epochs: np.ndarray, values: np.ndarray
) -> dict[str, float]:
    """Whether the sets of trials that cannot be told from the best hold the truly best of those judged."""
    fold_values = study.curves[kept, :, epochs]
    measured = noise.measure_noise(fold_values)
    assert measured is not None
    truly_best = int(study.truth[kept].max(axis=1).argmax())
    ours = noise.find_equals(values, measured)
    limit = 1.96 * measured.per_fold * math.sqrt(2 / measured.folds)
    plain = np.flatnonzero(values.max() - values <= limit)
    return {
        "size": len(ours),
        "holds": float(truly_best in ours),
        "plain_size": len(plain),
        "plain_holds": float(truly_best in plain),
    }


def report(title: str, rows: list[dict[str, float]], errors: dict[str, str]) -> dict[str, float]:
    """Print one table; returns means, and medians of sizes."""
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    print(f"\n{title}: {len(rows)} studies")
    for name, words in errors.items():
        error = table[name].std(ddof=1) / math.sqrt(len(rows))
        print(f"  mean error, {words:<44} {table[name].mean():+.4f} (standard error {error:.4f})")
    for name, words in (("", "orch (Nadeau-Bengio, best of many)"), ("plain_", "uncorrected, two-sided 5 %")):
        print(
            f"  {words:<38} holds the truly best {table[name + 'holds'].mean():6.1%}, "
            f"median size {np.median(table[name + 'size']):g}"
        )
    low, high = COVERED
    print(f"  the interval holds the truth in {table['covered'].mean():.1%} (goal {low:.0%} to {high:.0%})")
    if "trained" in table:
        share = table["trained"].mean()
        print(f"  of its epochs {share:.1%} were trained; of 100 trials, so much is")
        for repeats in REPEATS:
            print(
                f"    the winner repeated {repeats} x  {repeats / (simulated.TRIALS * share):5.1%} of the study; mean error "
                f"{table[f'repeats_{repeats}'].mean():+.4f}, its spread {table[f'repeats_{repeats}'].std(ddof=1):.4f}; the interval "
                f"+- {table[f'half_{repeats}'].mean():.4f} holds the truth in {table[f'covered_{repeats}'].mean():.1%}"
            )
    if "complete" in table:
        print(f"  trials judged to the end: median {np.median(table['complete']):g}")
        print(f"  the truly best of all was pruned, hence not judged: {table['lost'].mean():.1%}")
    return {
        name: float(np.median(values)) if name.endswith("size") else float(values.mean())
        for name, values in table.items()
    }


def judge_reference(count: int) -> dict[str, float]:
    """Studies drawn from the reference study's own curves: its smoothed means as truth, its residuals as noise; their mean errors."""
    folder = (
        Path(os.environ.get("ORCH_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "reference-study"
    )
    if not folder.is_dir():
        print("\nThe curves of the reference study are not here; left out.")
        return {}
    curves = np.full((110, 6, 20), np.nan)
    with gzip.open(folder / "regime-1-curves.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            curves[int(row["trial"]), int(row["fold"]), int(row["epoch"])] = float(row["val_auc"])
    means = curves.mean(axis=1)
    luck, measured = (
        simulate_luck(curves),
        noise.measure_noise(curves[np.arange(110), :, means.argmax(axis=1)]),
    )
    assert luck is not None
    assert measured is not None
    equals = noise.find_equals(means.max(axis=1), measured)
    print("\nThe reference study's 110 trials")
    print(
        f"  noise per fold {measured.per_fold:.4f}, per trial {measured.per_trial:.4f}; expected luck of the best of "
        f"100 equal trials {noise.expected_luck(100, measured.per_trial):.4f}"
    )
    print(
        f"  best {means.max():.4f}, corrected {means.max() - luck.both:.4f}; {len(equals) - 1} of the other 109 cannot "
        "be told from it"
    )
    print("  (published winner 0.8082; run again it gave 0.7969)")
    return judge_own_noise(curves, count)


def judge_own_noise(curves: np.ndarray, count: int) -> dict[str, float]:
    """Studies drawn from the reference study's own curves, and from a grid in which two trials learn in some folds only.

    Returns:
        The mean error of the corrected value, by what the studies were drawn from and the objective.
    """
    means = curves.mean(axis=1)
    smooth = np.stack([np.convolve(np.pad(row, 2, mode="edge"), np.ones(5) / 5, "valid") for row in means])
    centre = smooth.mean(axis=0)
    truth = centre + 0.85 * (smooth - centre)
    pool = (curves - means[:, None] - (curves.mean(axis=0) - means.mean(axis=0))).reshape(-1, 20)
    pool = pool * math.sqrt(6 / 5)
    common = curves.mean(axis=0) - means.mean(axis=0)
    own = np.sqrt((pool.reshape(110, 6, 20) ** 2).mean(axis=(1, 2)))
    unit = (pool.reshape(110, 6, 20) / own[:, None, None]).reshape(-1, 20)
    grid, wild = draw_grid()
    corrected: dict[str, float] = {}
    for name, means_of, sizes, shared in (
        ("its curves, one noise for all trials", truth, np.full(110, own.mean()), common),
        ("its curves, each trial its own noise", truth, own, common),
        ("a grid of 32 trials, two of them wild", grid, wild, np.zeros((6, 20))),
    ):
        generator = np.random.default_rng(11)
        errors = []
        for seed in range(count):
            residuals = unit[generator.integers(len(unit), size=(len(means_of), 6))] * sizes[:, None, None]
            drawn = means_of[:, None] + shared + residuals
            values = drawn.mean(axis=1)
            trial, epoch = np.unravel_index(int(values.argmax()), values.shape)
            found = simulate_luck(drawn, draws=DRAWS, seed=seed)
            by_fold = simulate_luck(drawn, objective="mean_of_max", draws=DRAWS, seed=seed)
            assert found is not None
            chosen = int(drawn.max(axis=2).mean(axis=1).argmax())
            at = drawn[chosen].argmax(axis=1)
            fixed = (drawn[chosen, range(6), at] - shared[range(6), at] - means_of[chosen, at]).mean()
            naive = values[trial, epoch] - means_of[trial, epoch]
            errors.append((naive, naive - found.both, fixed, fixed - by_fold.both if by_fold else math.nan))
        table = np.array(errors)
        error = table.std(axis=0, ddof=1)[1] / math.sqrt(count)
        # A wild winner has no corrected value.
        given = table[~np.isnan(table[:, 3])]
        means = given.mean(axis=0) if len(given) else np.full(4, math.nan)
        spread = given.std(axis=0, ddof=1)[3] / math.sqrt(len(given)) if len(given) > 1 else math.nan
        print(
            f"  {count} studies drawn from {name}: mean error naive {table.mean(axis=0)[0]:+.4f}, corrected "
            f"{table.mean(axis=0)[1]:+.4f} (standard error {error:.4f}); mean_of_max {means[2]:+.4f}, corrected "
            f"{means[3]:+.4f} (standard error {spread:.4f}), refused in {1 - len(given) / count:.0%}"
        )
        corrected |= {f"{name}, max_of_mean": table.mean(axis=0)[1], f"{name}, mean_of_max": means[3]}
    return corrected


def draw_grid() -> tuple[np.ndarray, np.ndarray]:
    """The mean curves of a grid as Regime II has it, and the noise of each trial: two learn in some folds and not in others."""
    generator = np.random.default_rng(5)
    peaks = 0.80 - 0.012 * np.abs(np.repeat(np.arange(4), 8) - 2) - 0.002 * generator.random(32)
    curves = 0.5 + (peaks[:, None] - 0.5) * (1 - np.exp(-np.arange(1, 21) / 3))
    sizes = 0.0145 * np.exp(0.25 * generator.standard_normal(32))
    curves[[5, 20]] -= 0.1
    sizes[[5, 20]] = 0.1
    curves[:3] = 0.52
    return curves, sizes


def judge(seed: int) -> dict[str, dict[str, float]]:
    """What is found in one study, with and without the pruner."""
    generator = np.random.default_rng([2024, seed])
    study = simulated.simulate(generator)
    return {"whole": judge_whole(study, seed), "pruned": judge_pruned(study, generator)}


def main() -> None:
    """Print the tables; exit code 1 when a goal is missed."""
    rows = kept_rows.collect(judge, studies=200)
    count, whole, pruned = len(rows), [row["whole"] for row in rows], [row["pruned"] for row in rows]
    first = report(
        "Without a pruner",
        whole,
        {
            "naive": "naive",
            "bootstrap": "corrected by bootstrap (predictions kept)",
            "simulation": "corrected by simulation (curves alone)",
        },
    )
    second = report(
        "With the default pruner",
        pruned,
        {"naive": "naive", "repeats": f"corrected by {PLANNED} repeats of the winner"},
    )
    drawn = judge_reference(count)
    goals = {
        "naive is off by more than 0.010": min(first["naive"], second["naive"]) > NAIVE_IS_OFF_BY,
        "corrected is within 0.003, by every method and with a noise of its own for each trial": all(
            abs(one) <= CORRECTED_WITHIN
            for one in (first["bootstrap"], first["simulation"], second["repeats"], *drawn.values())
            if not math.isnan(one)
        ),
        "intervals hold the truth in 93 to 97 %": all(
            # Of 200 studies, a share of 95 % is known to 3 %.
            COVERED[0] - 0.015 <= one["covered"] <= COVERED[1] + 0.015
            for one in (first, second)
        ),
        "the set holds the truly best 95 % of the time": min(first["holds"], second["holds"]) >= HOLDS,
        "its size is bounded": all(
            one["size"] <= TIMES_AS_MANY * one["plain_size"] for one in (first, second)
        ),
    }
    print()
    for goal, reached in goals.items():
        print(f"{'reached' if reached else 'MISSED '}  {goal}")
    sys.exit(int(not all(goals.values())))


if __name__ == "__main__":
    main()
