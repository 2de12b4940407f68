"""DICOM radiographs as grey pictures of 0 to 255; nothing of the patient leaves this module but a salted hash.

Stored values become shades in `storage.data.shades`; MONOCHROME1, where high values are dark, is inverted here. Overlays
are left out.
"""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.data.grey import Extent
from storage.data.patients import is_no_patient, patient_key
from storage.data.shades import Shades, read_numbers, shade
from storage.errors import DataError, OrchError
from storage.wording import name_few

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

SUFFIXES = (".dcm", ".dicom", ".ima")
GREY = ("MONOCHROME1", "MONOCHROME2")
PREAMBLE = 128
MAGIC = b"DICM"
LAST_FIRST_TAG = 0x18
"""The highest element of group 8 with which a file without a head may begin: its instance UID."""

FIRST_TYPES = (b"UL", b"OB", b"UI", b"CS", b"DA", b"TM", b"SH", b"LO")


MOST_PIXELS = 64_000_000
"""Of one picture: a mammogram has 30 million; with more, decoding takes more memory than a machine may spare."""


@dataclass(frozen=True)
class DicomFacts:
    """What an import needs to know of a file.

    Attributes:
        mode: the photometric interpretation.
        shape: (width, height) in pixels.
        burned_in: why names or numbers may be written into the picture itself; empty when the file says they are not.
        rule: what made the grey values: "table", "window" or "own range".
        extent: the lowest and highest value, for "own range".
        notes: tags that were set aside, and of several windows or tables the first, in words.
        instance: the number that one picture alone has (SOP Instance UID); empty where the file has none.
    """

    mode: str
    shape: tuple[int, int]
    burned_in: str
    rule: str = "window"
    extent: Extent | None = None
    notes: tuple[str, ...] = ()
    instance: str = ""


