"""What XLA of this JAX gains by bfloat16 on this device: a convolution, a product of matrices with sums of either kind, and a head.

    python -m bench.bfloat16_in_xla

Seconds of processor, which other load on the machine changes little; by the clock on a GPU. The convolution is one of InceptionV3 at 96
pixels, in a batch of 32; the head is one of 512 and 256 units, and its epoch has validation and scores. "Of sums in float32" is what `workers.backends.jax.layers` asks for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workers.backends.jax import device

ROUNDS = 15
IMAGES, SIDE, CHANNELS, WINDOW = 32, 10, 192, 3
ROWS, UNITS = 2000, 1024
FEATURES, LABELS, IMAGES_OF_A_HEAD, TRAINED = 2048, 18, 2400, 2000
BATCHES, HEAD_ROUNDS = (16, 128, 1600), 7


def main() -> None:
    """Print the median of each in milliseconds, and how many times as fast as float32 it is."""
    device.set_threads(2)
    import jax
    import jax.numpy as jnp

    def convolve(sums: Any) -> Callable[[Any, Any], Any]:
        def run(maps: Any, kernel: Any) -> Any:
            layout = ("NHWC", "HWIO", "NHWC")
            return jax.lax.conv_general_dilated(
                maps, kernel, (1, 1), "SAME", dimension_numbers=layout, preferred_element_type=sums
            )

        return jax.jit(run)

    def multiply(sums: Any) -> Callable[[Any, Any], Any]:
        return jax.jit(lambda rows, kernel: jax.lax.dot(rows, kernel, preferred_element_type=sums))

    generator = np.random.default_rng(0)
    shapes = {
        "convolution": (convolve, (IMAGES, SIDE, SIDE, CHANNELS), (WINDOW, WINDOW, CHANNELS, CHANNELS)),
        "product of matrices": (multiply, (ROWS, UNITS), (UNITS, UNITS)),
    }
    kinds = {
        "float32": (jnp.float32, None),
        "bfloat16": (jnp.bfloat16, None),
        "bfloat16, of sums in float32": (jnp.bfloat16, jnp.float32),
    }
    clock = time.perf_counter if device.name_gpus() else time.process_time
    print(f"JAX {jax.__version__}, {jax.devices()[0].device_kind}; median of {ROUNDS} rounds")
    for name, (make, *sides) in shapes.items():
        given = [jnp.asarray(generator.normal(size=side), jnp.float32) for side in sides]
        ways = {
            kind: (make(sums), [one.astype(each) for one in given]) for kind, (each, sums) in kinds.items()
        }
        taken: dict[str, list[float]] = {kind: [] for kind in ways}
        for number in range(ROUNDS + 1):
            for kind, (compute, factors) in ways.items():
                began = clock()
                jax.block_until_ready(compute(*factors))
                if number:  # the first one compiles
                    taken[kind].append(clock() - began)
        for kind, seconds in taken.items():
            ratio = np.median(np.array(taken["float32"]) / seconds)
            print(f"{name}, {kind}: {1000 * np.median(seconds):.2f} ms, {ratio:.2f} times as fast as float32")
    for batch_size in BATCHES:
        for precision in ("float32", "bfloat16"):
            epoch = make_epoch(precision, batch_size)
            epoch()
            median = np.median([measure(epoch, clock) for _ in range(HEAD_ROUNDS)])
            print(f"an epoch of a head, {precision}, batch {batch_size}: {1000 * median:.1f} ms")


def measure(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    """What it takes, by this clock."""
    began = clock()
    work()
    return clock() - began


def make_epoch(precision: str, batch_size: int) -> Callable[[], Any]:
    """An epoch of a head on made-up features, without augmentation."""
    from storage.spec import parse
    from workers.training.fold_trainer import FeatureSet, FoldTrainer

    generator = np.random.default_rng(0)
    values = generator.normal(size=(IMAGES_OF_A_HEAD, 1, FEATURES)).astype(np.float32)
    labels = generator.integers(2, size=(IMAGES_OF_A_HEAD, LABELS)).astype(np.float32)
    training = {"batch_size": batch_size, "precision": precision, "augmentation": "none"}
    spec = parse(
        {"study": {"name": "x"}, "model": {"head": [512, 256]}, "training": training}, source="the benchmark"
    )
    trainer = FoldTrainer(spec, FEATURES, LABELS)
    places = np.arange(IMAGES_OF_A_HEAD)
    trainer.reset(FeatureSet(values, labels), places[:TRAINED], places[TRAINED:], {}, (1, 2, 3))
    return lambda: trainer.run_epoch(1)


if __name__ == "__main__":
    main()
