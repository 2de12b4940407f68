"""DICOM values become the shades that pydicom computes, and tags that lie or are empty do not spoil a picture."""

from __future__ import annotations

import shutil
import subprocess
import warnings

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from storage.data.dicom import inspect_dicom, is_dicom, read_dicom
from storage.errors import DataError

RAMP = np.arange(4096).reshape(64, 64)
CURVE = (np.linspace(0, 1, 4096) ** 2 * 4095).astype(int)


def make(pixels=RAMP, *, signed=False, allocated=16, stored=12, **tags) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit = allocated, stored, stored - 1
    file.PixelRepresentation = int(signed)
    file.PixelData = pixels.astype(f"<{'i' if signed else 'u'}{allocated // 8}").tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    return file


def make_table(entries, first: int = 0, bits: int = 16, *, packed: bool = False, count: int | None = None):
    item = Dataset()
    item.LUTDescriptor = [(len(entries) if count is None else count) % 65536, first, bits]
    item.add_new(0x00283006, "OW", np.asarray(entries).astype("u1" if packed else "<u2").tobytes())
    return Sequence([item])


def write(file: FileDataset, folder, raw: dict | None = None):
    """Save a file; `raw` tags are written as bytes that are no value of their kind."""
    path = folder / "a.dcm"
    for tag, (representation, content) in (raw or {}).items():
        file.add_new(tag, "OB", content)
        del representation
    file.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    for tag, (representation, text) in (raw or {}).items():
        group, element = tag >> 16, tag & 0xFFFF
        header = group.to_bytes(2, "little") + element.to_bytes(2, "little")
        long = header + b"OB\0\0" + len(text).to_bytes(4, "little") + text
        assert long in content
        short = header + representation.encode() + len(text).to_bytes(2, "little") + text
        content = content.replace(long, short)
    path.write_bytes(content)
    return path


