"""In which numbers layers compute: Keras's mixed precision, weights always in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storage.spec import Precision


def name_policy(precision: Precision) -> str:
    """Keras's name of the policy; in TF32 only the products of float32 are rounded, which the backend does."""
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


@contextmanager
def built_for(precision: Precision) -> Iterator[None]:
    """Layers that are built meanwhile compute in this precision, unless they say another."""
    import keras

    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name_policy(precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)
