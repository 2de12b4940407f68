"""Parameters of a point that has none yet: drawn by an adaptive sampler when the point is first claimed."""

from __future__ import annotations

from typing import Any

from storage.distributions import distributions
from storage.engine import Database
from storage.studies import StudyRecord


def draw_params(database: Database, study: StudyRecord, point: int, trial_id: int) -> dict[str, Any]:
    """Let the study's sampler fill a running trial.

    The sampler is seeded from (study seed, point): workers that shared one seed would repeat each other's first
    draws. What it draws still depends on the trials that are finished by then.

    Args:
        database: where the study is.
        study: whose sampler.
        point: for the seed.
        trial_id: Optuna's id of the running trial.

    Returns:
        The parameters by name.
    """
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([study.spec.study.seed, point]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(seed=seed)
    # Loaded anew each time: a Study keeps the finished trials it has seen, and would not learn from later ones.
    loaded = optuna.load_study(study_name=study.name, storage=database.optuna, sampler=sampler)
    database.optuna.get_trial(trial_id)
    trial = optuna.trial.Trial(loaded, trial_id)
    return {
        name: _suggest(trial, name, distribution) for name, distribution in distributions(study.spec).items()
    }


def _suggest(trial: Any, name: str, distribution: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    suggest = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
    return suggest(name, distribution.low, distribution.high, log=distribution.log)