def as_pydicom(file: FileDataset) -> np.ndarray:
    """What pydicom shows of a file whose tags are as the standard wants them, scaled by its own output range."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = apply_modality_lut(file.pixel_array, file)
        if file.get("VOILUTSequence"):
            seen, low, high = apply_voi(values, file).astype(float), 0.0, None
        else:
            seen = apply_windowing(values, file).astype(float)
            ends = np.array([-1e9, 1e9])
            low, high = apply_windowing(ends, file)
    high = 2.0 ** int(seen.max()).bit_length() - 1 if high is None else high
    shades = (seen - low) / (high - low)
    return np.rint(255 * (1 - shades if file.PhotometricInterpretation == "MONOCHROME1" else shades))


def make_overlay() -> FileDataset:
    """An overlay plane in the unused high bits of the pixels, as older machines wrote it."""
    file = make(RAMP + 4096 * (RAMP % 5 == 0), **WINDOW)
    for element, representation, value in ((0x0010, "US", 64), (0x0011, "US", 64), (0x0102, "US", 12)):
        file.add_new((0x6000, element), representation, value)
    return file


WINDOW = {"WindowCenter": 1500, "WindowWidth": 2001}
GOOD = {
    "linear": make(**WINDOW),
    "exact": make(VOILUTFunction="LINEAR_EXACT", **WINDOW),
    "sigmoid": make(VOILUTFunction="SIGMOID", **WINDOW),
    "width 1": make(WindowCenter=1500, WindowWidth=1),
    "rescaled": make(RescaleSlope=0.5, RescaleIntercept=-1000, WindowCenter=0, WindowWidth=1000),
    "signed": make(RAMP - 2048, signed=True, WindowCenter=0, WindowWidth=3000),
    "inverted": make(PhotometricInterpretation="MONOCHROME1", **WINDOW),
    "several": make(WindowCenter=[1500, 40], WindowWidth=[2001, 400]),
    "8 bits": make(RAMP % 256, allocated=8, stored=8, WindowCenter=128, WindowWidth=200),
    "32 bits": make(RAMP * 9, allocated=32, stored=32, WindowCenter=9000, WindowWidth=20000),
    "table": make(VOILUTSequence=make_table(CURVE, bits=12)),
    "shifted table": make(RAMP - 2048, signed=True, VOILUTSequence=make_table(CURVE, first=-2048, bits=12)),
    "short table": make(VOILUTSequence=make_table(CURVE[1000:1256], first=1000, bits=12)),
    "two tables": make(
        ModalityLUTSequence=make_table(CURVE, bits=16), VOILUTSequence=make_table(CURVE[::-1], bits=12)
    ),
    "modality table": make(
        ModalityLUTSequence=make_table(CURVE * 16, bits=16), WindowCenter=30000, WindowWidth=60000
    ),
    "overlay": make_overlay(),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_standard_allows_is_shown_as_pydicom_shows_it(tmp_path, name) -> None:
    file = GOOD[name]
    seen = read_dicom(write(file, tmp_path)).astype(int)
    wanted = as_pydicom(file)
    if name == "sigmoid":
        # pydicom's ends are those of an endless line; both are the same curve.
        wanted = np.rint(255 / (1 + np.exp(-4 * (RAMP - 1500) / 2001)))
    # Halves are rounded after one or two divisions.
    assert np.abs(seen - wanted).max() <= 1
    assert (seen != wanted).mean() < 0.01


def show_with_dcmtk(path, *options: str) -> np.ndarray:
    """What DCMTK's dcm2pnm shows of a file, 0 to 255, without overlays."""
    picture = path.with_suffix(".pgm")
    done = subprocess.run(
        ["dcm2pnm", "--write-raw-pnm", "--no-overlays", *options, path, picture],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(picture) as image:
        return np.asarray(image).astype(int)


def ask_dcmtk(file: FileDataset) -> list[str]:
    """The options by which dcm2pnm takes the first table, the first window, or the whole range."""
    if file.get("VOILUTSequence"):
        return ["--use-voi-lut", "1", "--ignore-vlut-depth"]
    if "WindowCenter" not in file:
        return ["--min-max-window"]
    sigmoid = ["--sigmoid-function"] if file.get("VOILUTFunction") == "SIGMOID" else []
    return ["--use-window", "1", *sigmoid]


# The short table above uses 9 of its 12 bits, which DCMTK shows nearly black; this one uses all.
BESIDE = {
    **{name: file for name, file in GOOD.items() if name != "short table"},
    "short table": make(VOILUTSequence=make_table(np.linspace(0, 4095, 256), first=1000, bits=12)),
    "table of 16 bits that uses 12": make(VOILUTSequence=make_table(CURVE, bits=16)),
    "table that says 8 and uses 12": make(VOILUTSequence=make_table(CURVE, bits=8)),
    "no window": make(RAMP // 2 + 100),
    "no window, inverted": make(RAMP // 2 + 100, PhotometricInterpretation="MONOCHROME1"),
    "no window, signed and rescaled": make(RAMP - 2048, signed=True, RescaleSlope=2, RescaleIntercept=-100),
}


@pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="dcm2pnm of Debian's dcmtk is not here")
@pytest.mark.parametrize("name", BESIDE)
def test_what_the_standard_allows_is_shown_as_dcmtk_shows_it(tmp_path, name) -> None:
    path = write(BESIDE[name], tmp_path)
    seen, wanted = read_dicom(path).astype(int), show_with_dcmtk(path, *ask_dcmtk(BESIDE[name]))
    # DCMTK cuts fractions off where orch rounds, and looks tables up in steps.
    assert np.abs(seen - wanted).max() <= 2
    assert np.abs(seen - wanted).mean() < 0.7


def test_a_table_that_stays_below_its_depth_by_one_bit_is_taken_at_its_word(tmp_path) -> None:
    picture = read_dicom(write(make(VOILUTSequence=make_table(np.arange(4096) // 2, bits=12)), tmp_path))
    assert picture.max() == round(255 * 2047 / 4095)


def levels(path) -> tuple[int, int, int]:
    picture = read_dicom(path)
    return int(picture.min()), int(picture.max()), len(np.unique(picture))


FULL = {
    "empty rescale": (make(RescaleSlope="", RescaleIntercept="", WindowCenter=2048, WindowWidth=4096), {}),
    "empty window": (make(WindowCenter="", WindowWidth=""), {}),
    "empty function": (make(VOILUTFunction="", WindowCenter=2048, WindowWidth=4096), {}),
    "unknown function": (make(VOILUTFunction="CURVE", WindowCenter=2048, WindowWidth=4096), {}),
    "slope 0": (make(RescaleSlope=0, RescaleIntercept=0), {}),
    "width 0": (make(WindowCenter=2048, WindowWidth=0), {}),
    "width below 0": (make(WindowCenter=2048, WindowWidth=-5), {}),
    "window beside the picture": (make(WindowCenter=50000, WindowWidth=100), {}),
    "empty sequence": (make(VOILUTSequence=Sequence([])), {}),
    "empty frames": (make(NumberOfFrames=""), {}),
    "table of 12 bits declared 16": (make(VOILUTSequence=make_table(range(4096))), {}),
    "table of 16 bits declared 12": (make(VOILUTSequence=make_table(np.arange(4096) * 16, bits=12)), {}),
    "8-bit entries in many rows": (make(VOILUTSequence=make_table(np.arange(4096) // 16, bits=8)), {}),
    "8-bit entries packed": (make(VOILUTSequence=make_table(np.arange(4096) // 16, bits=8, packed=True)), {}),
    "65536 written as 0": (
        make(RAMP * 16, stored=16, VOILUTSequence=make_table(np.arange(65536), count=0)),
        {},
    ),
    "table shorter than it says": (make(VOILUTSequence=make_table(range(4096), count=5000)), {}),
    "table of one value": (make(VOILUTSequence=make_table([7] * 4096)), {}),
    "text in the slope": (make(), {0x00281053: ("DS", b"none"), 0x00281052: ("DS", b"0 ")}),
    "text in the window": (make(), {0x00281050: ("DS", b"auto"), 0x00281051: ("DS", b"auto")}),
    "decimal commas": (make(), {0x00281050: ("DS", b"2048,0"), 0x00281051: ("DS", b"4096,0")}),
    "high bits": (make(RAMP * 16, HighBit=15), {}),
    "empty bits stored": (make(BitsStored=None), {}),
    "empty high bit": (make(HighBit=None), {}),
    "table cut off": (make(VOILUTSequence=make_table(range(4), count=4096)), {}),
}


@pytest.mark.parametrize("name", FULL)
def test_a_tag_that_lies_or_is_empty_leaves_the_whole_contrast(tmp_path, name) -> None:
    file, raw = FULL[name]
    assert levels(write(file, tmp_path, raw)) == (0, 255, 256)


def test_what_was_set_aside_is_said(tmp_path) -> None:
    said = {
        name: inspect_dicom(write(*FULL[name][:1], tmp_path, FULL[name][1]).read_bytes()).notes
        for name in ("width 0", "slope 0", "text in the window", "window beside the picture")
    }
    assert said["width 0"] == ("Window Width 0 is not allowed",)
    assert said["slope 0"] == ("Rescale Slope is 0",)
    assert "WindowCenter 'auto' is no number" in said["text in the window"]
    assert said["window beside the picture"] == ("the window shows nothing of the picture",)
    facts = inspect_dicom(write(GOOD["several"], tmp_path).read_bytes())
    assert (facts.rule, facts.notes) == ("window", ("several windows, the first was taken",))


def with_padding(representation: str, value: int, limit: int | None = None) -> FileDataset:
    pixels = np.full((64, 64), -2000)
    pixels[4:16] = -1990
    pixels[16:] = RAMP[16:] // 8
    file = make(pixels, signed=True, stored=16)
    file.add_new(0x00280120, representation, value)
    if limit is not None:
        file.add_new(0x00280121, representation, limit)
    return file


@pytest.mark.parametrize(
    "arguments", [("US", 63536, 63546), ("SS", -2000, -1990), ("SS", -1990, -2000)], ids=str
)
def test_padding_is_left_out_of_the_range_whatever_its_sign_says(tmp_path, arguments) -> None:
    low, high, count = levels(write(with_padding(*arguments), tmp_path))
    assert (low, high) == (0, 255)
    assert count >= 200


def test_padding_alone_without_its_limit_is_one_value(tmp_path) -> None:
    picture = read_dicom(write(with_padding("US", 63536), tmp_path))
    assert picture[0].max() == picture[8].max() == 0
    assert len(np.unique(picture[16:])) < 200


def test_a_file_without_a_suffix_is_known_by_its_mark(tmp_path) -> None:
    path = write(make(), tmp_path).rename(tmp_path / "1.2.840.17")
    assert is_dicom(path)
    assert is_dicom(path.read_bytes())
    (tmp_path / "text").write_text("no picture")
    assert not is_dicom(tmp_path / "text")
    assert not is_dicom(tmp_path / "missing")


def test_a_file_without_the_mark_is_read_by_its_name(tmp_path) -> None:
    path = write(make(), tmp_path)
    path.write_bytes(path.read_bytes()[132:])
    assert levels(path) == (0, 255, 256)


def test_fractions_in_dicom_take_their_own_range(tmp_path) -> None:
    file = make(allocated=32, stored=32)
    del file.PixelData, file.BitsStored, file.HighBit, file.PixelRepresentation
    file.FloatPixelData = (RAMP / 4095).astype("<f4").tobytes()
    assert levels(write(file, tmp_path)) == (0, 255, 256)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR, not a grey image.*PNG"),
        ({"PhotometricInterpretation": ""}, "unknown kind, not a grey image"),
        ({"SamplesPerPixel": 3}, "3 colours, not a grey image"),
        ({"NumberOfFrames": 12}, "12 frames.*file of its own"),
    ],
)
def test_colour_and_frames_are_refused_with_advice_that_helps(tmp_path, tags, message) -> None:
    with pytest.raises(DataError, match=f"(?s){message}") as raised:
        read_dicom(write(make(**tags), tmp_path))
    assert "decoder" not in str(raised.value)


def test_a_file_without_pixels_or_cut_off_needs_no_decoder(tmp_path) -> None:
    file = make()
    del file.PixelData
    with pytest.raises(DataError, match="holds no pixels"):
        read_dicom(write(file, tmp_path))
    path = write(make(), tmp_path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DataError, match="cut off") as raised:
        read_dicom(path)
    assert "decoder" not in str(raised.value)


@pytest.mark.parametrize("start", [b"\x08\0\x05\0CS", b"\x02\0\0\0UL"])
def test_a_file_without_mark_and_suffix_is_known_by_its_first_tag(start: bytes) -> None:
    assert is_dicom(start + bytes(200))
    assert not is_dicom(b"\x08\0\x05\0\x0a\0" + bytes(200))


def test_a_file_without_any_head_is_read_by_its_tags(tmp_path) -> None:
    file = make()
    shown = read_dicom(write(file, tmp_path))
    bare = Dataset({element.tag: element for element in file})
    path = tmp_path / "IM0001"
    dcmwrite(path, bare, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert is_dicom(path)
    assert np.array_equal(read_dicom(path), shown)
