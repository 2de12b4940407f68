"""What the folds of trials on images compile under JAX: steps, all programs, and seconds.

    KERAS_BACKEND=jax JAX_ENABLE_COMPILATION_CACHE=false python -m bench.image_programs [--model EfficientNetB0] [--size 32] [--batch 16 9]

Six folds of different sizes are trained for an epoch each, for each batch size, on one network. Without the variable the programs are kept on disk: a second
process then finds each of them, and prints the same losses.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from storage.spec import parse
from workers.device import preparation
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

FOLDS = (12, 14, 15, 16, 18, 21)
"""Images of each fold."""


def main() -> None:
    """Print a line for each fold, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="EfficientNetB0", help="a backbone")
    parser.add_argument("--size", type=int, default=32, help="height and width in pixels")
    parser.add_argument("--batch", type=int, nargs="+", default=[16])
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    preparation.prepare(asked.threads)
    import jax

    compiled: list[float] = []
    kept: list[str] = []

    def note(event: str, seconds: float, **told: Any) -> None:
        if event.endswith("backend_compile_duration"):
            compiled.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(note)
    jax.monitoring.register_event_listener(lambda event, **told: kept.append(event))
    size = [asked.size, asked.size]
    model = {
        "backbone": asked.model,
        "weights": "none",
        "trainable": "all",
        "image_size": size,
        "head": [16],
    }
    document = {"study": {"name": "x"}, "model": model, "training": {"augmentation": "none"}}
    spec = parse(document, source="the benchmark")
    generator = np.random.default_rng(0)
    count = sum(FOLDS)
    labels = generator.integers(2, size=(count, 2)).astype(np.float32)
    shared = SharedNetwork(spec, labels.shape[1])
    images = shared.make_image_set(generator.integers(0, 256, (count, *size, 3), dtype=np.uint8), labels)
    fold_of_image = np.repeat(np.arange(len(FOLDS)), FOLDS)
    for trial, batch in enumerate(asked.batch):
        for fold in range(len(FOLDS)):
            trainer = ImageFoldTrainer(spec, shared)
            parts = (np.flatnonzero(fold_of_image != fold), np.flatnonzero(fold_of_image == fold))
            trainer.reset(images, *parts, {"batch_size": batch}, (1, trial, fold))
            before, busy = len(compiled), time.process_time()
            result = trainer.run_epoch(1)
            print(
                f"batches of {batch}, {(len(parts[0]) - 1) % batch + 1} left, fold of {len(parts[1])}: {len(compiled) - before} programs in "
                f"{sum(compiled[before:]):.1f} s; {time.process_time() - busy:.1f} s of processor; loss {result.train_loss:.9g}",
                flush=True,
            )
    epoch: Any = shared.epoch(trainer.rules)
    hits, misses = (
        sum(event.endswith(ending) for event in kept) for ending in ("cache_hits", "cache_misses")
    )
    print(
        f"{epoch._step._cache_size()} steps of {len(compiled)} programs, {sum(compiled):.1f} s of compiling or reading, by the clock; "
        f"{hits} found on disk, {misses} not; {time.process_time():.1f} s of processor"
    )


if __name__ == "__main__":
    main()
