"""Which backend of Keras computes, and the modules that speak its own language.

KERAS_BACKEND chooses it: "tensorflow" (the default) or "jax". Nothing of the other one is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, cast

from storage.errors import UsageError
from storage.settings import keras_backend

if TYPE_CHECKING:
    from workers.device.contract import Device, EpochBackend

BACKENDS = ("tensorflow", "jax")
"""Each has a folder of its name in `workers.backends`; what they offer, `workers.device.contract` says."""

INSTALL = {
    "tensorflow": "Install it: `pip install 'orch-studies[gpu]'` for NVIDIA GPUs, `pip install tensorflow` for the processor.",
    "jax": "Install it: `pip install 'orch-studies[jax]'`; for NVIDIA GPUs `pip install 'jax[cuda13]'` beside it.",
}
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}

SETTINGS = ("learning_rate", "epsilon", "beta_1", "beta_2", "momentum", "weight_decay")
"""Hyperparameters of an optimizer step, each a float32 tensor."""


def chosen() -> str:
    """The backend that was chosen, whether orch trains with it or not: to look at results needs none."""
    named = keras_backend()
    os.environ["KERAS_BACKEND"] = named  # for Keras and for child processes
    return str(sys.modules["keras"].backend.backend()) if "keras" in sys.modules else named


def name() -> str:
    """The backend, without importing it; from now on the environment names it, for Keras and for child processes.

    Raises:
        UsageError: it is none of `BACKENDS`.
    """
    found = chosen()
    if found not in BACKENDS:
        raise UsageError(
            f"KERAS_BACKEND={found} is not a backend that orch trains with.",
            next_step=f"Set it to one of {', '.join(BACKENDS)}, or unset it.",
        )
    return found


def refuse_what_only_jax_does(at_once: int) -> None:
    """Check that the backend can train so many trials in one process.

    Raises:
        UsageError: it cannot.
    """
    if at_once > 1 and name() != "jax":
        raise UsageError(
            f"Only JAX trains several trials in one process (--at-once {at_once}), and this one uses {name()}.",
            next_step="Set KERAS_BACKEND=jax, or use --per-gpu N (on processors `orch worker --processes N`): a process for each trial.",
        )


def epoch_backend() -> EpochBackend:
    """What trains, of the backend that was chosen.

    Raises:
        UsageError: as `name`, or the backend is not installed.
    """
    return cast("EpochBackend", load("epoch"))


def device() -> Device:
    """What prepares the device, of the backend that was chosen.

    Raises:
        UsageError: as `name`, or the backend is not installed.
    """
    return cast("Device", load("device"))


def load(module: str) -> ModuleType:
    """A module of the backend that was chosen, by its name in the backend's room.

    Raises:
        UsageError: as `name`, or the backend is not installed.
    """
    found = name()
    # Asked before the module is loaded: it imports the library only where it first computes.
    if sys.modules.get(found) is None and importlib.util.find_spec(found) is None:
        raise UsageError(
            f"The backend that computes, {found}, is not installed here.",
            why="KERAS_BACKEND chooses it, tensorflow or jax; if it is not set, orch uses tensorflow.",
            next_step=f"{INSTALL[found]} Or choose the other one: KERAS_BACKEND={OTHER[found]}.",
        )
    return importlib.import_module(f"workers.backends.{found}.{module}")
