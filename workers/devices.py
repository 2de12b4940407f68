"""The device a worker computes on: threads, GPU memory, determinism, and a quiet TensorFlow.

Call `prepare` before anything else touches TensorFlow: it fixes these things at its first use.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from importlib import metadata
from typing import Any

from storage.errors import TrainingError

STDERR = 2
"""The file descriptor, which C++ writes to whatever `sys.stderr` is."""


def prepare(threads: int) -> None:
    """Make this process compute the same numbers wherever threads, hardware and versions are alike.

    Raises:
        TrainingError: TensorFlow runs already with another number of threads.
    """
    set_threads(threads)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for device in gpus:
        _grow_memory(device)
    if gpus:
        # Some GPU kernels add up in the order in which blocks finish; those of a processor do not.
        tf.config.experimental.enable_op_determinism()


def import_quietly() -> None:
    """Import TensorFlow without its start-up notes on stderr, unless the user set TF_CPP_MIN_LOG_LEVEL.

    It writes the first of them before it reads any setting, so stderr itself is put aside meanwhile, and
    what was written there is shown only when the import fails.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
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
    """Compute on `threads` threads; their number decides the order of sums, hence the last bits.

    Raises:
        TrainingError: TensorFlow runs already with another number of threads.
    """
    import_quietly()
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            raise TrainingError(
                f"This process cannot change to training.threads = {threads}.",
                why="TensorFlow fixes the number of threads at its first computation.",
                next_step="Start one worker for each number of threads: `orch worker NAME`.",
            ) from error


def describe() -> dict[str, Any]:
    """What a value depends on besides its seeds: processor, GPUs, threads, library versions."""
    import tensorflow as tf

    gpus = [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]
    return {
        "processor": _name_processor(),
        "gpus": gpus,
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "versions": {name: metadata.version(name) for name in ("numpy", "keras", "tensorflow")},
    }


def _grow_memory(device: Any) -> None:
    import tensorflow as tf

    try:
        tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # The GPU is in use by this process already: how it takes memory is settled.
        return


def _name_processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
