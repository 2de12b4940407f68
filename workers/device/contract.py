"""What a backend offers, and what a fold hands it: the same under TensorFlow and JAX.

`workers.backends` has a folder for each, with equal file names: `device` is a `Device`, `epoch` an `EpochBackend`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from storage.metrics.epoch import Scores
from workers.device.steps import MOMENTS, Memory, StepRules

if TYPE_CHECKING:
    import keras

    from storage.spec import Precision
    from workers.heads.contract import Head

Tensor: TypeAlias = Any
"""A tensor of the backend's library: they have no type in common, and ship none."""

Scale: TypeAlias = tuple[Tensor, Tensor]
"""Mean and 1/sd of features on the device, each of shape (features,)."""

Settings: TypeAlias = Mapping[str, Any]
"""Hyperparameters by name: numbers, words, and the weight of each label."""

Parameters: TypeAlias = dict[str, Any]
"""The searched hyperparameters of one point, as they are kept in the database."""

State: TypeAlias = Mapping[str, np.ndarray]
"""Everything that the next epoch depends on, as named plain arrays."""


class Device(Protocol):
    """What a process computes on, settled before anything is computed: a module of functions."""

    def import_quietly(self) -> None:
        """Let the library start without notes on stderr."""
        ...

    def set_threads(self, threads: int, at_once: int = 1) -> None:
        """Compute on `threads` threads, `at_once` times side by side; DeviceSettledError when it is too late."""
        ...

    def count_threads(self) -> int:
        """The number of threads that was set."""
        ...

    def count_at_once(self) -> int:
        """How many computations run side by side."""
        ...

    def computes_side_by_side(self) -> bool:
        """Whether computations started from several threads share the processor."""
        ...

    def stacks_folds(self) -> bool:
        """Whether `Epoch.train_together` trains the folds of a trial as one computation here."""
        ...

    def prepare_gpus(self) -> None:
        """Let GPUs take memory as they need it, and compute the same bits in each run."""
        ...

    def name_gpus(self) -> list[str]:
        """The models of the GPUs."""
        ...

    def has_tf32(self) -> bool:
        """Whether the GPUs have TF32: those of NVIDIA since Ampere."""
        ...

    def try_out(self) -> None:
        """Compute something small on the device, where it is in use; whatever is raised then, or a wrong result, means that it does not work."""
        ...

    def products_in(self, precision: Precision) -> AbstractContextManager[None]:
        """Where products of float32 are computed as this precision says: on a GPU in TF32 or not; a processor has none."""
        ...


class Slots(Protocol):
    """What training changes of one model: weights, the optimizer's memory, running statistics, steps really taken."""

    @property
    def steps_taken(self) -> int:
        """Optimizer steps since the start, counted where they run."""
        ...

    def read(self) -> dict[str, np.ndarray]:
        """Copy everything that the next step depends on; names are the same under every backend."""
        ...

    def hold(self) -> Mapping[str, Tensor]:
        """As `read`, but as tensors that stay on the device: for models that take turns on one network."""
        ...

    def write(self, state: Mapping[str, Tensor]) -> None:
        """Go back to what `read` or `hold` returned."""
        ...

    def start(
        self, weights: Sequence[np.ndarray], statistics: Sequence[np.ndarray] = (), memory: Memory = MOMENTS
    ) -> None:
        """Begin again from these weights and statistics, with the memory of an `Epoch`."""
        ...

    def settle(self) -> None:
        """Let the Keras model be the model of now; between epochs the weights may be elsewhere."""
        ...


OwnSlots = TypeVar("OwnSlots", bound=Slots, contravariant=True)


@dataclass(frozen=True)
class FoldTask:
    """What one fold learns from in one epoch, and what it is validated on.

    Attributes:
        slots: weights and optimizer memory; changed in place.
        features: in the epoch's `feature_precision` on the device, shape (rows, features).
        scale: of this fold.
        labels: float32 on the device, shape (n images, targets); NaN is not assessed.
        order: the images, in the order of their batches.
        rows: the row of `features` that stands for each of them.
        settings: batch_size, seed (of dropout), dropout_rate, label_smoothing, the numbers and vectors of the head, the numbers
            of the `StepRules`, and those of `workers.device.backend.SETTINGS`; others are not looked at.
        validation_images: the images that the fold is validated on.
        validation_rows: the row of `features` that stands for each of them.
        scored: labels that scores are of, where the loss takes others: soft ones.
    """

    slots: Any
    features: Tensor
    scale: Scale
    labels: Tensor
    order: NDArray[np.int32]
    rows: NDArray[np.int32]
    settings: Settings
    validation_images: NDArray[np.int32]
    validation_rows: NDArray[np.int32]
    scored: Tensor | None = None


