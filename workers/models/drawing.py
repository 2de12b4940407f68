"""Random numbers as TensorFlow draws them from a seed, under every backend: initial weights, and the noise of changed images.

Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), seeded and cut into numbers as TensorFlow's stateless
operations do on a processor. Written in operations that NumPy and JAX have in common, so that it may also run on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from workers.heads.contract import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
INCREMENTS = (0x9E3779B9, 0xBB67AE85)
SCRAMBLING_KEY = (0x3EC8F720, 0x02461E29)
"""With which a seed is turned into a key and the upper half of the counters."""

WORDS = 4
"""Numbers of 32 bits that one counter gives."""

HALF = 0xFFFF
SMALLEST = 1e-7
"""A number is kept so far from 0 before its logarithm is taken."""

CUT = 2.0
"""Where a truncated normal distribution ends, in standard deviations."""

RESERVED = 256
"""Counters kept for each four truncated numbers, because it is not known before how many are thrown away."""

TRIED = 5
"""How many of them are looked at: that fewer than four of their twenty numbers are kept has a chance of 1e-20."""

AT_ONCE = 2**16
"""Counters that are worked off together: what they need stays in the processor's cache."""

Words: TypeAlias = Sequence[Tensor]
Counting: TypeAlias = Callable[[NDArray[np.uint64]], Words]


def generate(counters: Words, key: Words) -> list[Tensor]:
    """Four random words for each counter.

    Args:
        counters: four arrays of uint32, the lowest part first.
        key: two arrays of uint32.
    """
    one, two, three, four = counters
    left, right = key
    for _ in range(ROUNDS):
        high, low = _multiply(MULTIPLIERS[0], one)
        other_high, other_low = _multiply(MULTIPLIERS[1], three)
        one, two, three, four = other_high ^ two ^ left, other_low, high ^ four ^ right, low
        left, right = left + np.uint32(INCREMENTS[0]), right + np.uint32(INCREMENTS[1])
    return [one, two, three, four]


def scramble(seeds: Tensor) -> tuple[Words, Words]:
    """The key and the upper two words of the counters that seeds stand for.

    Args:
        seeds: uint32, shape (n, 2).
    """
    nothing = seeds[:, 0] * np.uint32(0)
    first, second, third, fourth = generate(
        (seeds[:, 0], nothing, seeds[:, 1], nothing),
        tuple(nothing + np.uint32(word) for word in SCRAMBLING_KEY),
    )
    return (first, second), (third, fourth)


def to_shares(words: Tensor) -> Tensor:
    """Uniform numbers of [0, 1), float32, from random words: their lower 23 bits."""
    return (words & np.uint32(0x7FFFFF)).astype(np.float32) * np.float32(2.0**-23)


def to_normal(words: Words, library: Tensor = np) -> list[Tensor]:
    """Standard normal numbers, two from each two words (Box and Muller 1958).

    Args:
        words: an even number of arrays.
        library: whose functions the arrays belong to, `numpy` or `jax.numpy`.
    """
    made = []
    for radius, angle in zip(words[::2], words[1::2], strict=True):
        length = library.sqrt(
            np.float32(-2) * library.log(library.maximum(to_shares(radius), np.float32(SMALLEST)))
        )
        turned = to_shares(angle) * np.float32(2 * math.pi)
        made += [library.sin(turned) * length, library.cos(turned) * length]
    return made


