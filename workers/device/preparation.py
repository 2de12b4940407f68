"""The device a worker computes on: threads, GPU memory, determinism, and a quiet start of the backend.

Call `prepare` before anything else touches TensorFlow or JAX: they fix these things at their first use.
"""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from storage.errors import DeviceSettledError
from workers.device import backend

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from storage.spec import Precision, StudySpec


def prepare(threads: int, at_once: int = 1) -> None:
    """Make this process compute the same numbers wherever threads, hardware and versions are alike.

    Args:
        threads: that share one operation; their number decides the order of sums, hence the last bits.
        at_once: how many computations may run side by side, each on so many threads; decides no value.

    Raises:
        DeviceSettledError: the backend runs already with another number of threads.
        UsageError: KERAS_BACKEND names a backend that is not installed, or that orch does not train with.
    """
    backend.device().set_threads(threads, at_once)
    backend.device().prepare_gpus()


def prepare_or_keep(threads: int) -> None:
    """As `prepare`, for what need not be the same to the last bit: a process that computes already stays as it is."""
    try:
        prepare(threads)
    except DeviceSettledError:
        return


def prepare_for(spec: StudySpec) -> None:
    """As `prepare`, for training what a study asks for on its `training.threads`.

    Heads on features are small: folds side by side, each on one thread, use the processor better than threads that
    share the products of one fold. So their values do not even depend on the number of threads.
    """
    device, threads = backend.device(), spec.training.threads
    side_by_side = spec.uses_features and spec.cv.schedule != "sequential" and device.computes_side_by_side()
    prepare(*((1, threads) if side_by_side else (threads, 1)))


def import_quietly() -> None:
    """Choose the backend and let it start without notes on stderr, unless the user set TF_CPP_MIN_LOG_LEVEL.

    Raises:
        UsageError: KERAS_BACKEND names a backend that orch does not train with.
    """
    backend.device().import_quietly()


def count_at_once() -> int:
    """How many computations run side by side; 1 before `prepare`."""
    return backend.device().count_at_once()


def stacks_folds() -> bool:
    """Whether the folds of a trial on features are trained as one computation."""
    return backend.device().stacks_folds()


def products_in(precision: Precision) -> AbstractContextManager[None]:
    """Where products of float32 are computed as this precision says; elsewhere a GPU rounds them to TF32 without being asked."""
    return backend.device().products_in(precision)


def name_products(precision: Precision) -> Precision:
    """In what products are computed here: processors and older GPUs have no TF32 and compute in float32."""
    return "float32" if precision == "tf32" and not backend.device().has_tf32() else precision


def name_gpus() -> list[str]:
    """The models of the GPUs that this process computes on; none on a processor, and where the backend does not run."""
    return backend.device().name_gpus() if backend.chosen() in sys.modules else []


def try_out() -> None:
    """Compute something small on the device; nothing where the backend does not run.

    Raises:
        Exception: whatever the backend raises where the device does not work.
    """
    if backend.chosen() in sys.modules:
        backend.device().try_out()


def describe() -> dict[str, object]:
    """What a value depends on besides its seeds: processor, GPUs, threads; `versions` has the libraries."""
    device = backend.device()
    return {
        "processor": _name_processor(),
        "gpus": device.name_gpus(),
        "threads": device.count_threads(),
    }


def _name_processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
