"""Parameters of a point that has none yet: drawn by an adaptive sampler when the point is first claimed."""

from __future__ import annotations

import warnings
from collections.abc import Container
from typing import TYPE_CHECKING

from storage.database.engine import Database
from storage.errors import LeaseLostError, SpecError
from storage.growth.evidence import Evidence, read_evidence
from storage.spec import acts, has_conditions
from storage.spec.distributions import distributions, from_optuna, to_optuna
from storage.studies.optuna_record import TOKEN
from storage.studies.study import StudyRecord
from workers.device.contract import Parameters

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution, CategoricalChoiceType
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial, TrialState


GENERATIONS = 5
"""A genetic search has at least so many generations, where the study is large enough for that."""

SMALLEST_POPULATION, LARGEST_POPULATION = 4, 50


def draw_params(database: Database, study: StudyRecord, point: int, trial_id: int) -> Parameters:
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

    Raises:
        LeaseLostError: the study was deleted.
    """
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([study.spec.study.seed, point]).generate_state(1)[0])
    search = study.spec.search
    sampler = make_sampler(
        study.spec.sampler.name, seed, study.spec.study.trials, has_conditions=has_conditions(search)
    )
    evidence = read_evidence(database, study) if study.spec.sampler.name == "tpe" else []
    # Loaded again each time: a Study keeps the finished trials it has seen, and would not learn from later ones.
    try:
        loaded = _load_study(
            database, study, sampler, [start for one in evidence for start in rank_starts(one)]
        )
        database.optuna.get_trial(trial_id)
        trial = optuna.trial.Trial(loaded, trial_id)
        params: Parameters = {}
        for name, distribution in distributions(study.spec).items():
            if acts(search, name, params):
                drawn = {name: _suggest(trial, name, distribution)}
                params |= from_optuna(study.spec, drawn)
        return dict(sorted(params.items()))
    except (KeyError, optuna.exceptions.UpdateFinishedTrialError) as error:
        raise LeaseLostError("The trial was ended by another process, or its study was deleted.") from error


def rank_starts(evidence: Evidence) -> list[tuple[Parameters, float]]:
    """The trials of a study made elsewhere that TPE can start from, and where each stood in it, from 0 (worst) to 1 (best)."""
    starts = evidence.starts
    return [(start["params"], place / max(len(starts) - 1, 1)) for place, start in enumerate(starts)]


def _load_study(
    database: Database, study: StudyRecord, sampler: BaseSampler, starts: list[tuple[Parameters, float]]
) -> Study:
    """The study as its sampler may see it: orch's own trials, and evidence; not what other tools told.

    Values of another study are of another metric or other data, so only their order counts: each stands for the value of this
    study that has its rank.
    """
    import numpy as np
    import optuna
    from optuna.trial import TrialState

    kinds = distributions(study.spec)

    class OwnStudy(optuna.study.Study):
        def _get_trials(
            self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
        ) -> list[FrozenTrial]:
            found = super()._get_trials(deepcopy, states, use_cache)
            own = [trial for trial in found if TOKEN in trial.user_attrs]
            if states is not None and TrialState.COMPLETE not in states:
                return own
            return [*self._make_evidence(own), *own]

        def _make_evidence(self, own: list[FrozenTrial]) -> list[FrozenTrial]:
            if not starts or len(self.directions) > 1:
                return []  # evidence has one objective
            values = [trial.value for trial in own if trial.state == TrialState.COMPLETE]
            known = [value for value in values if value is not None]
            made = []
            for place, (params, rank) in enumerate(starts):
                value = float(np.quantile(known, rank)) if known else rank
                trial = optuna.trial.create_trial(
                    params=to_optuna(params),
                    distributions={name: kinds[name] for name in params},
                    value=value,
                )
                # Older than every trial of the study, and none of them.
                trial.number = trial._trial_id = place - len(starts)
                made.append(trial)
            return made

    return OwnStudy(study_name=study.name, storage=database.optuna, sampler=sampler)


def make_sampler(name: str, seed: int, trials: int, *, has_conditions: bool = False) -> BaseSampler:
    """Make one of Optuna's samplers that learn from finished trials.

    Args:
        name: "tpe" (Bergstra et al. 2011), "cmaes" (Hansen 2016) or "nsga2" (the genetic algorithm of Deb et al.
            2002, here with one objective).
        seed: of this draw.
        trials: of the whole study; decides the size of a generation.
        has_conditions: whether hyperparameters hang on each other. TPE then learns about those together that occur together
            (`group`), and does not learn nothing about those that are not in every trial.

    Raises:
        SpecError: the package `cmaes` is not installed.
    """
    import optuna

    if name == "cmaes":
        require_cmaes()
        # One seed a draw must not mean one restart a draw: all that CMA-ES knows is kept in the study.
        return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if name == "nsga2":
        population = min(max(trials // GENERATIONS, SMALLEST_POPULATION), LARGEST_POPULATION)
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=population)
    if not has_conditions:
        return optuna.samplers.TPESampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def require_cmaes() -> None:
    """Make sure that the package `cmaes` is here.

    Raises:
        SpecError: it is not.
    """
    import importlib.util

    if importlib.util.find_spec("cmaes") is None:
        raise SpecError(
            'sampler.name = "cmaes" needs the package cmaes, which is not installed here.',
            next_step="Install it beside orch: pip install cmaes; or choose tpe, qmc or nsga2.",
        )


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> CategoricalChoiceType:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, log=distribution.log, step=distribution.step
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(
        name, distribution.low, distribution.high, log=distribution.log, step=distribution.step
    )
