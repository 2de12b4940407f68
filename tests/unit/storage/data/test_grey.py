"""Pictures of more than 8 bits keep their contrast, of every kind of file and channel, and 8 bits stay as they were."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from storage.data.grey import DEPTHS, Extent, Scale, choose_scale, find_depth, find_range, measure, to_shades
from storage.data.images import RESIZE, describe_decoding, inspect_image, read_grey, read_image, read_picture
from storage.errors import DataError

RAMP = np.arange(4096).reshape(64, 64)


def write_png(path: Path, pixels: np.ndarray, colours: int, **chunks: bytes) -> Path:
    """Write a PNG of 16 bits in any kind of colour: 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA."""
    height, width = pixels.shape[:2]

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0)
    extra = b"".join(chunk(name.encode(), content) for name, content in chunks.items())
    parts = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


def write_tiff(path: Path, pixels: np.ndarray, *, order: str = "<", packed: bool = False) -> Path:
    """Write a TIFF by hand: Pillow writes no 16 bits in colour."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, count = pixels.shape
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    content = zlib.compress(content) if packed else content
    sample = {"u": 1, "i": 2, "f": 3}[kind]
    lists = struct.pack(f"{order}{count}H", *[8 * size] * count) + struct.pack(
        f"{order}{count}H", *[sample] * count
    )
    tags = 11 + (count in (2, 4))
    lists_at = 8 + 2 + 12 * tags + 4
    at = lists_at + len(lists)

    def short(tag: int, value: int) -> bytes:
        return struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)

    def many(tag: int, place: int, value: int) -> bytes:
        if count > 2:
            return struct.pack(f"{order}HHII", tag, 3, count, lists_at + place)
        return struct.pack(f"{order}HHIHH", tag, 3, count, value, value if count == 2 else 0)

    directory = [
        short(256, width),
        short(257, height),
        many(258, 0, 8 * size),
        short(259, 8 if packed else 1),
        short(262, 2 if count >= 3 else 1),
        struct.pack(f"{order}HHII", 273, 4, 1, at),
        short(277, count),
        short(278, height),
        struct.pack(f"{order}HHII", 279, 4, 1, len(content)),
        short(284, 1),
    ]
    directory += [short(338, 2)] if count in (2, 4) else []
    directory.append(many(339, 2 * count, sample))
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HIH", 42, 8, tags) + b"".join(directory) + b"\0" * 4
    path.write_bytes(head + lists + content)
    return path


def save(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_detector_of_any_depth_becomes_black_to_white(tmp_path, bits, suffix) -> None:
    values = (RAMP * (2**bits - 1) / 4095).round().astype(np.uint16)
    picture = read_picture(save(tmp_path / f"a.{suffix}", values))[..., 0]
    assert np.array_equal(picture, np.rint(255.0 * values / (2**bits - 1)).astype(np.uint8))
    form = inspect_image((tmp_path / f"a.{suffix}").read_bytes())
    assert (form.rule, form.bits, form.shape) == ("bits used", bits, (64, 64))


@pytest.mark.parametrize("top", [4095, 65535])
@pytest.mark.parametrize(("colours", "kind"), [(2, "RGB"), (4, "LA"), (6, "RGBA")])
def test_sixteen_bits_in_colour_are_read_whole(tmp_path, colours, kind, top) -> None:
    generator = np.random.default_rng(1)
    channels = len(kind)
    pixels = generator.integers(0, top + 1, (9, 7, channels))
    pixels[0, 0] = top
    if kind != "RGB":
        pixels[..., -1] = 65535
        pixels[1, :, -1] = 0
    path = write_png(tmp_path / "a.png", pixels, colours)
    picture = read_picture(path)
    wanted = np.rint(255 * pixels[..., : 1 if kind == "LA" else 3] / top)
    if kind != "RGB":
        wanted[1] = 0
    assert np.array_equal(picture, np.broadcast_to(wanted, picture.shape))
    assert inspect_image(path.read_bytes()).mode == f"{kind};16"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_in_colour_of_sixteen_bits_is_read_whole(tmp_path, order, packed) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (9, 7, 3)).astype(np.uint16)
    pixels[0, 0] = 4095
    path = write_tiff(tmp_path / "a.tif", pixels, order=order, packed=packed)
    assert np.array_equal(read_picture(path), np.rint(pixels * 255.0 / 4095))


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (RAMP.astype(np.int16) - 1024, -1024, 3071),
        ((RAMP / 4095).astype(np.float32), 0, 1),
        ((RAMP / 4095 * 0.9).astype(np.float32), 0, 1),
        ((RAMP / 4095 / 16).astype(np.float32), 0, 1 / 16),
        ((RAMP / 1000 + 0.25).astype(np.float32), 0.25, 4.345),
        (RAMP.astype(np.float32), 0, 4095),
        (RAMP.astype(np.int32) * 16, 0, 65535),
        ((RAMP % 2).astype(np.float32), 0, 1),
    ],
    ids=["signed", "0 to 1", "below 1", "dark", "density", "whole", "32 bits", "mask"],
)
def test_signed_and_fractional_values_take_their_own_range(tmp_path, values, low, high) -> None:
    path = write_tiff(tmp_path / "a.tif", values)
    picture = read_picture(path)[..., 0].astype(int)
    wanted = np.rint(255 * np.clip((values.astype(float) - low) / (high - low), 0, 1))
    assert np.abs(picture - wanted).max() <= (1 if values.dtype.kind == "f" else 0)


