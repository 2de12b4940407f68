"""The device under TensorFlow: threads, GPU memory, determinism, and no start-up notes."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from storage.errors import DeviceError, DeviceSettledError
from storage.settings import gpu_mebibytes, is_set
from workers.device.spared_imports import without_what_is_offered

if TYPE_CHECKING:
    from storage.spec import Precision

STDERR = 2
"""The file descriptor, which C++ writes to whatever `sys.stderr` is."""
AMPERE = 8
"""The compute capability of NVIDIA's first GPUs with TF32."""
_prepared: list[int] = []
"""The numbers of threads that were asked for: before, nothing may be computed that would settle them."""


def import_quietly() -> None:
    """Import TensorFlow without its start-up notes on stderr, unless the user set TF_CPP_MIN_LOG_LEVEL.

    It writes the first of them before it reads any setting, so stderr itself is put aside meanwhile, and
    what was written there is shown only when the import fails.
    """
    if "tensorflow" in sys.modules:
        return
    if is_set("TF_CPP_MIN_LOG_LEVEL"):
        _import_both()
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        stderr = os.dup(STDERR)
        os.dup2(aside.fileno(), STDERR)
        try:
            tf = _import_both()
            tf.config.list_physical_devices("GPU")  # says so when there is no driver
            # A study of many heads has a graph for each of them, and that is meant.
            tf.get_logger().addFilter(lambda record: "retracing" not in record.getMessage())
        except BaseException:
            aside.seek(0)
            os.write(stderr, aside.read())
            raise
        finally:
            os.dup2(stderr, STDERR)
            os.close(stderr)


def _import_both() -> ModuleType:
    with without_what_is_offered("tensorflow"):
        tensorflow = importlib.import_module("tensorflow")
        importlib.import_module("keras")  # most versions of TensorFlow have done so themselves
    return tensorflow


def set_threads(threads: int, at_once: int = 1) -> None:
    """Compute on `threads` threads, `at_once` times side by side where nothing was computed yet.

    Raises:
        DeviceSettledError: TensorFlow runs already with another number of threads.
    """
    import_quietly()
    import tensorflow as tf

    _prepared.append(threads)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads * at_once)
    except RuntimeError as error:
        if count_threads() != threads:
            raise DeviceSettledError(
                f"This process computes on {count_threads()} thread{'s' * (count_threads() > 1)} and cannot change to {threads}.",
                why="TensorFlow fixes the number of threads at its first computation.",
                next_step="Use a process of its own for each.",
            ) from error


def computes_side_by_side() -> bool:
    """Whether computations started from several threads share the processor; a GPU takes one after the other."""
    import_quietly()
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def stacks_folds() -> bool:
    """No: `workers.backends.tensorflow.epoch` trains one fold at a time."""
    return False


def count_threads() -> int:
    """The number of threads that was set."""
    import tensorflow as tf

    return int(tf.config.threading.get_intra_op_parallelism_threads())


def count_at_once() -> int:
    """How many computations run side by side."""
    import tensorflow as tf

    return max(1, int(tf.config.threading.get_inter_op_parallelism_threads()) // max(1, count_threads()))


def prepare_gpus() -> None:
    """Let GPUs take memory as they need it, or their share of it, and compute the same bits in each run."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for device in gpus:
        _grow_memory(device)
    if gpus:
        # Some GPU kernels add up in the order in which blocks finish; those of a processor do not.
        tf.config.experimental.enable_op_determinism()


def name_gpus() -> list[str]:
    """The models of the GPUs."""
    import tensorflow as tf

    return [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]


def has_tf32() -> bool:
    """As `workers.device.contract.Device.has_tf32`."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    found = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
    return bool(found) and all(capability and capability[0] >= AMPERE for capability in found)


def try_out() -> None:
    """As `workers.device.contract.Device.try_out`."""
    if not _prepared:
        return
    import tensorflow as tf

    found = (tf.constant([0.0, 1.0, 2.0, 3.0]) + 1).numpy()
    if found.tolist() != [1.0, 2.0, 3.0, 4.0]:
        raise DeviceError("A sum on the device is wrong.")


def products_in(precision: Precision) -> AbstractContextManager[None]:
    """As `workers.device.contract.Device.products_in`; TensorFlow asks at each product, so that only one precision is used at a time."""
    return _products_in(precision)


@contextmanager
def _products_in(precision: Precision) -> Iterator[None]:
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        yield
        return
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(precision != "float32")
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _grow_memory(device: Any) -> None:
    import tensorflow as tf

    limit = gpu_mebibytes()
    try:
        if limit:
            # The share of one of several processes on this GPU.
            part = tf.config.LogicalDeviceConfiguration(memory_limit=limit)
            tf.config.set_logical_device_configuration(device, [part])
        else:
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # The GPU is in use by this process already: how it takes memory is settled.
        return
