"""A run of the tests with KERAS_BACKEND=jax: this process cannot import TensorFlow, and compiled programs are kept from run to run.

So whatever orch does in it is done without TensorFlow, which is installed beside JAX for the comparisons of the other run.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

THREADS = 1
"""On so many threads every test process computes: under JAX their number stays what it was at the start."""


class _WithoutTensorFlow(PathFinder):
    """Finds everything else. An entry None in `sys.modules` would be taken for the library by Keras, which looks there."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What Python imports by this name."""
        return None if fullname == "tensorflow" else super().find_spec(fullname, path, target)


def check_threads() -> None:
    """Let the test fail that lets this process compute on another number of threads than the other files, not those after it."""
    device = sys.modules.get("workers.backends.jax.device")
    started = getattr(device, "_started", [])
    assert started in ([], [THREADS]), (
        f"this process computes on {started[0]} threads now: a study that is trained in it under JAX has "
        f"training.threads = {THREADS}, of heads tests.backends.SIDE_BY_SIDE"
    )


def begin(folder: Path) -> None:
    """Let this process be without TensorFlow, and keep programs in `folder`, unless whoever started it named a place.

    Each test has an ORCH_CACHE of its own, in which every one of its processes would compile the same again.
    """
    from workers.backends.jax.programs import MOST_BYTES, drop_damaged, name_processor

    sys.meta_path[sys.meta_path.index(PathFinder)] = _WithoutTensorFlow
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        place = folder / f"xla-{version('jax')}-{name_processor()}"
    except PackageNotFoundError:
        return
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    drop_damaged(place)
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(place),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(MOST_BYTES),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
