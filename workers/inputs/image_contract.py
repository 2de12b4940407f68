"""What a backend offers to train on images, and what a fold hands it: the same under TensorFlow and JAX.

`workers.backends` has an `image_epoch` for each, which is an `ImageBackend`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from workers.device import backend
from workers.device.contract import Logits, Settings, Slots, Tensor
from workers.device.steps import Memory, StepRules
from workers.inputs.augmentation import Changes
from workers.inputs.mixing import Mixture
from workers.models.network import Network

VALIDATION_BATCH = 64
"""Images per forward pass outside training, at most: a constant, as it may decide the last digits."""


class ImageSet(Protocol):
    """The development images of a study.

    Attributes:
        pixels: uint8, shape (n images, height, width, 3); may be a memory map.
        labels: float32, shape (n images, targets); NaN is not assessed.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...


OwnImages = TypeVar("OwnImages", bound=ImageSet, contravariant=True)


@dataclass(frozen=True)
class ImagePlan:
    """What one fold learns from in one epoch.

    Attributes:
        order: the images, in the order of their batches, shape (n,).
        batch_size: images of a batch, at most n; the last may be shorter.
        changes: what is done to each of them.
        mixture: with what each of them is mixed after that; None for nothing.
    """

    order: NDArray[np.int64]
    batch_size: int
    changes: Changes
    mixture: Mixture | None = None


class ImageEpoch(Protocol[OwnImages]):
    """The training epoch and the forward pass of one network, whose weights and optimizer memory are in its slots.

    Attributes:
        memory: what the optimizer remembers at the start of a fold.
    """

    memory: Memory

    def train(self, images: OwnImages, plan: ImagePlan, settings: Settings) -> Logits:
        """Take one optimizer step per batch, and count each in `steps_taken` of the slots.

        Args:
            images: where the plan's images come from.
            plan: of the epoch.
            settings: seed (of dropout), dropout_rate, label_smoothing, the numbers and vectors of the head, the numbers of the
                `StepRules`, and those of `workers.device.backend.SETTINGS`.

        Returns:
            The logits that training saw, shape (n, outputs), in the order of the plan.
        """
        ...

    def predict(self, images: OwnImages, index: NDArray[np.int64]) -> Logits:
        """Logits outside training, shape (n, outputs): of the average of the weights, where one is kept."""
        ...


AnyImageEpoch = ImageEpoch[ImageSet]


class ImageBackend(Protocol):
    """What computes: a module of two functions."""

    def make_image_set(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.float32],
        scale: Callable[[Tensor], Tensor],
        shares: NDArray[np.float32] | None = None,
    ) -> ImageSet:
        """Pixels and labels of the development images.

        Args:
            pixels: uint8, shape (n images, height, width, 3); a memory map is fine.
            labels: shape (n images, targets); 0, 1 or NaN (not assessed).
            scale: grey values of 0 to 255 to what the model takes; float32 tensors.
            shares: shape (n images, targets), from 0 to 1: soft labels that the loss takes in place of the labels.
        """
        ...

    def compile_image_epoch(self, network: Network, rules: StepRules, slots: Slots) -> AnyImageEpoch:
        """The epoch of a network.

        Args:
            network: what is trained.
            rules: of its steps.
            slots: of `network`, from `workers.device.contract.EpochBackend.make_slots`.
        """
        ...


def image_backend() -> ImageBackend:
    """What trains on images, of the backend that was chosen.

    Raises:
        UsageError: as `workers.device.backend.name`, or the backend is not installed.
    """
    return cast("ImageBackend", backend.load("image_epoch"))
