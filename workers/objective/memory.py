"""What the models of a trial need in memory, estimated from their sizes; and what to say when it was not there."""

from __future__ import annotations

import errno
import itertools
from typing import TYPE_CHECKING, Literal

from storage.errors import NotEnoughMemoryError, OrchError
from storage.wording import say_count
from workers.device import backend
from workers.device.words import FULL, first_words, says, words_of

if TYPE_CHECKING:
    from storage.spec import StudySpec

BYTES_PER_WEIGHT = 16
"""float32 weight, gradient and both moments of Adam."""
BYTES_PER_MORE = 4
"""An average of the weights, where one is kept; stacked, as often as a weight is."""
BYTES_PER_STACKED_WEIGHT = 40
"""The same where the folds are trained as one computation: weights and moments of each fold, their stacked copy, gradients, and what
the compiled loop keeps of a step before it is taken. It counts under JAX on a processor, too, where folds are not stacked: all workers
of a study choose alike."""
LOCKSTEP_BYTES = 8 * 1024**3
"""What k models may take side by side. A constant, not this machine's memory: all workers of a study must choose alike,
or their trials would be reported and pruned at different steps."""
OUT_OF_MEMORY_NAMES = ("ResourceExhaustedError", "MemoryError", "OutOfMemoryError")
DISK_WORDS = (
    *(
        "no space left on device",
        "disk quota exceeded",
        "input/output error",
        "read-only file system",
        "stale file handle",
    ),
    *("remote i/o error", "transport endpoint is not connected"),
)
"""What is said of a disk that is full, over quota, failing, read-only or gone: TensorFlow, h5py and Keras pass on the words without
their number, and TensorFlow raises its ResourceExhaustedError for several of them."""
LIMIT_WORDS = (
    *("too many open files", "can't start new thread", "thread creation failed"),
    *("no buffer space available", "resource temporarily unavailable"),
)
"""What is said where a limit of the machine, other than its memory, is reached."""


def count_weights(spec: StudySpec, feature_count: int, target_count: int) -> int:
    """Weights of one head, its biases left out."""
    widths = (feature_count, *spec.model.head, target_count)
    return sum(left * right for left, right in itertools.pairwise(widths))


def count_lenet_weights(image_size: tuple[int, int], target_count: int) -> int:
    """Weights of `workers.models.lenet.build_lenet`, biases and all, without building it."""
    # A convolution that keeps the size, one that takes four pixels away, and two poolings that halve.
    height, width = ((side // 2 - 4) // 2 for side in image_size)
    convolutions = (5 * 5 * 3 + 1) * 6 + (5 * 5 * 6 + 1) * 16
    return convolutions + (height * width * 16 + 1) * 1024 + (1024 + 1) * target_count


def choose_schedule(
    spec: StudySpec, feature_count: int = 0, target_count: int = 0, *, weights: int | None = None
) -> Literal["lockstep", "sequential"]:
    """The schedule that the spec names, or the one that fits into memory.

    Args:
        spec: names it, or leaves it open ("auto").
        feature_count: length of a feature vector.
        target_count: number of labels.
        weights: how many weights are trained, where that is more than a head.
    """
    if spec.cv.schedule != "auto":
        return spec.cv.schedule
    trained = count_weights(spec, feature_count, target_count) if weights is None else weights
    return "lockstep" if lockstep_bytes(spec, trained) <= LOCKSTEP_BYTES else "sequential"


def lockstep_bytes(spec: StudySpec, weights: int) -> int:
    """What the models of all folds need side by side, each with so many weights that are trained."""
    is_stacked = spec.uses_features and backend.chosen() == "jax"
    bytes_each = BYTES_PER_STACKED_WEIGHT if is_stacked else BYTES_PER_WEIGHT
    if True in spec.possible("use_ema", spec.training.use_ema):
        bytes_each += BYTES_PER_MORE * (3 if is_stacked else 1)
    return spec.fold_count * weights * bytes_each


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the GPU or of the host was not enough."""
    if any(kind.__name__ in OUT_OF_MEMORY_NAMES for kind in type(error).__mro__):
        text = words_of(error)
        return not any(words in text for words in (*DISK_WORDS, *LIMIT_WORDS))
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    return not isinstance(error, OrchError) and says(error, FULL)


def describe_out_of_memory(error: BaseException, *, batch_size: object, per_device: int, device: str) -> str:
    """One sentence that names what to change."""
    less = "A smaller batch size or head needs less."
    if per_device > 1:
        less = "A smaller batch size, or fewer processes per GPU (--per-gpu 1), needs less."
    return (
        f"Out of memory on {device} at batch size {batch_size} with {say_count(per_device, 'worker process', 'worker processes')} on it "
        f"({type(error).__name__}: {first_words(error, 200)}). {less}"
    )


def describe_models_too_large(
    error: BaseException, *, study: str, per_device: int, device: str
) -> NotEnoughMemoryError:
    """What to say when the models of a study do not fit, before a trial of it was begun."""
    return NotEnoughMemoryError(
        f"There is not enough memory on {device} for the models of study {study!r} with {say_count(per_device, 'worker process', 'worker processes')} on it "
        f"({type(error).__name__}: {first_words(error, 200)}).",
        why="The models are too large, or other programs use the memory.",
        next_step='A smaller batch size or head, or cv.schedule = "sequential", needs less'
        + (", and so do fewer processes per GPU (--per-gpu 1)." if per_device > 1 else ".")
        + " Where features were being extracted, a smaller model.extraction_batch does.",
    )


def free_memory() -> None:
    """Give back what models hold, as far as the process can; a no-op without TensorFlow."""
    import gc
    import sys

    gc.collect()
    if "keras" in sys.modules:
        import keras

        keras.utils.clear_session(free_memory=True)
