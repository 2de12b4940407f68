"""Where a model looks (Grad-CAM, Selvaraju et al. 2017), laid over the image in colours."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from storage.pictures.fitting import STRETCH, fit_picture
from workers.device import backend
from workers.heads.contract import Head
from workers.heads.sigmoid import SIGMOID
from workers.models.feature_maps import combine_maps, find_last_maps

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

ALPHA = 0.3
"""How much of the colour is laid over the image, as in the second reference study."""


class GradCam(Protocol):
    """What a backend offers for heat maps: a module of one function."""

    def differentiate(
        self,
        model: keras.Model,
        layer: keras.Layer,
        images: Floats,
        choose: Callable[[Floats], list[int]],
        kind: Head,
    ) -> tuple[Floats, Floats, Floats]:
        """The gradient of the score of one output of each image with respect to what a layer returns.

        Args:
            model: from images to probabilities or numbers.
            layer: of the model.
            images: shape (n, height, width, 3), as the model takes them.
            choose: which output of each image, from all outputs.
            kind: what score of an output is differentiated.

        Returns:
            What the layer returned and the gradients, both of shape (n, height, width, maps); the outputs, shape (n, outputs).
        """
        ...


def compute_heat(
    model: keras.Model,
    images: Floats,
    targets: Sequence[int] | Callable[[Floats], int],
    kind: Head = SIGMOID,
) -> tuple[Floats, Floats]:
    """Grad-CAM of one output per image.

    With A_k the maps of the last convolution and y the score of the output (the logit of a probability, or a number): relu(sum_k a_k A_k), where
    a_k is the mean of dy / dA_k over places; divided by its maximum (`workers.models.feature_maps.combine_maps`).

    Args:
        model: from images to probabilities or numbers.
        images: shape (n, height, width, 3), as the model takes them.
        targets: length n: which output; or what chooses it from all outputs of an image.
        kind: of the model's labels: what score of an output is explained.

    Returns:
        Heat in [0, 1], shape (n, height, width of the maps), all 0 where nothing speaks for the output; and the
        probabilities, shape (n, outputs).

    Raises:
        DataError: the model has no feature maps.
        UsageError: the backend that was chosen is not installed.
    """

    def choose(outputs: Floats) -> list[int]:
        return [int(targets(row)) for row in outputs] if callable(targets) else list(targets)

    layer, room = find_last_maps(model), cast("GradCam", backend.load("grad_cam"))
    maps, gradients, outputs = room.differentiate(model, layer, images, choose, kind)
    return combine_maps(model, maps, gradients), outputs


def overlay(
    image: NDArray[np.uint8],
    heat: NDArray[np.float32],
    alpha: float = ALPHA,
    *,
    size: tuple[int, int] = (1, 1),
    resize: str = STRETCH,
) -> NDArray[np.uint8]:
    """Lay heat over an image in the colours of JET, from blue (0) to red (1).

    What the model did not see, because it was cut off, stays without colour; heat on the black beside a picture is left out.

    Args:
        image: shape (height, width, 3).
        heat: in [0, 1], of any size, over the whole input of the model.
        alpha: 0 leaves the image, 1 leaves the colours.
        size: height and width of the input; means nothing where the image was stretched.
        resize: how the image was brought to that size, of `storage.pictures.fitting.RESIZES`.
    """
    from PIL import Image

    fit = fit_picture((image.shape[0], image.shape[1]), size, resize)
    # Pixels that the model saw a part of are coloured, so that there is always one.
    left, top, right, bottom = (*map(math.floor, fit.part[:2]), *map(math.ceil, fit.part[2:]))
    rows, columns = heat.shape
    shares = (columns / size[1], rows / size[0]) * 2
    covered = tuple(end * share for end, share in zip(fit.place, shares, strict=True))
    scaled = Image.fromarray(heat).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR, box=covered
    )
    blended = image.astype(np.float64)
    seen = blended[top:bottom, left:right]
    blended[top:bottom, left:right] = (1 - alpha) * seen + alpha * 255 * colour(
        np.clip(np.asarray(scaled), 0, 1)
    )
    return np.rint(blended).astype(np.uint8)


def colour(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """JET: a value in [0, 1] as red, green and blue in [0, 1], in a new last axis."""
    middles = np.array([3.0, 2.0, 1.0])
    return np.clip(1.5 - np.abs(4 * np.asarray(values, np.float64)[..., None] - middles), 0, 1)


def to_png(image: NDArray[np.uint8]) -> bytes:
    """A picture as the bytes of a PNG file."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()
