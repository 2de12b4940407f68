"""The device under JAX: threads, GPU memory, determinism. All of them are settled when JAX first looks for devices."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import DeviceError, DeviceSettledError
from storage.settings import changed_environment, xla_flags
from workers.backends.jax.programs import keep_programs
from workers.device.spared_imports import spare_tensorflow, without_what_is_offered

if TYPE_CHECKING:
    from storage.spec import Precision

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
"""Some GPU kernels add up in the order in which blocks finish; this leaves them out. Those of a processor do not."""

AMPERE = 8
"""The compute capability of NVIDIA's first GPUs with TF32."""

_started: list[int] = []
"""The number of threads that this process began with, once it did."""
_failed: list[DeviceError] = []
"""Why JAX did not start. Asked again it would start without the device that failed, and compute on the processor without a word."""


def import_quietly() -> None:
    """Set what JAX reads at its start: no start-up notes, and no GPU memory that is not needed yet.

    What the user set stays.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    flags = xla_flags()
    if DETERMINISTIC.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {DETERMINISTIC}".strip()


def set_threads(threads: int, at_once: int = 1) -> None:
    """Compute on `threads` threads, and start JAX; `at_once` has no meaning here.

    Raises:
        DeviceSettledError: JAX runs already with another number of threads.
        DeviceError: JAX finds no device that it can compute on.
    """
    import_quietly()
    import jax

    if _failed:
        raise _failed[0]
    if not _started:
        # XLA reads how many processors it may use from here, once; other programs know this name, too.
        with changed_environment(NPROC=str(threads)):
            try:
                jax.devices()
            except Exception as error:
                # JAX_PLATFORMS=cuda without a GPU is an AssertionError without words.
                _failed.append(_cannot_start(error))
                raise _failed[0] from error
        keep_programs()
        with without_what_is_offered("jax"):
            importlib.import_module("keras")
        spare_tensorflow()
        _started.append(threads)
    if _started != [threads]:
        raise DeviceSettledError(
            f"This process computes on {_started[0]} thread{'s' * (_started[0] > 1)} and cannot change to {threads}.",
            why="JAX fixes the number of threads at its start.",
            next_step="Use a process of its own for each.",
        )


def _cannot_start(error: Exception) -> DeviceError:
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    return DeviceError(
        f"JAX cannot start on this machine's device: {first_line}",
        why="The driver is too old for this JAX, no GPU is visible to it (CUDA_VISIBLE_DEVICES), or others use all of its memory.",
        next_step="`nvidia-smi` shows driver, GPUs and memory; `orch worker --gpus none` or JAX_PLATFORMS=cpu computes on the processor.",
    )


def computes_side_by_side() -> bool:
    """No: XLA shares every operation among the threads."""
    return False


def stacks_folds() -> bool:
    """Whether the folds of a trial are trained as one computation: on a GPU, which a small head does not fill."""
    import jax

    return any(device.platform == "gpu" for device in jax.devices())


def count_threads() -> int:
    """The number of threads that was set; 0 before."""
    return _started[0] if _started else 0


def count_at_once() -> int:
    """How many computations run side by side."""
    return 1


def prepare_gpus() -> None:
    """Nothing to do: `import_quietly` has said it before JAX started."""


def name_gpus() -> list[str]:
    """The models of the GPUs."""
    import jax

    return [device.device_kind for device in jax.devices() if device.platform == "gpu"]


def has_tf32() -> bool:
    """As `workers.device.contract.Device.has_tf32`."""
    import jax

    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    # "8.0" and more of NVIDIA's; AMD's are called "gfx90a" and the like.
    found = [str(getattr(gpu, "compute_capability", "")).partition(".")[0] for gpu in gpus]
    return bool(found) and all(major.isdecimal() and int(major) >= AMPERE for major in found)


def try_out() -> None:
    """As `workers.device.contract.Device.try_out`."""
    if not _started:
        return
    import jax

    found = np.asarray(jax.device_put(np.arange(4.0, dtype=np.float32)) + 1)
    if found.tolist() != [1.0, 2.0, 3.0, 4.0]:
        raise DeviceError("A sum on the device is wrong.")


def products_in(precision: Precision) -> AbstractContextManager[None]:
    """As `workers.device.contract.Device.products_in`; it holds for what is traced meanwhile, and is part of what JAX knows a trace by."""
    return _products_in(precision)


@contextmanager
def _products_in(precision: Precision) -> Iterator[None]:
    import jax

    wanted = {"float32": "highest", "tf32": "tensorfloat32"}.get(precision)
    if wanted is None or not stacks_folds():
        yield
        return
    with jax.default_matmul_precision(wanted):
        yield
