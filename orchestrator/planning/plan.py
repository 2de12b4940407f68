"""From a spec to the ordered points that must be evaluated. Pure: the same spec gives the same points.

Random: the parameters of point n are one draw of Optuna's RandomSampler seeded from (study seed, n).
Grid: point n is cell n of Optuna's GridSampler with the study's seed; every cell occurs once. Where ranges hang on each other
the cells are the valid ones, in an order drawn from the study's seed.
QMC: point n is point n of a scrambled Sobol sequence with the study's seed.
Listed: the points of the list, over and over; each time with seeds of its own.
TPE, CMA-ES and NSGA-II learn from finished trials: a point has no parameters until it is claimed.
Under random and QMC every hyperparameter is drawn, and what does not act in the point (`when`) is left out: so a condition
changes no other draw.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from storage.errors import SpecError
from storage.spec import (
    BUILDING,
    CONTINUOUS_AUGMENTATION,
    IDLE_WITHOUT,
    SearchRange,
    StudySpec,
    TrainingSection,
    has_conditions,
    keep_acting,
    list_cells,
    plain,
)
from storage.spec.distributions import distributions, ends, from_optuna, grid_values, to_optuna
from storage.wording import say_count, show_value

ADAPTIVE = ("tpe", "cmaes", "nsga2")
"""Samplers whose next point depends on the trials that are finished by then."""

OF_A_BACKBONE = frozenset(name for name, section in BUILDING.items() if section == "model") - {
    "kind",
    "image_size",
    "resize",
}
"""What only a model of a backbone and a head has."""
OF_FEATURES = frozenset({"scale", "extraction_precision"})
"""What acts on features that are computed once."""

FEW_IMAGES = 4
"""A last batch of at most this many images is worth a warning: it is a whole Adam step."""


def plan_points(spec: StudySpec, count: int | None = None) -> list[dict[str, Any] | None]:
    """Return the parameters of every planned point, in order; None where the sampler fills them later.

    Args:
        spec: of the study.
        count: of the points of a study that was extended; those before are the same. Left out, as many as the spec plans.
    """
    count = spec.point_count if count is None else count
    if not spec.search:
        return [{} for _ in range(count)]
    if spec.sampler.name == "listed":
        listed = [{name: plain(value) for name, value in params.items()} for params in spec.sampler.points]
        return [dict(listed[n % len(listed)]) for n in range(count)]
    if spec.sampler.name in ADAPTIVE:
        return [None] * count
    if spec.sampler.name == "qmc":
        return _sobol_points(spec, count)
    if spec.sampler.name == "grid":
        return _grid_points(spec)
    return [_random_point(spec, point) for point in range(count)]


def _random_point(spec: StudySpec, point: int) -> dict[str, Any]:
    import optuna

    # A study of its own per point: asking one study n times would read its n trials each time.
    study = _memory_study(optuna.samplers.RandomSampler(seed=_seed_of(spec, point)))
    return _acting(spec, study.ask(_by_name(spec)).params)


def _seed_of(spec: StudySpec, point: int) -> int:
    import numpy

    return int(numpy.random.SeedSequence([spec.study.seed, point]).generate_state(1)[0])


def _by_name(spec: StudySpec) -> dict[str, Any]:
    """Distributions in the order in which they are drawn: one that no condition changes."""
    return dict(sorted(distributions(spec).items()))


def _acting(spec: StudySpec, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What acts of a draw of every hyperparameter."""
    params = from_optuna(spec, drawn)
    return keep_acting(spec.search, params) if has_conditions(spec.search) else params


def _grid_points(spec: StudySpec) -> list[dict[str, Any] | None]:
    import numpy
    import optuna

    values = {name: grid_values(spec, name) for name in sorted(spec.search)}
    if has_conditions(spec.search):
        cells = list(list_cells(spec.search, values))
        return [cells[place] for place in numpy.random.default_rng(spec.study.seed).permutation(len(cells))]
    values = {name: list(to_optuna(dict(enumerate(axis))).values()) for name, axis in values.items()}
    study = _memory_study(optuna.samplers.GridSampler(values, seed=spec.study.seed))
    fixed = _by_name(spec)
    # Trial n of a fresh study is given cell n; none is told, so that no cell counts as visited.
    return [from_optuna(spec, study.ask(fixed).params) for _ in range(spec.point_count)]


