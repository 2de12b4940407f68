"""Image files of any size and mode as uint8 RGB arrays of one size."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.data.dicom import SUFFIXES as DICOM_SUFFIXES
from storage.data.dicom import inspect_dicom, is_dicom, read_dicom, read_form
from storage.data.endings import is_cut_off
from storage.data.grey import Extent, Scale, find_depth, find_range, measure, to_shades
from storage.data.headers import read_structure
from storage.errors import DataError, OrchError
from storage.parsing import check_regular
from storage.pictures.fitting import STRETCH, fit_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from storage.data.datasets import Dataset

RESIZE = "pillow bilinear with antialiasing"
"""What `read_image` does to sizes where it stretches; part of the key of features."""

GREY_RULE = "grey range 3"
"""The rule by which more than 8 bits become 8; part of the key of features where a data set has such files."""

LARGEST_FILE = 512 * 2**20
"""Bytes of one image file."""
MOST_GREY, MOST_COLOUR = 64_000_000, 32_000_000
"""Pixels of one image: a mammogram has 30 million. The copies that decoding makes stay below 500 MB so."""

SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", *DICOM_SUFFIXES)
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP")
FORMAT_NAMES = "JPEG, PNG, TIFF, WebP, BMP or DICOM"

EIGHT_BIT_MODES = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
)
"""Modes whose pictures are as they always were, whatever the rule for more bits."""

DEEP_COLOUR = re.compile(r"(RGB|RGBA|RGBX|RGBa|LA);16([BLN])")
ORIENTATION, PHOTOMETRIC = 0x0112, 0x0106
WHITE_IS_ZERO = 0
LOW_BYTES = {"B": "L", "L": "B", "N": "B" if np.little_endian else "L"}


@dataclass(frozen=True)
class ImageForm:
    """What an import needs to know of one file.

    Attributes:
        mode: of the pixels: Pillow's mode (`RGB;16` for 16 bits in colour), or DICOM's photometric interpretation.
        shape: (width, height) in pixels.
        rule: how values become grey values of 0 to 255: "8 bits", "bits used", "own range", or DICOM's "window" or "table".
        bits: how many bits its values use; 0 where that means nothing (a window, negative values, fractions).
        extent: its lowest and highest value where its range is its own; None for 8 bits, a window or a table.
        burned_in: why text may be part of a DICOM picture; empty otherwise.
        notes: tags of a DICOM file that were set aside, and of several windows the first.
        instance: the number that DICOM gives one picture alone; empty where there is none.
    """

    mode: str
    shape: tuple[int, int]
    rule: str = "8 bits"
    bits: int = 8
    extent: Extent | None = None
    burned_in: str = ""
    notes: tuple[str, ...] = ()
    instance: str = ""


def read_image(
    path: Path, size: tuple[int, int], scale: Scale | None = None, resize: str = STRETCH
) -> NDArray[np.uint8]:
    """Read an image as uint8 RGB, shape (height, width, 3).

    Grey becomes three equal channels. More than 8 bits are scaled as `storage.data.grey` says; transparency is laid over
    black; the orientation that a camera noted is applied.

    Args:
        path: a JPEG, PNG, TIFF, WebP, BMP or DICOM file.
        size: height and width in pixels.
        scale: the rule of its data set for more than 8 bits; by the file alone when left out.
        resize: of `storage.pictures.fitting.RESIZES`; only "stretch" does not keep the aspect ratio.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    return np.asarray(_fit(_open(path, scale), size, resize), np.uint8)


def _fit(picture: Image, size: tuple[int, int], resize: str) -> Image:
    from PIL import Image

    height, width = size
    if picture.size == (width, height):
        return picture
    fit = fit_picture((picture.height, picture.width), size, resize)
    left, top, right, bottom = fit.place
    placed = picture.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=fit.part)
    if placed.size == (width, height):
        return placed
    canvas = Image.new("RGB", (width, height))
    canvas.paste(placed, (left, top))
    return canvas


def read_picture(path: Path, scale: Scale | None = None) -> NDArray[np.uint8]:
    """Read an image as `read_image` does, in its own size.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    return np.asarray(_open(path, scale), np.uint8)


def read_header(path: Path) -> tuple[int, int, str, str]:
    """Width, height, mode and format of a file, without its pixels.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    if is_dicom(path):
        return (*read_form(path), "DICOM")
    try:
        with _open_one(path) as image:
            return image.width, image.height, image.mode, str(image.format)
    except (OSError, ValueError) as error:
        raise DataError(f"The image {path} cannot be read: {error}.", next_step="Copy it again.") from error


