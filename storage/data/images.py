"""Image files of any size and mode as uint8 RGB arrays of one size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.data.dicom import is_dicom, read_dicom
from storage.errors import DataError, OrchError

if TYPE_CHECKING:
    from PIL.Image import Image

RESIZE = "pillow bilinear with antialiasing"
"""What `read_image` does to sizes; part of the key of features."""


def read_image(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read an image as uint8 RGB, shape (height, width, 3).

    Grey becomes three equal channels. 16-bit grey is divided by 257, so that the whole range stays the whole
    range; transparency is laid over black; the orientation that a camera noted is applied.

    Args:
        path: a JPEG, PNG or DICOM file.
        size: height and width in pixels; the aspect ratio is not kept.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    from PIL import Image

    coloured = _open(path)
    height, width = size
    if coloured.size != (width, height):
        coloured = coloured.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(coloured, np.uint8)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read an image as `read_image` does, in its own size.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    return np.asarray(_open(path), np.uint8)


def _open(path: Path) -> Image:
    from PIL import Image, ImageOps

    try:
        if is_dicom(path):
            return Image.fromarray(read_dicom(path)).convert("RGB")
        with Image.open(path) as opened:
            return _convert(ImageOps.exif_transpose(opened))
    except OrchError:
        raise
    # Pillow's decoders raise many kinds of errors for damaged files.
    except Exception as error:
        raise DataError(
            f"The image {path} cannot be read: {str(error).rstrip('.') or type(error).__name__}.",
            why="The file is missing, damaged, cut off, or no image.",
            next_step="Copy it again, or leave it out.",
        ) from error


def _convert(image: Image) -> Image:
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = np.clip(np.asarray(image, np.float32) / 257, 0, 255)
        return Image.fromarray(np.rint(grey).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        black = Image.new("RGBA", layered.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, layered).convert("RGB")
    return image.convert("RGB")