def test_what_is_no_number_is_black(tmp_path) -> None:
    values = (RAMP / 4095).astype(np.float32)
    values[0] = np.nan
    values[1] = -np.inf
    values[2] = np.inf
    picture = read_picture(write_tiff(tmp_path / "a.tif", values))[..., 0]
    assert (picture[:2].max(), picture[2].min(), picture.max()) == (0, 255, 255)


def test_transparent_grey_of_sixteen_bits_is_black(tmp_path) -> None:
    values = RAMP[..., None] + 0
    path = write_png(tmp_path / "a.png", values, 0, tRNS=struct.pack(">H", 4095))
    picture = read_picture(path)[..., 0]
    assert picture[-1, -1] == 0
    assert picture[-1, -2] == 255


def test_the_orientation_of_a_deep_picture_is_applied(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    values = RAMP.astype(np.uint16)
    turned = read_picture(save(tmp_path / "a.png", values, exif=exif))[..., 0]
    assert np.array_equal(turned, read_picture(save(tmp_path / "b.png", values))[::-1, ::-1, 0])
    tiff = read_picture(save(tmp_path / "a.tif", values, exif=exif))[..., 0]
    assert np.array_equal(tiff, turned)


@pytest.mark.parametrize("suffix", ["bmp", "webp", "tif", "jfif"])
def test_other_files_of_eight_bits_are_read_as_they_are(tmp_path, suffix) -> None:
    values = (RAMP // 16).astype(np.uint8)
    options = {"format": "JPEG"} if suffix == "jfif" else {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", np.stack([values] * 3, axis=-1), **options)
    difference = np.abs(read_picture(path)[..., 0].astype(int) - values)
    assert difference.max() <= (3 if suffix == "jfif" else 0)
    assert inspect_image(path.read_bytes()).rule == "8 bits"


def test_one_bit_and_cmyk_are_read(tmp_path) -> None:
    Image.fromarray(RAMP % 2 == 1).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png")[..., 0], RAMP % 2 * 255)
    Image.new("CMYK", (8, 8), (0, 0, 0, 55)).save(tmp_path / "b.jpg")
    assert np.abs(read_picture(tmp_path / "b.jpg").astype(int) - 200).max() <= 2


def test_several_pages_and_other_formats_are_refused_by_name(tmp_path) -> None:
    page = Image.fromarray((RAMP // 16).astype(np.uint8))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page, page])
    with pytest.raises(DataError, match=r"a\.tif.*3 pages.*file of its own"):
        read_picture(tmp_path / "a.tif")
    page.save(tmp_path / "a.gif")
    with pytest.raises(DataError, match="GIF file, not JPEG"):
        read_picture(tmp_path / "a.gif")
    write_tiff(tmp_path / "b.tif", np.zeros((4, 4, 2), np.uint16))
    with pytest.raises(DataError, match="unusual number of channels or bits; save it as"):
        read_picture(tmp_path / "b.tif")


def test_a_dark_file_takes_the_depth_of_its_data_set(tmp_path) -> None:
    dark = save(tmp_path / "a.png", (RAMP // 8).astype(np.uint16))
    assert read_picture(dark).max() == round(255 * 511 / 1023)
    assert read_picture(dark, Scale((12,))).max() == round(255 * 511 / 4095)
    assert read_image(dark, (32, 32), Scale((12,))).max() <= 32


def extents(*tops: int) -> list[Extent]:
    return [Extent(0, top, True) for top in tops]


def test_the_scale_of_a_data_set_is_that_of_its_files() -> None:
    assert choose_scale(extents(*[4000] * 30, 900, 3000)) == Scale((12,))
    assert choose_scale(extents(*[4000] * 30, 70)).depths == (12,)
    # One hot pixel makes its own file dark, and no other.
    assert choose_scale(extents(*[4000] * 30, 60000)).depths == (12, 16)
    assert choose_scale(extents(*[4000] * 30, *[60000] * 10)).depths == (12, 16)
    assert choose_scale([]) == Scale()
    signed = choose_scale([Extent(-1024, 3000, True), Extent(-1000, 2000, True)])
    assert (signed.low, signed.high) == (-1024, 3000)
    assert find_range(Extent(-1000, 2000, True), signed) == (-1024, 3000)
    fractions = choose_scale([Extent(0, 0.98, False), Extent(0.0, 0.2, False)])
    assert find_range(Extent(0, 0.2, False), fractions) == (0, 1)
    assert Scale.from_document(signed.to_document()) == signed
    assert Scale.from_document(None) == Scale()


def test_depths_of_values_beyond_sixteen_bits() -> None:
    assert [find_depth(value) for value in (0, 255, 256, 4095, 65535, 65536)] == [8, 8, 10, 12, 16, 17]
    assert find_range(Extent(0, 100000, True)) == (0, 2**17 - 1)
    assert to_shades(np.full((2, 2), 7), 7, 7).max() == 0
    assert measure(np.full((2, 2), np.nan, np.float32)) == Extent(0, 0, True)


class Like:
    """A data set as far as decoding looks at it."""

    def __init__(self, modes, pixels=None) -> None:
        self.summary = {"modes": modes, "pixels": pixels}


def test_keys_of_eight_bits_are_what_they_were_and_others_name_the_rule() -> None:
    assert (
        describe_decoding(Like({"L": 3, "RGB": 2, "P": 1})) == RESIZE == "pillow bilinear with antialiasing"
    )
    old = describe_decoding(Like({"I;16": 3}))
    new = describe_decoding(Like({"I;16": 3}, {"scale": Scale((12,)).to_document()}))
    assert len({RESIZE, old, new}) == 3


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1"])
def test_eight_bits_are_the_same_to_the_last_bit(tmp_path, mode) -> None:
    """Features of older data sets are kept under the old key, so their pixels must be the old ones."""
    noise = np.random.default_rng(7).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    drawn = Image.fromarray(noise).convert(mode)
    drawn.save(tmp_path / "a.png")
    wanted = drawn.convert("RGB").resize((24, 20), Image.Resampling.BILINEAR)
    assert np.array_equal(read_image(tmp_path / "a.png", (20, 24)), np.asarray(wanted))


def test_grey_for_comparing_is_small_and_grey(tmp_path) -> None:
    path = save(tmp_path / "a.jpg", np.stack([(RAMP // 16).astype(np.uint8)] * 3, axis=-1))
    assert read_grey(path, 32).shape == (32, 32)
    assert read_grey(path, 500).shape == (64, 64)


@pytest.mark.parametrize("offset", [32768, 61440, 20000])
def test_a_narrow_band_of_16_bits_is_not_crushed(offset: int) -> None:
    """Hounsfield units with an offset, and 12 bits that were inverted in 16, would keep some 16 grey values."""
    values = (offset + RAMP).astype(np.uint16)
    extent = measure(values)
    for scale in (None, choose_scale([extent, Extent(offset + 100, offset + 3000, True)])):
        assert len(np.unique(to_shades(values, *find_range(extent, scale)))) == 256


def test_a_poor_picture_of_a_set_stays_comparable() -> None:
    poor, rich = Extent(3000, 3100, True), Extent(0, 4095, True)
    assert find_range(poor, choose_scale([rich, rich, poor])) == (0, 4095)
    assert find_range(Extent(3000, 3000, True)) == (0, 4095)


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_a_tiff_whose_zero_is_white_is_turned_round(tmp_path, kind) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(RAMP.astype(kind)).save(path, tiffinfo={262: 0})
    assert Image.open(path).tag_v2[262] == 0
    assert np.array_equal(read_picture(path)[..., 0], 255 - np.rint(RAMP * 255.0 / 4095))
