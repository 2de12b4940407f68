"""DICOM files as grey pictures: windows by the formulas of the standard, what is refused, and patients who stay unknown."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.data.dicom import group_by_patient, hash_patient, inspect_dicom, is_dicom, read_dicom
from storage.data.images import read_image, read_picture
from storage.data.shades import apply_window
from storage.errors import DataError
from tests.pictures import write_table

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def write_dicom(
    path: Path,
    pixels: np.ndarray = RAMP,
    *,
    patient: str = "Jane Doe 17",
    syntax: str = "plain",
    **tags: object,
) -> Path:
    """Write one radiograph of 12 bits."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if syntax == "implicit" else ExplicitVRLittleEndian
    file = Dataset()
    file.file_meta = meta
    file.PatientID, file.PatientName, file.Modality = patient, patient, "DX"
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Rows, file.Columns = pixels.shape[-2:]
    file.SamplesPerPixel, file.BitsAllocated, file.BitsStored, file.HighBit = 1, 16, 12, 11
    file.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    file.PhotometricInterpretation = "MONOCHROME2"
    file.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    if syntax == "rle":
        file.compress(RLELossless)
    elif syntax == "jpeg2000":
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
        file.PixelData = encapsulate([stream.getvalue()])
        file["PixelData"].is_undefined_length = True
        meta.TransferSyntaxUID = JPEG2000Lossless
    elif syntax == "unknown":
        file.PixelData = encapsulate([b"\xff\xd8\xff\xf7 not to be decoded \xff\xd9"])
        file["PixelData"].is_undefined_length = True
        meta.TransferSyntaxUID = JPEGLSLossless
    file.save_as(path, enforce_file_format=True)
    return path


