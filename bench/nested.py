"""Does nested cross-validation give the value of the whole procedure? Simulated studies whose truth is known.

Of each study: the search with cross-validation on all patients, whose winner's own value is optimistic; and the same search within each of
5 outer folds, whose winner is judged once on the patients of that fold. Printed: the mean error of both, against what the winner of the
search on all patients would score on endless data, and how often the interval of the nested value holds that: by drawing the patients of the outer
folds again, and by the differences between the outer folds (Student's t), which is reported where the data are not at hand.
Run: python -m bench.nested [studies] [--keep FILE --minutes M]
"""

import math
import sys

import numpy as np

from bench import kept_rows
from bench import simulated_studies as simulated
from storage.metrics.objectives import AUC
from storage.trust import noise
from storage.trust.nested import patients_interval

OUTER, TRIALS, DRAWS = 5, 40, 200
COVERED, WITHIN = (0.93, 0.97), 0.003
"""The goals: of the interval, and of the mean error."""


def choose(curves: np.ndarray) -> tuple[int, int]:
    """Trial and epoch with the highest mean over folds; curves of shape (trials, folds, epochs)."""
    trial, epoch = np.unravel_index(int(curves.mean(axis=1).argmax()), curves.shape[::2])
    return int(trial), int(epoch)


def judge(number: int) -> dict[str, float]:
    """One study: the errors of its values, and whether their intervals hold the truth."""
    generator = np.random.default_rng([2026, number])
    study = simulated.simulate(generator, trials=TRIALS)
    trial, epoch = choose(study.curves)
    truth = float(study.truth[trial, epoch])
    outer_of_group = generator.permutation(simulated.GROUPS) % OUTER
    outer = outer_of_group[study.groups]
    values, chosen, scores, folds = [], [], [], []
    for fold in range(OUTER):
        rest, held = np.flatnonzero(outer != fold), np.flatnonzero(outer == fold)
        search = simulated.train(
            generator, study.power, study.labels[rest], study.groups[rest], study.shared[rest]
        )
        best, at = choose(search.curves)
        tested = simulated.score_once(
            generator, study.power[best, at], study.labels[held], study.shared[held]
        )
        values.append(float(simulated.auc_of(study.labels[held], tested[None, None])[0, 0]))
        chosen.append(float(study.truth[best, at]))
        scores.append(tested)
        folds.append(held)
    value = float(np.mean(values))
    low, high = noise.mean_interval(value, [np.array(values)]) or (math.nan, math.nan)
    drawn = patients_interval(value, AUC, scores, study.labels, study.groups, folds, draws=DRAWS, seed=number)
    return {
        "naive": float(study.curves[trial, :, epoch].mean()) - truth,
        "nested": value - truth,
        "procedure": value - float(np.mean(chosen)),
        "covered": float(drawn.low <= truth <= drawn.high),
        "half": (drawn.high - drawn.low) / 2,
        "covered_folds": float(low <= truth <= high),
        "half_folds": (high - low) / 2,
    }


def main() -> None:
    """Print the table; exit code 1 when a goal is missed."""
    rows = kept_rows.collect(judge, studies=200)
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    count = len(rows)
    print(f"{count} studies of {TRIALS} trials, {OUTER} outer folds")
    for name, words in (
        ("naive", "the winner's own value"),
        ("nested", "the nested value, against the winner's truth"),
        ("procedure", "the nested value, against what its searches chose"),
    ):
        error = table[name].std(ddof=1) / math.sqrt(count) if count > 1 else math.nan
        print(f"  mean error, {words:<52} {table[name].mean():+.4f} (standard error {error:.4f})")
    for name, words in (
        ("", "by patients, as reported"),
        ("_folds", "by outer folds (Student's t), without the data"),
    ):
        print(
            f"  interval {words:<48} +- {table['half' + name].mean():.4f} holds the truth in "
            f"{table['covered' + name].mean():.1%}"
        )
    sure = 1.96 * math.sqrt(0.95 * 0.05 / count)
    goals = {
        f"the nested value is within {WITHIN}": abs(table["nested"].mean()) <= WITHIN,
        f"its interval holds the truth in 93 to 97 % (of {count} studies, a share of 95 % is known to {sure:.1%})": COVERED[
            0
        ]
        - sure / 2
        <= table["covered"].mean()
        <= COVERED[1] + sure / 2,
    }
    for goal, is_reached in goals.items():
        print(f"{'reached' if is_reached else 'MISSED '}  {goal}")
    sys.exit(int(not all(goals.values())))


if __name__ == "__main__":
    main()