def is_dicom(source: Path | bytes) -> bool:
    """Whether a file is DICOM: by its name, or by the mark that every DICOM file begins with; archives write no suffix."""
    if isinstance(source, bytes):
        # Older archives left preamble and mark out: then the first tag is of group 2 or 8, and its type is spelled out.
        return source[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC or (
            source[:2] in (b"\x02\0", b"\x08\0") and (source[4:6] in FIRST_TYPES or _begins_implicit(source))
        )
    if source.suffix.lower() in SUFFIXES:
        return True
    try:
        with source.open("rb") as file:
            return is_dicom(file.read(PREAMBLE + len(MAGIC)))
    except OSError:
        return False


def _begins_implicit(content: bytes) -> bool:
    """Whether two tags of group 8 without types follow each other, as in the oldest archives."""
    length = int.from_bytes(content[4:8], "little")
    return (
        length < PREAMBLE
        and length % 2 == 0
        and int.from_bytes(content[2:4], "little") <= LAST_FIRST_TAG
        and content[8 + length : 10 + length] == b"\x08\0"
    )


def read_dicom(source: Path | bytes) -> NDArray[np.uint8]:
    """Read one grey picture, shape (height, width).

    Raises:
        DataError: the file is damaged, has several frames, is in colour, or is compressed in a way that nothing
            installed can undo.
        OrchError: pydicom is not installed.
    """
    return _render(_read(source))[0]


def inspect_dicom(content: bytes) -> DicomFacts:
    """Decode a file whole, and say what an import needs to know of it; errors as `read_dicom`."""
    file = _read(content)
    picture, shades = _render(file)
    return DicomFacts(
        mode=str(file.PhotometricInterpretation),
        shape=(picture.shape[1], picture.shape[0]),
        burned_in=_find_burned_in(file),
        rule=shades.rule,
        extent=shades.extent,
        notes=tuple(shades.notes),
        instance=str(file.get("SOPInstanceUID", "") or "").strip(),
    )


def read_form(path: Path) -> tuple[int, int, str]:
    """Width, height and photometric interpretation of a file, without its pixels; errors as `read_dicom`."""
    file = _read(path, pixels=False)
    return (
        int(file.get("Columns", 0) or 0),
        int(file.get("Rows", 0) or 0),
        str(file.get("PhotometricInterpretation", "")),
    )


def hash_patient(path: Path, salt: bytes) -> str:
    """A name for the patient of a file that means nothing without the salt, which is to be forgotten.

    Raises:
        DataError: the file names no patient.
    """
    patient = read_patient(path)
    if patient is None:
        raise _names_no_patient([path], 1)
    return _hash(patient, salt)


def read_patient(path: Path) -> tuple[str, str] | None:
    """Who issued the Patient ID of a file (often blank), and the ID, both in the form that `patient_key` compares.

    None where the file names no patient.
    """
    file = _read(path, pixels=False)
    issuer, patient = (str(file.get(name, "") or "").strip() for name in ("IssuerOfPatientID", "PatientID"))
    return None if is_no_patient(patient) else (patient_key(issuer), patient_key(patient))


def group_by_patient(files: Sequence[Path], *, unknown_is_own: bool = False) -> list[tuple[str, ...]]:
    """The group of each file: a hash of its patient with a salt that is not kept.

    An ID is unique only within what issued it. Where some files of an ID do not say the issuer, which systems on the way
    may drop, all files of that ID are one group: one patient too large is safer than one in two parts.

    Args:
        files: the DICOM files.
        unknown_is_own: whether a file that names no patient is a group of its own.

    Raises:
        DataError: a file is no DICOM, or names no patient and `unknown_is_own` is false.
    """
    salt = secrets.token_bytes(32)
    other = [file for file in files if not is_dicom(file)]
    if other:
        raise DataError(
            f"--group-dicom groups DICOM files, and {len(other)} of {len(files)} images are none: {other[0]}.",
            next_step="Group by a column of the labels file: --group COLUMN.",
        )
    patients = [read_patient(file) for file in files]
    unknown = [file for file, patient in zip(files, patients, strict=True) if patient is None]
    if unknown and not unknown_is_own:
        raise _names_no_patient(unknown, len(files))
    unsaid = {patient[1] for patient in patients if patient and not patient[0]}
    return [
        (
            _hash(
                ("", f"\0{place}")
                if patient is None
                else ("" if patient[1] in unsaid else patient[0], patient[1]),
                salt,
            ),
        )
        for place, patient in enumerate(patients)
    ]


def _names_no_patient(unknown: Sequence[Path], count: int) -> DataError:
    return DataError(
        f"{len(unknown)} of {count} images {'names' if len(unknown) == 1 else 'name'} no patient, so the images cannot be grouped "
        f"by DICOM patient: {name_few(map(str, unknown))}.",
        why="The Patient ID is empty or a placeholder: perhaps the files were made anonymous.",
        next_step="Group by a column of the labels file, --group COLUMN; or --unknown-patient own, if each of these images comes "
        "from a different patient.",
    )


def _hash(patient: tuple[str, str], salt: bytes) -> str:
    return hashlib.blake2b("\0".join(patient).encode(), key=salt).hexdigest()


def _read(source: Path | bytes, *, pixels: bool = True) -> FileDataset:
    try:
        import pydicom
    except ImportError as error:
        raise OrchError(
            "DICOM files need pydicom, which is not installed.",
            next_step="Install orch with its extra `dicom`, or convert the files to PNG.",
        ) from error

    def read(*, force: bool) -> FileDataset:
        content = io.BytesIO(source) if isinstance(source, bytes) else source
        return pydicom.dcmread(content, stop_before_pixels=not pixels, force=force)

    try:
        try:
            file = read(force=False)
        except pydicom.errors.InvalidDicomError:
            # Older archives left the mark out; what has rows and columns is a picture all the same.
            file = read(force=True)
            if "Rows" not in file or "Columns" not in file:
                raise ValueError("the mark that DICOM files begin with is missing") from None
            _say_syntax(file)
    except OSError:
        raise
    # pydicom raises InvalidDicomError, KeyError, ValueError, .. for damaged files.
    except Exception as error:
        raise DataError(
            f"{_name(source)} cannot be read: {_first_line(error)}.",
            why="It is damaged, cut off, or not DICOM.",
            next_step="Export it again.",
        ) from error
    return file


def _say_syntax(file: FileDataset) -> None:
    """Note how the pixels of a file without a head are stored: as the tags before them, never compressed."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in file.file_meta:
        implicit, little = file.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        file.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _render(file: FileDataset) -> tuple[NDArray[np.uint8], Shades]:
    name = _name(file.filename if isinstance(file.filename, str | Path) else b"")
    if not any(tag in file for tag in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise DataError(
            f"{name} holds no pixels.",
            why="It is a report, a presentation state, a directory (DICOMDIR) or another object without a picture, or it was cut off.",
            next_step="Leave it out, or export it again.",
        )
    sides = [int((read_numbers(file, side) or [0])[0]) for side in ("Rows", "Columns")]
    if sides[0] * sides[1] > MOST_PIXELS:
        raise DataError(
            f"{name} has {sides[1]:,} x {sides[0]:,} pixels, and orch reads at most {MOST_PIXELS // 10**6} million.",
            next_step="Export it smaller.",
        )
    frames = int((read_numbers(file, "NumberOfFrames") or [1])[0])
    if frames < 1 or not read_numbers(file, "NumberOfFrames"):
        file.pop("NumberOfFrames", None)
    if frames > 1:
        raise DataError(
            f"{name} has {frames} frames, and orch reads single radiographs.",
            why="It is a film, a tomosynthesis or a stack.",
            next_step="Export the frame that counts as a file of its own.",
        )
    kind = str(file.get("PhotometricInterpretation", "") or "").strip().upper()
    samples = int((read_numbers(file, "SamplesPerPixel") or [1])[0])
    if kind not in GREY or samples != 1:
        said = (
            kind
            if kind not in GREY and kind
            else f"{samples} colours"
            if samples != 1
            else "of an unknown kind"
        )
        raise DataError(
            f"{name} is {said}, not a grey image.",
            why="A screenshot, a colour overlay, or no image at all.",
            next_step="Export the original radiograph, or convert the file to PNG.",
        )
    try:
        shades = shade(file)
    # A missing decoder is a RuntimeError or NotImplementedError, damaged pixels a ValueError, AttributeError, ..
    except Exception as error:
        syntax = getattr(getattr(file, "file_meta", None), "TransferSyntaxUID", None)
        said = getattr(syntax, "name", None) or "an unknown syntax"
        compressed = bool(getattr(syntax, "is_encapsulated", False))
        raise DataError(
            f"The pixels of {name[:1].lower()}{name[1:]} cannot be decoded: {_first_line(error)}.",
            why=f"They are stored as {said}; no installed decoder reads that, or the file is damaged."
            if compressed
            else f"The file is damaged or cut off, or its tags do not fit its pixels (stored as {said}).",
            next_step="Install a decoder (pylibjpeg with its libjpeg and openjpeg plugins), or export the files without "
            "compression."
            if compressed
            else "Export it again, or leave it out.",
        ) from error
    values = 1 - shades.values if kind == "MONOCHROME1" else shades.values
    return np.rint(255 * values).astype(np.uint8), shades


def _find_burned_in(file: FileDataset) -> str:
    if str(file.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        return "the file says that text is burned in"
    kinds = file.get("ImageType", None) or []
    if str(file.get("Modality", "")).upper() in ("SC", "OT") or "SECONDARY" in (
        kinds.split("\\") if isinstance(kinds, str) else list(kinds)
    ):
        return "it is a secondary capture, which often has text burned in"
    return ""


def _name(source: Any) -> str:
    return f"The DICOM file {source}" if isinstance(source, str | Path) and str(source) else "The DICOM file"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".:")