def test_without_a_window_the_range_of_the_image_becomes_black_to_white(tmp_path: Path) -> None:
    picture = read_dicom(write_dicom(tmp_path / "a.dcm", RAMP // 2 + 100))
    assert (picture.dtype, picture.shape) == (np.uint8, (64, 64))
    assert np.array_equal(picture, np.rint(255.0 * (RAMP // 2) / 2047).astype(np.uint8))


def test_a_linear_window_is_the_formula_of_the_standard(tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2.1 with c = 2048, w = 1001: 0 up to 1547.5, 1 above 2547.5."""
    picture = read_dicom(write_dicom(tmp_path / "a.dcm", WindowCenter=2048, WindowWidth=1001))
    values = RAMP.astype(float)
    by_hand = ((values - 2047.5) / 1000 + 0.5).clip(0, 1)
    assert np.array_equal(picture, np.rint(255 * by_hand).astype(np.uint8))
    assert (picture.ravel()[1547], picture.ravel()[2548]) == (0, 255)


def test_window_functions() -> None:
    values = np.array([0.0, 50.0, 100.0])
    assert apply_window(values, 50, 100, "LINEAR_EXACT") == pytest.approx([0, 0.5, 1])
    assert apply_window(values, 50, 100, "SIGMOID") == pytest.approx(1 / (1 + np.exp([2, 0, -2])))
    assert apply_window(values, 50.5, 1) == pytest.approx([0, 0, 1])
    for width, function in ((0, "LINEAR"), (0, "SIGMOID"), (10, "CURVE")):
        with pytest.raises(ValueError, match="not allowed"):
            apply_window(values, 50, width, function)


def test_rescaling_comes_before_the_window_and_the_first_of_several_counts(tmp_path: Path) -> None:
    tags = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": [3000, 1], "WindowWidth": [2001, 2]}
    picture = read_dicom(write_dicom(tmp_path / "a.dcm", **tags))
    by_hand = ((RAMP * 2.0 - 1000 - 2999.5) / 2000 + 0.5).clip(0, 1)
    assert np.array_equal(picture, np.rint(255 * by_hand).astype(np.uint8))


def test_signed_values_and_padding(tmp_path: Path) -> None:
    pixels = RAMP.astype(np.int16) - 2048
    pixels[0] = -2048
    pixels[1:, :] = np.clip(pixels[1:, :], -1000, 1000)
    picture = read_dicom(write_dicom(tmp_path / "a.dcm", pixels, PixelPaddingValue=-2048))
    assert picture[0].max() == 0
    assert picture[1:].min() == 0
    assert picture.max() == 255
    assert picture[32, 0] == round(255 * 1000 / 2000)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    plain = read_dicom(write_dicom(tmp_path / "a.dcm"))
    inverted = read_dicom(write_dicom(tmp_path / "b.dcm", PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(inverted, 255 - plain)


@pytest.mark.parametrize("syntax", ["implicit", "rle", "jpeg2000"])
def test_lossless_compression_changes_nothing(tmp_path: Path, syntax: str) -> None:
    plain = read_dicom(write_dicom(tmp_path / "a.dcm"))
    assert np.array_equal(read_dicom(write_dicom(tmp_path / "b.dcm", syntax=syntax)), plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"syntax": "unknown"}, r"cannot be decoded.*JPEG-LS.*Install a decoder"),
        ({"pixels": np.stack([RAMP, RAMP]), "NumberOfFrames": 2}, "has 2 frames"),
        ({"PhotometricInterpretation": "RGB"}, "is RGB, not a grey image"),
    ],
)
def test_what_cannot_be_read_rightly_is_refused(tmp_path: Path, options: dict, message: str) -> None:
    path = write_dicom(tmp_path / "a.dcm", **options)
    with pytest.raises(DataError, match=message) as raised:
        read_picture(path)
    assert "Jane" not in str(raised.value)
    (tmp_path / "text.dcm").write_text("no radiograph")
    with pytest.raises(DataError, match="not DICOM"):
        read_image(tmp_path / "text.dcm", (8, 8))


def test_training_sees_the_same_picture_as_from_png(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "A.DCM", WindowCenter=2048, WindowWidth=4096)
    Image.fromarray(read_dicom(path)).save(tmp_path / "a.png")
    assert is_dicom(path)
    assert np.array_equal(read_image(path, (32, 48)), read_image(tmp_path / "a.png", (32, 48)))


def test_burned_in_text_is_known_by_what_the_file_says(tmp_path: Path) -> None:
    said = [
        inspect_dicom(write_dicom(tmp_path / "a.dcm", **tags).read_bytes()).burned_in
        for tags in ({}, {"BurnedInAnnotation": "YES"}, {"ImageType": ["DERIVED", "SECONDARY"]})
    ]
    assert said[0] == ""
    assert "burned in" in said[1]
    assert "secondary capture" in said[2]


def test_the_hash_of_a_patient_is_another_with_another_salt(tmp_path: Path) -> None:
    one, same = (write_dicom(tmp_path / f"{number}.dcm", RAMP // (number + 1)) for number in range(2))
    other = write_dicom(tmp_path / "x.dcm", patient="John Roe")
    assert hash_patient(one, b"salt") == hash_patient(same, b"salt")
    assert len({hash_patient(one, b"salt"), hash_patient(one, b"pepper"), hash_patient(other, b"salt")}) == 3
    assert "Jane" not in hash_patient(one, b"salt")
    with pytest.raises(DataError, match="names no patient"):
        hash_patient(write_dicom(tmp_path / "n.dcm", patient=""), b"salt")


def make_radiographs(folder: Path) -> tuple[Path, Path]:
    images = folder / "images"
    images.mkdir()
    rows = []
    for number in range(12):
        write_dicom(images / f"{number}.dcm", RAMP // (number + 1), patient=f"Jane Doe {number // 2}")
        rows.append([f"{number}.dcm", number // 2 % 2])
    write_dicom(images / "11.dcm", RAMP // 12, patient="Jane Doe 5", BurnedInAnnotation="YES")
    return images, write_table(folder / "labels.csv", ["filename", "ill"], rows)


def test_an_import_groups_by_patient_and_keeps_nothing_of_the_patient(tmp_path: Path) -> None:
    images, labels = make_radiographs(tmp_path)
    twice = [
        import_dataset(images, labels, tmp_path / name, Choices(group_dicom=True, holdout=0.3))
        for name in ("one", "two")
    ]
    assert twice[0].fingerprint == twice[1].fingerprint
    assert twice[0].grouped
    dataset = twice[0]
    patients = [pydicom.dcmread(file).PatientID for file in dataset.files]
    pairs = set(zip(patients, dataset.groups.tolist(), strict=True))
    assert len(pairs) == len(set(patients)) == len(set(dataset.groups.tolist()))
    assert dataset.summary["modes"] == {"MONOCHROME2": 12}
    assert any("1 images may have text burned in" in warning for warning in dataset.warnings)
    written = "".join(path.read_text() for path in (tmp_path / "one").iterdir())
    assert "Jane" not in written
    assert "Doe" not in written
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert max(row["group"] for row in manifest["images"]) < 6


def test_grouping_by_patient_needs_dicom_files_that_name_one(tmp_path: Path) -> None:
    images, labels = make_radiographs(tmp_path)
    with pytest.raises(DataError, match="both given"):
        import_dataset(images, labels, tmp_path / "data", Choices(group_dicom=True, group_columns=("ill",)))
    (images / "0.dcm").unlink()
    Image.fromarray((RAMP // 16).astype(np.uint8)).save(images / "0.png")
    labels.write_text(labels.read_text().replace("\n0.dcm", "\n0.png"))
    with pytest.raises(DataError, match="1 of 12 images are none"):
        import_dataset(images, labels, tmp_path / "data", Choices(group_dicom=True))
    assert not (tmp_path / "data").exists()


def test_an_id_is_one_patient_only_within_what_issued_it(tmp_path: Path) -> None:
    def group(*patients: tuple[str, str]) -> list[int]:
        files = [
            write_dicom(tmp_path / f"{number}.dcm", patient=patient, IssuerOfPatientID=issuer)
            for number, (issuer, patient) in enumerate(patients)
        ]
        groups = group_by_patient(files)
        return [groups.index(one) for one in groups]

    assert group(("A", "17"), ("A", "017"), ("B", "17"), ("B", "18")) == [0, 0, 2, 3]
    # Where a file does not say the issuer, the ID may be anybody's.
    assert group(("A", "17"), ("", "17.0"), ("B", "17"), ("B", "18")) == [0, 0, 0, 3]
    assert group(("clinic a", "17"), ("Clinic A ", "17")) == [0, 0]


def test_files_without_a_patient_are_counted_or_each_a_patient_of_its_own(tmp_path: Path) -> None:
    patients = ("17", "", "ANONYMOUS", "17", "  ", "18")
    files = [write_dicom(tmp_path / f"{n}.dcm", patient=patient) for n, patient in enumerate(patients)]
    with pytest.raises(
        DataError, match=r"3 of 6 images name no patient.*1\.dcm.*2\.dcm.*4\.dcm.*--unknown-patient own"
    ):
        group_by_patient(files)
    groups = group_by_patient(files, unknown_is_own=True)
    assert [groups.index(one) for one in groups] == [0, 1, 2, 0, 4, 5]


def test_files_that_say_they_are_one_picture_are_counted(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(8):
        # Pictures 2 and 3 were sent twice with another header, 3 to another patient and with another label.
        uid = {"SOPInstanceUID": f"1.2.{number % 4}"} if number % 4 > 1 else {}
        patient = "P9" if number == 7 else f"P{number % 4}"
        write_dicom(
            images / f"{number}.dcm",
            RAMP // (number % 4 + 1),
            patient=patient,
            StudyTime=f"10000{number}",
            **uid,
        )
    rows = [[f"{n}.dcm", int(n in (1, 7))] for n in range(8)]
    table = write_table(tmp_path / "l.csv", ["filename", "ill"], rows)
    choices = Choices(holdout=0, group_dicom=True)
    said = [one for one in import_dataset(images, table, tmp_path / "data", choices).warnings if "SOP" in one]
    assert len(said) == 1
    assert "2 SOP Instance UIDs stand in several DICOM files" in said[0]
    assert "1 of them in different groups, 1 with differing labels" in said[0]


def test_files_as_archives_write_them_are_imported(tmp_path: Path) -> None:
    """Without suffix, without preamble and mark, with a directory of them beside."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        write_dicom(images / f"{number}.dcm", RAMP // (number + 1), patient=f"P{number}")
        content = (images / f"{number}.dcm").read_bytes()[132 if number % 2 else 0 :]
        (images / f"{number}.dcm").unlink()
        (images / f"IM{number}").write_bytes(content)
    (images / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    table = write_table(tmp_path / "l.csv", ["filename", "ill"], [[f"IM{n}", n % 2] for n in range(4)])
    assert len(import_dataset(images, table, tmp_path / "data", Choices(holdout=0)).files) == 4


def test_advice_that_fits_every_file_is_given(tmp_path: Path) -> None:
    write_dicom(tmp_path / "images.dcm", np.stack([RAMP, RAMP]), NumberOfFrames=2)
    (tmp_path / "images").mkdir()
    (tmp_path / "images.dcm").rename(tmp_path / "images" / "a.dcm")
    table = write_table(tmp_path / "l.csv", ["filename", "ill"], [["a.dcm", 1]])
    with pytest.raises(DataError, match="Export the frame that counts as a file of its own"):
        import_dataset(tmp_path / "images", table, tmp_path / "data", Choices(holdout=0))
