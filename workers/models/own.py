"""Models of the user's own: Python entry points of the group `orch.models`, installed beside orch on each worker.

A spec only names one, so a study database can never bring code to a worker.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, TypeAlias

from storage.errors import ModelError
from workers.models.own_options import with_options

if TYPE_CHECKING:
    import keras

    from storage.spec import ModelSection

GROUP = "orch.models"
Builder: TypeAlias = "Callable[[ModelSection, int], keras.Model]"
"""From the [model] section and the number of labels to a model."""

BUILT_IN = ("transfer", "lenet")


def list_own_models() -> list[str]:
    """The names of the models that are installed on this machine."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def find_own_model(name: str) -> EntryPoint:
    """The entry point of a model.

    Raises:
        ModelError: it is not installed on this machine; names the nearest.
    """
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if not found:
        valid = [*BUILT_IN, *list_own_models()]
        near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
        raise ModelError(
            f"There is no model {name!r} on this machine.",
            why=f"It is none of {', '.join(valid)}.",
            next_step=f"Did you mean {near[0]}?"
            if near
            else f"Install the package that has the entry point {name!r} of the group {GROUP}.",
        )
    return found[0]


def load_builder(name: str) -> Builder:
    """Import the builder of a model.

    Raises:
        ModelError: it is not installed, or cannot be imported.
    """
    entry = find_own_model(name)
    try:
        builder: Builder = entry.load()
        return builder
    # Whatever the user's module raises is one clear message here.
    except Exception as error:
        raise ModelError(
            f"The model {name!r} ({entry.value}) could not be built: {type(error).__name__}: {error}",
            next_step="Import its module by hand in Python to see where it fails.",
        ) from error


def build_own_model(model: ModelSection, target_count: int) -> keras.Model:
    """Call the user's builder and check what it made.

    Args:
        model: the [model] section, handed to the builder.
        target_count: number of logits, handed to the builder: one for each label, one less than there are grades.

    Returns:
        Images of shape (n, height, width, 3), grey values of 0 to 255 as float32, to logits of shape (n, targets).

    Raises:
        ModelError: it is not installed, fails, or makes something else.
        SpecError: an option that it does not declare, or a value outside of the declared range.
    """
    import keras

    entry = find_own_model(model.kind)
    builder = load_builder(model.kind)
    handed = with_options(model, builder)
    try:
        built = builder(handed, target_count)
    # Whatever the user's code raises is one clear message here.
    except Exception as error:
        raise ModelError(
            f"The model {model.kind!r} ({entry.value}) could not be built: {type(error).__name__}: {error}",
            next_step="Call the builder by hand in Python to see where it fails.",
        ) from error
    wanted = (None, target_count)
    if not isinstance(built, keras.Model) or tuple(built.output_shape) != wanted:
        shape = getattr(built, "output_shape", type(built).__name__)
        raise ModelError(
            f"The model {model.kind!r} ({entry.value}) gives {shape} instead of {wanted}.",
            why="A builder returns a keras.Model with one logit for each label (no sigmoid).",
            next_step="End it with keras.layers.Dense(target_count, dtype='float32').",
        )
    if tuple(built.input_shape) != (None, *model.image_size, 3):
        raise ModelError(
            f"The model {model.kind!r} ({entry.value}) takes {built.input_shape} instead of "
            f"{(None, *model.image_size, 3)}.",
            next_step="Begin it with keras.Input((*model.image_size, 3)).",
        )
    return built
