"""What a [search] section must be: known names, values that their sections take, and conditions that can hold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from storage.pictures.changes import MIXING
from storage.spec.conditions import acts, check_conditions, has_conditions, keep_acting, list_cells
from storage.spec.hyperparameters import (
    ACTS_WITH,
    CLIPS,
    COUNTED,
    LISTS,
    NOT_SEARCHED,
    OPTIMIZER_OPTION,
    SEARCHABLE,
    SWITCHES,
    TEXTS,
    WIDTH,
    find_unknown_option,
    is_known,
    is_option,
    is_whole,
)
from storage.spec.messages import find_nearest
from storage.spec.ranges import SearchRange, axis, number
from storage.spec.section import Section
from storage.spec.sections import (
    CONTINUOUS_AUGMENTATION,
    AugmentationSection,
    DataSection,
    ModelSection,
    SamplerSection,
    TrainingSection,
)
from storage.tasks.contract import Task
from storage.wording import show_value


class Searching(Protocol):
    """What a check reads of a study: see `storage.spec.study.StudySpec`, which these checks are a part of."""

    @property
    def search(self) -> dict[str, SearchRange]:
        """What is searched, by name."""
        ...

    @property
    def sampler(self) -> SamplerSection:
        """What draws the trials."""
        ...

    @property
    def model(self) -> ModelSection:
        """The fixed values of the model."""
        ...

    @property
    def augmentation(self) -> AugmentationSection:
        """The fixed changes of training images."""
        ...

    @property
    def data(self) -> DataSection:
        """Which data set."""
        ...

    @property
    def task(self) -> Task:
        """What kind of label it has."""
        ...

    @property
    def training(self) -> TrainingSection:
        """The fixed values of the training."""
        ...

    def possible(self, name: str, fixed: Any) -> set[Any]:
        """The values that a key may have in a trial."""
        ...


OF_A_BACKBONE = (
    *(
        "kind",
        "trainable",
        "backbone",
        "weights",
        "weights_seed",
        "image_size",
        "resize",
        "pooling",
        "extraction_precision",
    ),
    *("augmentation", "copies", *CONTINUOUS_AUGMENTATION),
)
"""What cannot be searched where features come from elsewhere."""
LARGEST_GRID = 100_000
"""Cells of a grid, as of trials of any other study."""


def check_search(spec: Searching) -> None:
    """Make sure that a study can search what its spec says.

    Raises:
        ValueError: says which key is wrong, and what it may be.
    """
    for name, searched in spec.search.items():
        if not is_known(name):
            raise ValueError(_describe_unknown(name))
        _check_kind(name, searched)
        if spec.sampler.name == "grid" and searched.type in ("int", "float") and searched.steps is None:
            raise ValueError(
                f'search.{name} must be of type "grid" or "choice" for the grid sampler, or have a `step`'
            )
        _check_values(spec, name, searched)
    check_conditions(spec.search)
    _check_sampler(spec)
    _check_head(spec)
    if spec.model.kind in ("transfer", "lenet") and "kind" not in spec.search:
        options = [
            *(name for name in spec.search if is_option(name)),
            *(f"model.options.{name}" for name in spec.model.options),
        ]
        if options:
            raise ValueError(
                f"{options[0]} is a hyperparameter of an own model, and model.kind is {spec.model.kind!r}"
            )


def check_training(spec: Searching) -> None:
    """Refuse keys of [training] that no trial obeys, because of another key, by a ValueError that names both."""
    training = spec.training
    is_given = {
        name: name in spec.search or getattr(training, name) != TrainingSection.model_fields[name].default
        for name in (*ACTS_WITH, *CLIPS)
    }
    for name, (other, wanted) in ACTS_WITH.items():
        if is_given[name] and not spec.possible(other, getattr(training, other)) & set(wanted):
            key = f"search.{name}" if name in spec.search else f"training.{name}"
            values = " or ".join(show_value(value) for value in wanted)
            raise ValueError(
                f"{key} acts only where training.{other} is {values}: set or search that, too, or leave {name} out"
            )
    clips = [name for name in CLIPS if is_given[name]]
    if len(clips) > 1:
        raise ValueError(
            f"training.{clips[0]} and training.{clips[1]} exclude each other: choose one way to clip gradients"
        )
    warm = max(spec.possible("warmup_epochs", training.warmup_epochs))
    if warm >= training.epochs:
        raise ValueError(
            f"training.warmup_epochs = {warm:g} leaves nothing of training.epochs = {training.epochs} to train at the full rate"
        )
    _check_optimizer_options(spec)


def _check_optimizer_options(spec: Searching) -> None:
    searched = [
        name.removeprefix(OPTIMIZER_OPTION) for name in spec.search if name.startswith(OPTIMIZER_OPTION)
    ]
    named = (*spec.training.optimizer_options, *searched)
    if fault := find_unknown_option(spec.possible("optimizer", spec.training.optimizer), named):
        raise ValueError(fault)


def find_unknown_label(spec: Searching, targets: Sequence[str]) -> str | None:
    """A label that is to be oversampled and that the data set does not have."""
    searched = spec.search["oversampled"].values or () if "oversampled" in spec.search else ()
    listed: Iterable[Any] = searched
    named = [*spec.training.oversampled, *(label for labels in listed for label in labels)]
    return next((str(label) for label in named if label not in targets), None)


def check_features(spec: Searching) -> None:
    """Features from elsewhere are of the images as they are, and of a backbone that orch does not have.

    Raises:
        ValueError: a key that needs images is set or searched.
    """
    searched = [name for name in OF_A_BACKBONE if name in spec.search]
    changing = [name for name in CONTINUOUS_AUGMENTATION if getattr(spec.augmentation, name) > 0]
    fixed = [
        name
        for name, value in (("kind", "transfer"), ("trainable", "head"))
        if getattr(spec.model, name) != value
    ]
    for place, names in (("search", searched), ("augmentation", changing), ("model", fixed)):
        if names:
            raise ValueError(
                f"{place}.{names[0]} has no meaning beside model.features: the features are of the images as they are, and only a "
                "head is trained on them"
            )


def check_augmentation(spec: Searching) -> None:
    """Images are mixed where the kind of label allows it, and copies are kept where a frozen backbone sees a few of them.

    Raises:
        ValueError: says which key means nothing, and why.
    """
    changing = [
        name
        for name in CONTINUOUS_AUGMENTATION
        if getattr(spec.augmentation, name) > 0 or name in spec.search
    ]
    for name in MIXING:
        if name in changing and name not in spec.task.mixes and spec.data.fingerprint:
            raise ValueError(
                f"augmentation.{name} does not go with {spec.task.title}: {spec.task.unmixed_because}"
            )
    copies = spec.possible("copies", spec.augmentation.copies)
    if not any(copies):
        return
    kinds = spec.possible("kind", spec.model.kind), spec.possible("trainable", spec.model.trainable)
    ranges = [name for name in changing if name in spec.search and spec.search[name].values is None]
    if kinds != ({"transfer"}, {"head"}) or spec.model.features:
        why = "keeps features of changed images, and only a frozen backbone has the same in every epoch"
    elif not changing:
        why = "keeps changed images, and nothing in [augmentation] changes them; flips are kept as they are"
    elif mixed := [name for name in changing if name in MIXING]:
        why = f"keeps single images, and {mixed[0]} mixes others in every epoch"
    elif ranges:
        why = (
            f'makes a set of features for each value of search.{ranges[0]}: list a few, with type = "choice"'
        )
    else:
        return
    raise ValueError(f"augmentation.copies {why}")


def count_cells(spec: Searching) -> int:
    """How many cells the grid of a study has.

    Raises:
        ValueError: more than `LARGEST_GRID`.
    """
    axes = {name: axis(name, searched) for name, searched in spec.search.items()}
    if has_conditions(spec.search):
        count = sum(1 for _ in itertools.islice(list_cells(spec.search, axes), LARGEST_GRID + 1))
    else:
        count = math.prod(len(values) for values in axes.values())
    if count > LARGEST_GRID:
        raise ValueError(
            f"the grid has more than {LARGEST_GRID:,} cells; search fewer values, or choose the random sampler"
        )
    return count


def _describe_unknown(name: str) -> str:
    if name in NOT_SEARCHED:
        return f"search.{name} cannot be searched: {NOT_SEARCHED[name]}"
    near = find_nearest(name, SEARCHABLE)
    hint = f"did you mean {near}?" if near else f"valid: {', '.join(sorted(SEARCHABLE))}"
    return f"search.{name} is not a hyperparameter ({hint})"


def _check_kind(name: str, searched: SearchRange) -> None:
    """Make sure that a search holds what the hyperparameter is made of: numbers, whole numbers, words, switches or lists."""
    if name.startswith(OPTIMIZER_OPTION) and any(
        isinstance(value, str | tuple) for value in searched.values or ()
    ):
        raise ValueError(f"search.{name} must hold numbers, or true and false")
    if is_option(name) or name.startswith(OPTIMIZER_OPTION):
        return
    values: Iterable[Any] = searched.values or (0,)
    if name in TEXTS:
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f'search.{name} must be of type "grid" or "choice" with texts')
        return
    if name in LISTS:
        if not all(isinstance(value, tuple) for value in values):
            example = "[[512], [512, 256]]" if name == "head" else '[["fracture"], ["fracture", "mass"]]'
            raise ValueError(f'search.{name} must be of type "choice" with lists, as in values = {example}')
        return
    if name in SWITCHES:
        if not all(isinstance(value, bool) for value in values):
            raise ValueError(f'search.{name} must be of type "choice" with true and false')
        return
    if name == "image_size":
        sizes = [value if isinstance(value, tuple) else (value, value) for value in values]
        if len(set(sizes)) < len(sizes):
            raise ValueError("search.image_size has one size twice: 224 and [224, 224] are the same")
        values = [side for value in values for side in (value if isinstance(value, tuple) else (value,))]
    if any(isinstance(value, str | bool | tuple) for value in values):
        raise ValueError(f"search.{name} must hold numbers")
    if not is_whole(name):
        return
    counted = COUNTED.get(name, "epochs" if name in ("patience", "cycle_epochs") else "")
    why = f": it counts {counted}" if counted else ""
    if searched.type == "float":
        raise ValueError(f'search.{name} must be of type "int" or "grid"{why}')
    if any(value != int(value) for value in values):
        raise ValueError(f"search.{name} must hold whole numbers{why}")


def _check_values(spec: Searching, name: str, searched: SearchRange) -> None:
    """Make sure that the section takes every value: the ends of a range, or each of a list."""
    if is_option(name) or name.startswith(OPTIMIZER_OPTION):
        return
    ends = searched.values if searched.values is not None else (searched.low, searched.high)
    key: str = SEARCHABLE.get(name, "")
    for end in ends:
        if name == "head_depth" or WIDTH.fullmatch(name):
            if not 0 < float(end or 0) <= (20 if name == "head_depth" else 1e6):
                raise ValueError(
                    f"search.{name} must lie between 1 and {'20 layers' if name == 'head_depth' else '1,000,000'}"
                )
            continue
        section: type[Section] = type(getattr(spec, key))
        given = (
            number(name, end)
            if searched.type != "choice" or (is_whole(name) and not isinstance(end, tuple))
            else end
        )
        try:
            section(**{name: given})
        except ValidationError as error:
            message = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise ValueError(
                f"search.{name} holds {show_value(given)}: {message[:1].lower()}{message[1:]}"
            ) from None


def _check_sampler(spec: Searching) -> None:
    sampler = spec.sampler
    if (sampler.name == "listed") != bool(sampler.points):
        raise ValueError('sampler.points and the sampler "listed" go together')
    for listed in sampler.points:
        if (
            listed.keys() - spec.search.keys()
            or keep_acting(spec.search, listed).keys() != listed.keys()
            or _lacks(spec, listed)
        ):
            exactly = ", and leave out what does not act there" if has_conditions(spec.search) else ""
            raise ValueError(f"every one of sampler.points must name exactly what [search] names{exactly}")
    if sampler.name == "grid":
        if not spec.search:
            raise ValueError("the grid sampler needs a [search] section with at least one grid")
        count_cells(spec)
    if sampler.name == "cmaes" and has_conditions(spec.search):
        name = next(name for name, searched in spec.search.items() if searched.when)
        raise ValueError(
            f"the sampler cmaes cannot follow search.{name}.when: its search space must be the same in every trial; "
            "choose tpe, random or qmc"
        )


def _lacks(spec: Searching, listed: dict[str, Any]) -> bool:
    return any(name not in listed and acts(spec.search, name, listed) for name in spec.search)


def _check_head(spec: Searching) -> None:
    widths = [int(found[1]) for name in spec.search if (found := WIDTH.fullmatch(name))]
    if "head" in spec.search and (widths or "head_depth" in spec.search):
        raise ValueError(
            "search.head gives all widths, so search.head_depth and search.head_width_N do not go with it"
        )
    known = len(spec.model.head)
    depths = spec.search.get("head_depth")
    deepest = int(max(depths.values or (depths.high or 0,), key=float)) if depths else 0
    if depths and max(widths, default=0) > deepest:
        raise ValueError(
            f"search.head_width_{max(widths)} acts in no trial: search.head_depth ends at {deepest} layers"
        )
    if not known and (widths or "head_depth" in spec.search) and 1 not in widths:
        raise ValueError("model.head is empty, so search.head_width_1 must say how wide its first layer is")
