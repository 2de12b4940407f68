"""What TensorFlow and Keras import only to offer it to their own users, and a process of orch's own never asks them for.

JAX (for its conversion to TFLite), scikit-learn with SciPy, pandas with PyArrow, and IPython together take two fifths of the
time that `import tensorflow` takes where they are installed, in every worker process.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OFFERED = ("IPython", "jax", "pandas", "sklearn")

_processes_of_ours: list[bool] = []


def spare_imports() -> None:
    """Say that this process is orch's own: nobody in it hands a data frame to Keras, or a model to scikit-learn."""
    _processes_of_ours.append(True)


@contextmanager
def without_what_is_offered(backend: str) -> Iterator[None]:
    """While TensorFlow or Keras is imported: they find nothing of `OFFERED` that is not imported yet, as where it is not installed.

    Afterwards everything can be imported as ever. In a process that is not orch's own nothing changes.

    Args:
        backend: "tensorflow" or "jax"; is found.
    """
    if not _processes_of_ours:
        yield
        return
    spared = [name for name in OFFERED if name not in sys.modules and name != backend]
    sys.modules.update(dict.fromkeys(spared))  # type: ignore[arg-type]
    # Nothing of what an import makes is garbage: to look for some takes a tenth of its time.
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        for name in spared:
            del sys.modules[name]


def spare_tensorflow() -> None:
    """Under another backend, once Keras is imported: let it take TensorFlow for absent, as where it is not installed.

    It asks TensorFlow of whatever it writes and reads, so that each final model would import it: seconds, and notes on stderr. Keras asks
    once and remembers the answer; orch and its models can import TensorFlow as ever.
    """
    if not _processes_of_ours or "tensorflow" in sys.modules:
        return
    offered = importlib.import_module("keras.src.utils.module_utils")
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        for name in ("tensorflow", "gfile"):
            getattr(getattr(offered, name, None), "available", False)
    finally:
        del sys.modules["tensorflow"]
