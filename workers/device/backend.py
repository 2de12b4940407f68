"""Which backend of Keras computes, and the rooms that speak its own language.

KERAS_BACKEND chooses it: "tensorflow" (the default) or "jax". Nothing of the other one is imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from storage.errors import UsageError

ROOMS = {
    "tensorflow": ("workers.backends.tensorflow.epoch", "workers.backends.tensorflow.device"),
    "jax": ("workers.backends.jax.epoch", "workers.backends.jax.device"),
}

SETTINGS = ("learning_rate", "epsilon", "beta_1", "beta_2", "momentum", "weight_decay")
"""Hyperparameters of an optimizer step, each a float32 tensor."""


def chosen() -> str:
    """The backend that was chosen, whether orch trains with it or not: to look at results needs none."""
    named = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    return str(sys.modules["keras"].backend.backend()) if "keras" in sys.modules else named


def name() -> str:
    """The backend, without importing it; from now on the environment names it, for Keras and for child processes.

    Raises:
        UsageError: it is none of `ROOMS`.
    """
    found = chosen()
    if found not in ROOMS:
        raise UsageError(
            f"KERAS_BACKEND={found} is not a backend that orch trains with.",
            next_step=f"Set it to one of {', '.join(ROOMS)}, or unset it.",
        )
    return found


def epoch_room() -> Any:
    """The module with `CompiledEpoch` and `OptimizerSlots`.

    Raises:
        UsageError: as `name`, or the backend is not installed.
    """
    return _enter(ROOMS[name()][0])


def device_room() -> Any:
    """The module that prepares the device.

    It has `import_quietly`, `set_threads`, `count_threads`, `computes_side_by_side`, `count_at_once`, `stacks_folds`,
    `prepare_gpus` and `name_gpus`.

    Raises:
        UsageError: as `name`, or the backend is not installed.
    """
    return _enter(ROOMS[name()][1])


def require_tensorflow(what: str) -> None:
    """Refuse what no other backend can do.

    Args:
        what: begins the sentence of the message.

    Raises:
        UsageError: another backend was chosen.
    """
    if name() != "tensorflow":
        raise UsageError(
            f"{what} computes with TensorFlow only, and KERAS_BACKEND={name()} is set.",
            why="Of orch's training, frozen backbones with cached features run under other backends.",
            next_step="Unset KERAS_BACKEND and start again.",
        )


def _enter(room: str) -> Any:
    try:
        return importlib.import_module(room)
    except ModuleNotFoundError as error:
        if error.name != name():
            raise
        raise UsageError(
            f"KERAS_BACKEND={name()} is set, and {name()} is not installed.",
            next_step="Install it (`pip install 'orch-studies[jax]'`), or unset KERAS_BACKEND.",
        ) from error
