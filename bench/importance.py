"""Does the test of a hyperparameter's importance find what matters, and keep quiet where nothing does?

Regime I's search, 60 and 100 random trials, values that follow the two hyperparameters by smooth curves, and noise. Printed: how often each is
significant at 5 %, where both matter equally, where one matters three times as much, where one matters alone, and where nothing does.
`of the spread` is the share of the variance of the values that the hyperparameters explain together.
Goals: two equal effects at 60 trials are both found at least 90 % of the time, and what does nothing at most 5 %.
Run: python -m bench.importance [studies]
"""

import sys

import numpy as np

from dashboards.tables.importance import DEGREE, SIGNIFICANT, find_chances, place_on_grid
from orchestrator.planning.regimes import regime_one

NAMES = ("batch_size", "dropout_rate")
EXPLAINED = 0.5
"""Of the variance of the values, where something matters: what the trials of the reference study's Regime I leave to noise is the rest."""
SHUFFLES = 199
FOUND, FALSE = 0.90, 0.05


def draw(
    generator: np.random.Generator, trials: int, effects: tuple[float, float]
) -> tuple[list[np.ndarray], np.ndarray]:
    """The bases of both hyperparameters and the values of a study."""
    spec = regime_one("simulated")
    chosen = {
        "batch_size": generator.integers(16, 2049, trials),
        "dropout_rate": generator.uniform(0.0, 0.5, trials),
    }
    bases = [place_on_grid(spec, name, list(values)).basis(DEGREE) for name, values in chosen.items()]
    # One falls in a straight line, one has its best value inside the range.
    parts = [
        -standardise(chosen["batch_size"].astype(float)),
        -standardise((chosen["dropout_rate"] - 0.15) ** 2),
    ]
    signal = sum(effect * part for effect, part in zip(effects, parts, strict=True))
    noise = generator.standard_normal(trials)
    strength = np.hypot(*effects)
    if strength == 0:
        return bases, noise
    return bases, np.sqrt(EXPLAINED) * signal / strength + np.sqrt(1 - EXPLAINED) * noise


def standardise(values: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1."""
    return np.asarray((values - values.mean()) / values.std())


def main() -> None:
    """Print the table; exit code 1 when a goal is missed."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    shares: dict[tuple[int, tuple[float, float]], np.ndarray] = {}
    print(
        f"{studies} studies each; of the spread {EXPLAINED:.0%} explained; significant at {SIGNIFICANT:.0%}"
    )
    for trials in (60, 100):
        for effects in ((1.0, 1.0), (1.0, 0.3), (1.0, 0.0), (0.0, 0.0)):
            generator = np.random.default_rng([trials, *(int(10 * effect) for effect in effects)])
            found = np.array(
                [
                    find_chances(*draw(generator, trials, effects), SHUFFLES, seed) <= SIGNIFICANT
                    for seed in range(studies)
                ]
            )
            shares[trials, effects] = found.mean(axis=0)
            told = ", ".join(
                f"{name} {share:6.1%}" for name, share in zip(NAMES, found.mean(axis=0), strict=True)
            )
            print(
                f"  {trials:3d} trials, effects {effects[0]:g} : {effects[1]:g}   {told}, both {found.all(axis=1).mean():6.1%}"
            )
    sure = 1.96 * np.sqrt(FALSE * (1 - FALSE) / studies)
    silent = [shares[trials, (0.0, 0.0)] for trials in (60, 100)] + [
        shares[trials, (1.0, 0.0)][1:] for trials in (60, 100)
    ]
    goals = {
        "two equal effects at 60 trials are each found at least 90 % of the time": shares[
            60, (1.0, 1.0)
        ].min()
        >= FOUND,
        f"what does nothing is significant in at most 5 % (known to {sure:.1%})": max(map(np.max, silent))
        <= FALSE + sure,
    }
    for goal, is_reached in goals.items():
        print(f"{'reached' if is_reached else 'MISSED '}  {goal}")
    sys.exit(int(not all(goals.values())))


if __name__ == "__main__":
    main()