def _sobol_points(spec: StudySpec, count: int) -> list[dict[str, Any] | None]:
    import warnings

    import optuna

    fixed = _by_name(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(
            qmc_type="sobol", scramble=True, seed=spec.study.seed, warn_independent_sampling=False
        )
    study = _memory_study(sampler)
    # The sampler takes what it may vary from the first finished trial; that one is no point of the plan.
    first = _memory_study(optuna.samplers.RandomSampler(seed=_seed_of(spec, 0))).ask(fixed).params
    study.add_trial(optuna.create_trial(params=first, distributions=fixed, value=0.0))
    return [_acting(spec, study.ask(fixed).params) for _ in range(count)]


def _memory_study(sampler: Any) -> Any:
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(sampler=sampler)
    finally:
        optuna.logging.set_verbosity(verbosity)


def share_of_equal_batches(spec: StudySpec, n_train: int) -> float:
    """Return the share of the batch-size search that means the same thing: one full batch.

    Every batch size from `n_train` up trains on all images in one step.

    Args:
        n_train: training images of one fold.

    Returns:
        A share in [0, 1], in the measure of the search (logarithmic where it is); 0 without such a search.
    """
    searched = spec.search.get("batch_size")
    if searched is None or ends(searched)[1] <= n_train:
        return 0.0
    return _share_from(searched, n_train)


def _share_from(searched: SearchRange, least: int) -> float:
    if searched.values:
        return sum(float(value) >= least for value in searched.values) / len(searched.values)
    low, high = ends(searched)
    first = max(low, least)
    if searched.log:
        # Optuna draws a whole number on a log scale from [low - 0.5, high + 0.5].
        return math.log((high + 0.5) / (first - 0.5)) / math.log((high + 0.5) / (low - 0.5))
    return (high - first + 1) / (high - low + 1)


def short_last_batch(batch_size: int, fold_sizes: Sequence[int]) -> int | None:
    """Return the fewest images that a fold's last batch would hold, where they are too few; else None.

    Args:
        fold_sizes: number of training images of each fold.
    """
    left = [size % batch_size for size in fold_sizes if size > batch_size]
    short = [rest for rest in left if 0 < rest <= FEW_IMAGES and rest * 4 <= batch_size]
    return min(short) if short else None


def fold_epochs(spec: StudySpec) -> int:
    """Return how many epochs of single folds the whole plan takes when nothing is pruned."""
    return spec.point_count * spec.fold_count * spec.training.epochs


def batch_warnings(
    spec: StudySpec, points: Sequence[dict[str, Any] | None], train_images: Sequence[int]
) -> list[str]:
    """Say which batch sizes mean the same thing, and which end an epoch on a handful of images.

    Args:
        train_images: training images of each fold.
    """
    found = []
    least = min(train_images)
    # Repeats of a winner draw no batch size: nothing is searched again.
    share = 0.0 if spec.sampler.name == "listed" else share_of_equal_batches(spec, least)
    if share:
        found.append(
            f"{share:.0%} of the batch-size range is equivalent: a fold has {least} training images, so every batch size "
            f"from {least} up is one full batch. "
            f"{_advise_batches(spec.search['batch_size'], least)}"
        )
    elif "batch_size" not in spec.search and spec.training.batch_size > least:
        found.append(
            f"The batch size {spec.training.batch_size} is above a fold's {least} training images: "
            "each epoch is one step on the full batch."
        )
    sizes = [
        (point or {}).get("batch_size", spec.training.batch_size) for point in points if point is not None
    ]
    short = sum(short_last_batch(size, train_images) is not None for size in sizes)
    if short and "batch_size" in spec.search:
        found.append(
            f"In {short} of {len(points)} configurations the last mini-batch of each epoch has {FEW_IMAGES} images or fewer "
            "but still counts as a full optimiser step, which adds noise."
        )
    elif short:
        left = short_last_batch(spec.training.batch_size, train_images)
        found.append(
            f"With batch size {spec.training.batch_size} the last mini-batch of each epoch has {say_count(left or 0, 'image')} "
            "but still counts as a full optimiser step, which adds noise. Another batch size avoids this."
        )
    return found


def _advise_batches(searched: SearchRange, full: int) -> str:
    """A search of the same kind without the sizes above one full batch, to be pasted; its low end stays below its high end."""
    kept: dict[str, Any] = {"type": searched.type}
    if searched.values:
        kept["values"] = sorted({*(int(size) for size in searched.values if int(size) < full), full})
    else:
        low = int(ends(searched)[0])
        if full < 2:
            return "With so little data the batch size need not be searched."
        kept |= {"low": low if low < full else min(16, full // 2), "high": full}
        if searched.log:
            kept["log"] = True
    table = ", ".join(f"{key}={json.dumps(value)}" for key, value in kept.items())
    return f"A narrower range: --set {shlex.quote(f'search.batch_size={{{table}}}')}."


def refuse_idle_search(spec: StudySpec) -> None:
    """Refuse a study that searches what changes nothing in any trial: trials would differ in name only, and workers refuse most of it.

    A range of one value is no search, and is let pass.

    Raises:
        SpecError: names the hyperparameters.
    """
    idle = {
        name: why
        for name, searched in spec.search.items()
        if _has_several(searched) and (why := _why_idle(spec, name)) is not None
    }
    if idle:
        reasons = "; ".join(f"search.{name} changes nothing: {why}" for name, why in idle.items())
        raise SpecError(
            f"{reasons}.",
            next_step=f"Describe the search in a spec file without {', '.join(idle)} (`orch init` writes one).",
        )


def _has_several(searched: SearchRange) -> bool:
    return len(set(searched.values if searched.values is not None else (searched.low, searched.high))) > 1


def _why_idle(spec: StudySpec, name: str) -> str | None:
    """Why a hyperparameter acts in no trial; None where it does in some, as far as the spec tells."""
    kinds, model = spec.possible("kind", spec.model.kind), spec.model
    if name in IDLE_WITHOUT:
        other, wanted = IDLE_WITHOUT[name]
        if not _possible_values(spec, other) & set(wanted):
            return f"it acts only where training.{other} is {_join_values(wanted)}, and no trial has that"
    elif name == "dropout_rate" and kinds == {"lenet"}:
        return "LeNet has no dropout"
    elif (name in OF_A_BACKBONE or name.startswith("head_width_")) and "transfer" not in kinds:
        return "no trial has a backbone with a head (model.kind is transfer there)"
    elif name in OF_FEATURES and not _may_use_features(spec):
        return "it acts on features that are computed once, and all trials train on images"
    elif (
        name == "weights_seed"
        and not model.weights_of
        and "none" not in spec.possible("weights", model.weights)
    ):
        return "it acts only where model.weights is none, and no trial has that"
    return None


def _may_use_features(spec: StudySpec) -> bool:
    """Whether a trial may have a frozen backbone whose images are kept."""
    is_changing = any(
        getattr(spec.augmentation, name) > 0 and name not in spec.search for name in CONTINUOUS_AUGMENTATION
    )
    is_kept = any(spec.possible("copies", spec.augmentation.copies))
    return "head" in spec.possible("trainable", spec.model.trainable) and (is_kept or not is_changing)


def describe_idle(spec: StudySpec) -> list[str]:
    """What is set and changes nothing, or searched and changes nothing in some trials: one sentence each."""
    said = [
        f"search.{name} changes nothing: {why}."
        for name, searched in spec.search.items()
        if not _has_several(searched) and (why := _why_idle(spec, name)) is not None
    ]
    for name, (other, wanted) in IDLE_WITHOUT.items():
        possible = _possible_values(spec, other)
        if name not in spec.search:
            is_set = getattr(spec.training, name) != TrainingSection.model_fields[name].default
            if is_set and (why := _why_idle(spec, name)) is not None:
                said.append(f"training.{name} changes nothing: {why}.")
        elif (
            possible & set(wanted) and possible - set(wanted) and other not in (spec.search[name].when or {})
        ):
            condition = ", ".join(f'"{value}"' for value in wanted)
            said.append(
                f"search.{name} acts only where {other} is {_join_values(wanted)}. So that other trials go without it: when = {{ {other} = [{condition}] }}."
            )
    words = sorted(name for name, searched in spec.search.items() if searched.type == "choice")
    if spec.sampler.name == "cmaes" and words:
        said.append(
            f"The sampler cmaes draws {', '.join(words)} at random, since it learns of numbers only; tpe learns of them, too."
        )
    return said


def _possible_values(spec: StudySpec, name: str) -> set[object]:
    return spec.possible(name, getattr(spec.training, name))


def _join_values(values: tuple[object, ...]) -> str:
    return " or ".join(show_value(value) for value in values)
