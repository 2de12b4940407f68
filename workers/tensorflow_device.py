"""The device under TensorFlow: threads, GPU memory, determinism, and no start-up notes."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from storage.errors import TrainingError

PACKAGES = ("tensorflow",)
"""Whose versions a value depends on."""

STDERR = 2
"""The file descriptor, which C++ writes to whatever `sys.stderr` is."""


def import_quietly() -> None:
    """Import TensorFlow without its start-up notes on stderr, unless the user set TF_CPP_MIN_LOG_LEVEL.

    It writes the first of them before it reads any setting, so stderr itself is put aside meanwhile, and
    what was written there is shown only when the import fails.
    """
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        stderr = os.dup(STDERR)
        os.dup2(aside.fileno(), STDERR)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices("GPU")  # says so when there is no driver
        except BaseException:
            aside.seek(0)
            os.write(stderr, aside.read())
            raise
        finally:
            os.dup2(stderr, STDERR)
            os.close(stderr)


def set_threads(threads: int) -> None:
    """Compute on `threads` threads.

    Raises:
        TrainingError: TensorFlow runs already with another number of threads.
    """
    import_quietly()
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        if count_threads() != threads:
            raise TrainingError(
                f"This process cannot change to training.threads = {threads}.",
                why="TensorFlow fixes the number of threads at its first computation.",
                next_step="Start one worker for each number of threads: `orch worker NAME`.",
            ) from error


def count_threads() -> int:
    """The number of threads that was set."""
    import tensorflow as tf

    return int(tf.config.threading.get_intra_op_parallelism_threads())


def prepare_gpus() -> None:
    """Let GPUs take memory as they need it, and compute the same bits in each run."""
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


def _grow_memory(device: Any) -> None:
    import tensorflow as tf

    try:
        tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # The GPU is in use by this process already: how it takes memory is settled.
        return
