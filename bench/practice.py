"""How often does orch see something where there is nothing: a gain of a useless model, and a strange picture of the same kind?

- a decision curve of a model that knows nothing: the share of data sets in which it is called better at any threshold (`is_better`, which counts all
  of them), and in which the interval of any single threshold lies above 0;
- the flag of `orch model predict` for pictures unlike the training set: the share of new pictures of the same kind that is flagged.

Goals: at most 5 % of useless models are called better, and at most 6 % of pictures flagged (the rate is 5 %).
Run: python -m bench.practice [data sets]
"""

import sys
from itertools import product

import numpy as np

from storage.practice.decisions import decision_curve
from storage.practice.unlike import fit_reference

MOST_BETTER, MOST_FLAGGED = 0.05, 0.06
PATIENTS, PREVALENCES, SPREADS = (30, 60, 200), (0.1, 0.3, 0.5), (0.3, 1.0)
"""Spreads are of the logits about that of the prevalence: a model that hardly differs from always saying the prevalence is the hardest to see through."""
PICTURES = ((120, 60), (300, 150), (1000, 500))
"""Training pictures, and their patients."""
FEATURES, RANK, NEW = 512, 40, 400


def judge_useless(patients: int, prevalence: float, spread: float, seed: int) -> tuple[bool, bool]:
    """Whether a model that knows nothing is better by all thresholds at once, and by one of them alone."""
    generator = np.random.default_rng([patients, int(100 * prevalence), int(10 * spread), seed])
    groups = np.repeat(np.arange(patients), generator.integers(1, 5, patients))
    labels = (generator.random(patients) < prevalence)[groups].astype(np.float64)
    scores = generator.normal(np.log(prevalence / (1 - prevalence)), spread, len(groups))
    rows = decision_curve(labels, 1 / (1 + np.exp(-scores)), groups, resamples=400, seed=seed)
    alone = [row["gain"]["low"] is not None and row["gain"]["low"] > 0 for row in rows]
    return any(row["is_better"] for row in rows), any(alone)


def flag_same(pictures: int, patients: int, seed: int) -> float:
    """The share of new pictures of the same kind that is flagged; two pictures of a patient are alike."""
    generator = np.random.default_rng([pictures, seed])
    mixing = generator.standard_normal((RANK, FEATURES))

    def draw(groups: np.ndarray) -> np.ndarray:
        count = int(groups.max()) + 1
        causes = generator.standard_normal((count, RANK))[groups] + generator.standard_normal(
            (len(groups), RANK)
        )
        return np.maximum(causes @ mixing + generator.standard_normal((len(groups), FEATURES)), 0)

    groups = generator.permutation(np.arange(pictures) % patients)
    reference = fit_reference(draw(groups), groups, seed=seed)
    assert reference is not None
    return float((reference.score(draw(np.arange(NEW))) > 1).mean())


def main() -> None:
    """Print both tables; exit code 1 when a goal is missed."""
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(
        f"useless models, {sets} data sets each: patients, prevalence, spread, better at any threshold, one threshold's own interval"
    )
    worst = 0.0
    for patients, prevalence, spread in product(PATIENTS, PREVALENCES, SPREADS):
        found = np.mean([judge_useless(patients, prevalence, spread, seed) for seed in range(sets)], axis=0)
        worst = max(worst, float(found[0]))
        print(f"  {patients:5d} {prevalence:5.1f} {spread:5.1f} {found[0]:8.1%} {found[1]:8.1%}", flush=True)
    draws = max(sets // 20, 1)
    print(
        f"pictures of the same kind, {draws} training sets each of {FEATURES} features: pictures, patients, flagged"
    )
    flagged = 0.0
    for pictures, patients in PICTURES:
        share = float(np.mean([flag_same(pictures, patients, seed) for seed in range(draws)]))
        flagged = max(flagged, share)
        print(f"  {pictures:5d} {patients:5d} {share:8.1%}", flush=True)
    goals = {
        f"useless models are called better in at most {MOST_BETTER:.0%}": worst <= MOST_BETTER,
        f"pictures of the same kind are flagged in at most {MOST_FLAGGED:.0%}": flagged <= MOST_FLAGGED,
    }
    for goal, is_reached in goals.items():
        print(f"{'reached' if is_reached else 'MISSED '}  {goal}")
    sys.exit(int(not all(goals.values())))


if __name__ == "__main__":
    main()