def read_grey(path: Path, most: int, scale: Scale | None = None) -> NDArray[np.uint8]:
    """Read an image in grey, shape (height, width), its longer side brought to at most about `most` pixels.

    JPEG files are decoded at a fraction of their size where that is enough, which is several times faster.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    from PIL import Image

    image = _open(path, scale, draft=most).convert("L")
    if max(image.size) > most:
        share = most / max(image.size)
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        image = image.resize(size, Image.Resampling.BOX if share <= 0.5 else Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


def inspect_image(content: bytes, name: str = "") -> ImageForm:
    """Make sure that a file is whole, and say what an import needs to know of it.

    Files of more than 8 bits, and all that is unusual, are decoded for it. The name of the file says that it is DICOM where the mark
    of such files was left out.

    Raises:
        DataError: a DICOM file that cannot be read as one grey picture.
        Exception: several pages, another format, or whatever Pillow's decoders raise for a damaged file.
    """
    known = read_structure(content)
    if known is not None and known[1][0] * known[1][1] <= (
        MOST_GREY if known[0] in ("L", "1", "P") else MOST_COLOUR
    ):
        return ImageForm(*known)
    if is_dicom(content) or name.lower().endswith(DICOM_SUFFIXES):
        facts = inspect_dicom(content)
        bits = find_depth(facts.extent.highest) if facts.extent and facts.extent.has_depth else 0
        return ImageForm(
            facts.mode,
            facts.shape,
            facts.rule,
            bits,
            facts.extent,
            facts.burned_in,
            facts.notes,
            facts.instance,
        )

    def reopen() -> Image:
        return _open_one(io.BytesIO(content))

    with reopen() as image:
        deep = _read_deep(image, reopen)
        if deep is None:
            image.load()
            return ImageForm(image.mode, image.size)
    extent = measure(deep.values)
    height, width = deep.values.shape[:2]
    if extent.has_depth:
        return ImageForm(deep.mode, (width, height), "bits used", find_depth(extent.highest), extent)
    return ImageForm(deep.mode, (width, height), "own range", 0, extent)


def describe_decoding(dataset: Dataset, resize: str = STRETCH) -> str:
    """How the images of a data set become pixels, for the key of what is computed from them.

    It is `RESIZE` alone where all files have 8 bits and are stretched, as it always was.
    """
    how = RESIZE if resize == STRETCH else f"{RESIZE}, {resize}"
    if set(dataset.summary.get("modes", {})) <= EIGHT_BIT_MODES:
        return how
    rule = json.dumps(scale_of(dataset).to_document(), sort_keys=True)
    return f"{how}; {GREY_RULE} {hashlib.sha256(rule.encode()).hexdigest()[:16]}"


def scale_of(dataset: Dataset) -> Scale:
    """The rule that the import of a data set wrote down; that for single files where an older orch made it."""
    return Scale.from_document((dataset.summary.get("pixels") or {}).get("scale"))


@dataclass(frozen=True)
class _Deep:
    """Values of more than 8 bits, shape (height, width) or (height, width, 3); how opaque each pixel is, 0 to 1."""

    values: NDArray[Any]
    mode: str
    opacity: NDArray[np.float64] | None = None
    orientation: int = 1
    zero_is_white: bool = False


def scale_of_card(card: dict[str, Any] | None) -> Scale:
    """The rule of the data set that a model was trained on, from its card; that for single files where it says none."""
    return Scale.from_document(((card or {}).get("dataset") or {}).get("pixels"))


def _open(path: Path, scale: Scale | None, draft: int = 0) -> Image:
    from PIL import Image, ImageOps

    try:
        if check_regular(path) > LARGEST_FILE:
            raise ValueError(f"it is longer than {LARGEST_FILE // 2**20} MiB")
        if is_dicom(path):
            return Image.fromarray(read_dicom(path)).convert("RGB")
        with _open_one(path) as opened:
            if draft and opened.format == "JPEG":
                opened.draft(None, (draft, draft))
            deep = _read_deep(opened, lambda: _open_one(path))
            if deep is None:
                opened.load()
                if opened.format in ("JPEG", "MPO") and is_cut_off(opened, path.read_bytes):
                    raise ValueError(
                        "its picture ends before its end mark, and what is missing would be grey"
                    )
                return _convert(ImageOps.exif_transpose(opened))
            shades = to_shades(deep.values, *find_range(measure(deep.values), scale))
            if deep.zero_is_white:
                shades = 255 - shades
            if deep.opacity is not None:
                opacity = deep.opacity[..., None] if shades.ndim == 3 else deep.opacity
                shades = np.rint(shades * opacity).astype(np.uint8)
            picture = Image.fromarray(shades)
            picture.getexif()[ORIENTATION] = deep.orientation
            return ImageOps.exif_transpose(picture).convert("RGB")
    except OrchError:
        raise
    # Pillow's decoders raise many kinds of errors for damaged files.
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise DataError(
            f"The image {path} cannot be read: {reason}.",
            why="The file is missing, damaged, cut off, or no image.",
            next_step="Copy it again, or leave it out.",
        ) from error


def _open_one(source: Path | io.BytesIO) -> Image:
    """Open a file that holds one picture.

    Raises:
        ValueError: another format, several pages, or a kind of TIFF that cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    # The limit below is a stricter one, and a sentence.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(source)
    except UnidentifiedImageError as error:
        start = source.getvalue()[:4] if isinstance(source, io.BytesIO) else _read_start(source, 4)
        if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise ValueError(
                "it is a TIFF file with an unusual number of channels or bits; save it as a grey TIFF or PNG of 8 or 16 bits"
            ) from error
        raise
    if image.format not in FORMATS:
        image.close()
        raise ValueError(f"it is a {image.format} file, not {FORMAT_NAMES}")
    most = MOST_GREY if len(image.getbands()) == 1 else MOST_COLOUR
    if image.width * image.height > most:
        image.close()
        raise ValueError(
            f"it has {image.width:,} x {image.height:,} pixels, and orch reads at most {most // 10**6} million; make it smaller"
        )
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format in ("TIFF", "WEBP"):
        image.close()
        raise ValueError(
            f"it has {pages} pages, and orch reads single pictures; save the page that counts as a file of its own"
        )
    return image