Logits: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class TrainedFold:
    """What an epoch of a fold gave.

    Attributes:
        logits: that training saw, shape (its images, targets); None where `scores` is there.
        validation_logits: shape (its validation images, targets); None where they are not known yet.
        scores: of training and validation, where the backend has counted them: those of `storage.metrics.epoch.score`, whose
            losses and squared errors may be rounded otherwise.
    """

    logits: Logits | None = None
    validation_logits: Logits | None = None
    scores: tuple[Scores, Scores] | None = None


class Epoch(Protocol[OwnSlots]):
    """The training epoch and the forward pass of one kind of head.

    Attributes:
        feature_precision: in what features are taken, "float32" or "bfloat16".
        memory: what its optimizer remembers at the start of a fold.
    """

    feature_precision: str
    memory: Memory

    def train(self, fold: FoldTask) -> Logits:
        """Take one optimizer step per batch, in the order of the task, and count each in its `slots.steps_taken`.

        Returns:
            The logits that training saw, shape (len(fold.order), targets), in the order of `fold.order`.
        """
        ...

    def predict(self, slots: OwnSlots, features: Tensor, scale: Scale, rows: NDArray[np.int32]) -> Logits:
        """Logits without dropout, shape (len(rows), targets)."""
        ...

    def train_together(self, folds: Sequence[FoldTask], is_kept: Sequence[bool]) -> list[TrainedFold]:
        """Train and validate the folds of one trial: here one after the other; a backend may do it as one computation.

        Args:
            folds: with the same features, labels and batch size.
            is_kept: whether the fold changes.

        Returns:
            By fold; of one that does not change it means nothing.
        """
        trained = []
        for fold, keeps in zip(folds, is_kept, strict=True):
            seen = self.train(fold) if keeps else None
            predicted = self.predict(fold.slots, fold.features, fold.scale, fold.validation_rows)
            trained.append(TrainedFold(seen, predicted))
        return trained


AnyEpoch: TypeAlias = Epoch[Any]
"""Whatever slots it takes: those of its own backend."""


@dataclass(frozen=True)
class ImageBatch:
    """Rows of one forward pass: views of images, each image once.

    Attributes:
        images: uint8, shape (at most so many images, height, width, 3).
        places: the image that each row is a view of, shape (rows,); -1 for a black one, which fills the batch up.
        views: its place in `storage.pictures.views.VIEWS`, shape (rows,).
        count: rows that count.
    """

    images: NDArray[np.uint8]
    places: NDArray[np.int32]
    views: NDArray[np.int32]
    count: int


class Forward(Protocol):
    """The forward pass of a backbone on bytes."""

    def run(self, batches: Iterable[ImageBatch]) -> Iterator[NDArray[np.float32]]:
        """Yield the features of each batch, shape (its rows, features), in order."""
        ...


class EpochBackend(Protocol):
    """What computes: a module of four functions."""

    def make_forward(
        self, backbone: keras.Model, scale: Callable[[np.ndarray], np.ndarray], precision: Precision
    ) -> Forward | None:
        """A forward pass that flips and scales on the device; None where that gains nothing.

        Args:
            backbone: from scaled pixels to features.
            scale: how the backbone wants float32 pixels of 0 to 255 scaled.
            precision: of the products.
        """
        ...

    def change_images(
        self,
        images: np.ndarray,
        matrices: np.ndarray,
        shifts: np.ndarray,
        drawn: Mapping[str, tuple[np.ndarray, ...]],
    ) -> NDArray[np.float32]:
        """Images changed as `workers.inputs.augmentation.Changes` says; UsageError where the backend cannot."""
        ...

    def make_slots(self, weights: Sequence[keras.Variable], statistics: Sequence[keras.Variable]) -> Slots:
        """Slots of a model, whose variables they are or follow.

        Args:
            weights: what the optimizer changes.
            statistics: what the forward pass changes: means and variances of BatchNormalization.
        """
        ...

    def compile_epoch(
        self,
        head: keras.Sequential,
        *,
        standardized: bool,
        rules: StepRules,
        precision: Precision,
        kind: Head,
    ) -> AnyEpoch:
        """The epoch of one kind of head.

        Args:
            head: gives the layers and shapes; its weights are not used.
            standardized: whether features are shifted and scaled after they were gathered.
            rules: of its steps.
            precision: of the products; the layers of `head` were built for it.
            kind: what the head learns by.
        """
        ...
