"""The device a worker computes on: threads, GPU memory, determinism, and a quiet start of the backend.

Call `prepare` before anything else touches TensorFlow or JAX: they fix these things at their first use.
"""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from workers import backend


def prepare(threads: int) -> None:
    """Make this process compute the same numbers wherever threads, hardware and versions are alike.

    Raises:
        TrainingError: the backend runs already with another number of threads.
        UsageError: KERAS_BACKEND names a backend that is not installed, or that orch does not train with.
    """
    set_threads(threads)
    backend.device_room().prepare_gpus()


def import_quietly() -> None:
    """Choose the backend and let it start without notes on stderr, unless the user set TF_CPP_MIN_LOG_LEVEL.

    Raises:
        UsageError: KERAS_BACKEND names a backend that orch does not train with.
    """
    backend.device_room().import_quietly()


def set_threads(threads: int) -> None:
    """Compute on `threads` threads; their number decides the order of sums, hence the last bits.

    Raises:
        TrainingError: the backend runs already with another number of threads.
    """
    backend.device_room().set_threads(threads)


def describe() -> dict[str, Any]:
    """What a value depends on besides its seeds: processor, GPUs, threads, library versions."""
    room = backend.device_room()
    return {
        "processor": _name_processor(),
        "gpus": room.name_gpus(),
        "threads": room.count_threads(),
        "versions": {name: metadata.version(name) for name in ("numpy", "keras", *room.PACKAGES)},
    }


def _name_processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