def _convert(image: Image) -> Image:
    from PIL import Image

    if image.has_transparency_data:
        layered = image.convert("RGBA")
        black = Image.new("RGBA", layered.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, layered).convert("RGB")
    return image.convert("RGB")


def _read_deep(image: Image, reopen: Callable[[], Image]) -> _Deep | None:
    """The values of a file with more than 8 bits; None for 8 bits.

    Pillow cuts 16 bits in colour to the high byte. Asked for the other byte order, the same decoder gives the low one.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        hidden = image.info.get("transparency")
        opacity = (values != hidden).astype(np.float64) if isinstance(hidden, int) else None
        # Pillow turns such TIFF files round where they have 8 bits, and only there.
        white = image.format == "TIFF" and image.getexif().get(PHOTOMETRIC) == WHITE_IS_ZERO
        return _Deep(values, image.mode, opacity, image.getexif().get(ORIENTATION, 1), white)
    raw = [tile.args if isinstance(tile.args, str) else tile.args[0] for tile in _tiles(image) if tile.args]
    found = DEEP_COLOUR.fullmatch(str(raw[0])) if raw else None
    if found is None:
        return None
    kind, order = found.groups()
    if kind == "LA":
        # Two channels of 16 bits take the bytes of four of 8.
        pairs, orientation = _load_raw(reopen, "RGBA")
        values = _join(pairs[..., 0::2], pairs[..., 1::2])
        return _Deep(values[..., 0], "LA;16", values[..., 1] / 65535, orientation)
    high, orientation = _load_raw(reopen, f"{kind};16{order}")
    low, _ = _load_raw(reopen, f"{kind};16{LOW_BYTES[order]}")
    values = _join(high, low)
    opacity = values[..., 3] / 65535 if kind == "RGBA" else None
    hidden = image.info.get("transparency")
    if kind == "RGB" and isinstance(hidden, tuple):
        opacity = (values != np.array(hidden)).any(axis=-1).astype(np.float64)
    return _Deep(values[..., :3], f"{kind};16", opacity, orientation)


def _load_raw(reopen: Callable[[], Image], raw_mode: str) -> tuple[NDArray[np.uint8], int]:
    with reopen() as opened:
        image: Any = opened
        tiles = [
            tile._replace(args=raw_mode if isinstance(tile.args, str) else (raw_mode, *tile.args[1:]))
            for tile in _tiles(image)
        ]
        image.tile = tiles
        image.load()
        return np.asarray(image), image.getexif().get(ORIENTATION, 1)


def _join(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return high.astype(np.uint16) * np.uint16(256) + low


def _tiles(image: Image) -> list[Any]:
    """How the file's parts are coded; Pillow has it for every file that it opens, though not for every image."""
    return list(getattr(image, "tile", ()))


def _read_start(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