def draw_normal(seeds: Tensor, count: int, library: Tensor = np) -> Tensor:
    """As `tf.random.stateless_normal` with alg="philox", for several seeds at once.

    Args:
        seeds: uint32, shape (n, 2).
        count: how many numbers of each.
        library: as in `to_normal`.

    Returns:
        float32, shape (n, count).
    """
    key, upper = scramble(seeds)
    numbers = library.arange(-(-count // WORDS)).astype(np.uint32)[None, :]
    words = generate(
        (numbers, numbers * np.uint32(0), *(word[:, None] for word in upper)), [word[:, None] for word in key]
    )
    made = library.stack(to_normal(words, library), axis=-1)
    return made.reshape(len(seeds), -1)[:, :count]


@contextmanager
def drawn_alike() -> Iterator[None]:
    """Initial weights that Keras draws meanwhile are those that it draws under TensorFlow, whichever backend computes.

    Nothing is computed by the backend for them: JAX would compile a program for each shape of zeros and ones.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        yield
        return
    from keras.src.backend import numpy as arrays
    from keras.src.backend import random

    ours = [(random, name, _instead_of(name)) for name in MAKE]
    ours += [(arrays, name, _filled(make, getattr(arrays, name))) for name, make in FILL.items()]
    theirs = [(module, name, getattr(module, name)) for module, name, _ in ours]
    for module, name, function in ours:
        setattr(module, name, function)
    try:
        yield
    finally:
        for module, name, function in theirs:
            setattr(module, name, function)


FILL: dict[str, Callable[..., NDArray[np.float32]]] = {"zeros": np.zeros, "ones": np.ones}


def _filled(make: Callable[..., NDArray[np.float32]], theirs: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Zeros or ones, where they are of float32 and of a shape that is known."""

    def fill(shape: Sequence[int], dtype: str | None = None) -> Tensor:
        import keras

        known = isinstance(shape, list | tuple) and all(isinstance(side, int) for side in shape)
        if not known or (dtype or keras.config.floatx()) != "float32":
            return theirs(shape, dtype)
        return keras.ops.convert_to_tensor(make(tuple(shape), np.float32), "float32")

    return fill


def _instead_of(name: str) -> Callable[..., Tensor]:
    def draw(
        shape: Sequence[int],
        minval: float = 0.0,
        maxval: float = 1.0,
        dtype: str | None = None,
        seed: Tensor = None,
        *,
        mean: float | None = None,
        stddev: float | None = None,
    ) -> Tensor:
        import keras
        from keras.src.random.seed_generator import draw_seed

        # By place, normal ones have mean and spread where uniform ones have their limits.
        begin = np.float32(minval if mean is None else mean)
        end = np.float32(maxval if stddev is None else stddev)
        # As Keras hands a seed to TensorFlow.
        words = np.asarray(draw_seed(seed), np.uint64) % np.uint64(2**31 - 2)
        numbers = _draw(words.astype(np.uint32), math.prod(shape), MAKE[name])
        scaled = numbers * (end - begin if name == "uniform" else end) + begin
        return keras.ops.convert_to_tensor(scaled.reshape(tuple(shape)), dtype or keras.config.floatx())

    return draw


def _draw(
    seed: NDArray[np.uint32], count: int, make: Callable[[NDArray[np.uint64], Counting], Tensor]
) -> NDArray[np.float32]:
    """Numbers of stretches of counters; `make` gets the numbers of the stretches, and what gives words for counters."""
    key, upper = scramble(seed[None])

    def count_up(places: NDArray[np.uint64]) -> Words:
        lower = (places & np.uint64(2**32 - 1)).astype(np.uint32), (places >> np.uint64(32)).astype(np.uint32)
        return generate((*lower, *upper), key)

    made = np.empty((-(-count // WORDS), WORDS), np.float32)
    for first in range(0, len(made), AT_ONCE):
        part = made[first : first + AT_ONCE]
        part[:] = make(np.arange(first, first + len(part)).astype(np.uint64), count_up)
    return made.reshape(-1)[:count]


def _make_uniform(numbers: NDArray[np.uint64], count_up: Counting) -> Tensor:
    return np.stack([to_shares(word) for word in count_up(numbers)], axis=1)


def _make_normal(numbers: NDArray[np.uint64], count_up: Counting) -> Tensor:
    return np.stack(to_normal(count_up(numbers)), axis=1)


def _make_truncated(numbers: NDArray[np.uint64], count_up: Counting) -> Tensor:
    """The first four numbers of each stretch of reserved counters that lie within the cut."""
    places = (numbers[:, None] * np.uint64(RESERVED) + np.arange(TRIED).astype(np.uint64)).astype(np.uint64)
    made = np.stack(to_normal(count_up(places.reshape(-1))), axis=1).reshape(len(numbers), -1)
    first = np.argsort(np.abs(made) >= CUT, axis=1, kind="stable")[:, :WORDS]
    return np.take_along_axis(made, first, axis=1)


MAKE = {"uniform": _make_uniform, "normal": _make_normal, "truncated_normal": _make_truncated}
"""What draws initial weights, by Keras's names: uniform in [0, 1), or with standard deviation 1."""


def _multiply(factor: int, words: Tensor) -> tuple[Tensor, Tensor]:
    """The upper and the lower 32 bits of a product."""
    if isinstance(words, np.ndarray):
        product = words.astype(np.uint64) * np.uint64(factor)
        return (product >> np.uint64(32)).astype(np.uint32), product.astype(np.uint32)
    # JAX has no numbers of 64 bits unless it is told to.
    low, high = words & np.uint32(HALF), words >> np.uint32(16)
    factor_low, factor_high = np.uint32(factor & HALF), np.uint32(factor >> 16)
    middle = high * factor_low + (low * factor_low >> np.uint32(16))
    other = low * factor_high + (middle & np.uint32(HALF))
    upper = high * factor_high + (middle >> np.uint32(16)) + (other >> np.uint32(16))
    return upper, words * np.uint32(factor)
