"""Vectors of images, made by a backbone of KerasHub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.data.grey import Scale
from storage.errors import DataError
from storage.pictures.views import VIEWS
from workers.inputs.decoding import read_batches
from workers.models.hub import HubBackbone

BATCH = 32


def embed_images(
    backbone: HubBackbone,
    files: Sequence[Path],
    *,
    scale: Scale | None = None,
    report: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Embed images as they are.

    Every forward pass has `BATCH` images, the last one padded with black ones, so that a vector does not depend on its neighbours.

    Args:
        backbone: what makes the vectors.
        files: the images.
        scale: the data set's rule for files of more than 8 bits.
        report: told the images done and all images.

    Returns:
        Shape (images, features).

    Raises:
        DataError: an image cannot be read, or a vector is not finite.
    """
    rows: list[NDArray[np.float32]] = []
    done = 0
    for batch in read_batches(files, backbone.size, VIEWS[:1], BATCH, scale=scale):
        padded = np.zeros((BATCH, *batch.shape[1:]), np.float32)
        padded[: len(batch)] = batch
        rows.append(backbone.embed(padded)[: len(batch)])
        done += len(batch)
        if report:
            report(done, len(files))
    values = np.concatenate(rows)
    if not np.isfinite(values).all():
        raise DataError("The backbone makes numbers of these images that are not finite.")
    return values
