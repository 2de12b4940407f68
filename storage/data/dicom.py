"""DICOM radiographs as grey pictures of 0 to 255; nothing of the patient leaves this module but a salted hash.

Stored values pass the modality transform (rescale slope and intercept, or its table) and the values-of-interest
transform (window, or its table) as PS3.3 C.11.1 and C.11.2 define them; without a window the range of the image is used.
MONOCHROME1, where high values are dark, is inverted.
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

from storage.data.patients import is_no_patient, patient_key
from storage.errors import DataError, OrchError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

SUFFIXES = (".dcm", ".dicom")
GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True)
class DicomFacts:
    """What an import needs to know of a file.

    Attributes:
        mode: the photometric interpretation.
        shape: (width, height) in pixels.
        burned_in: why names or numbers may be written into the picture itself; empty when the file says they are not.
    """

    mode: str
    shape: tuple[int, int]
    burned_in: str


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its name."""
    return path.suffix.lower() in SUFFIXES


def read_dicom(source: Path | bytes) -> NDArray[np.uint8]:
    """Read one grey picture, shape (height, width).

    Raises:
        DataError: the file is damaged, has several frames, is in colour, or is compressed in a way that nothing
            installed can undo.
        OrchError: pydicom is not installed.
    """
    return _render(_read(source))


def inspect_dicom(content: bytes) -> DicomFacts:
    """Decode a file whole, and say what an import needs to know of it; errors as `read_dicom`."""
    file = _read(content)
    picture = _render(file)
    return DicomFacts(
        mode=str(file.PhotometricInterpretation),
        shape=(picture.shape[1], picture.shape[0]),
        burned_in=_find_burned_in(file),
    )


def hash_patient(path: Path, salt: bytes) -> str:
    """A name for the patient of a file that means nothing without the salt, which is to be forgotten.

    Raises:
        DataError: the file names no patient.
    """
    return _hash(read_patient(path), salt)


def read_patient(path: Path) -> tuple[str, str]:
    """Who issued the Patient ID of a file (often blank), and the ID, both in the form that `patient_key` compares.

    Raises:
        DataError: the file names no patient.
    """
    file = _read(path, pixels=False)
    issuer, patient = (str(file.get(name, "") or "").strip() for name in ("IssuerOfPatientID", "PatientID"))
    if is_no_patient(patient):
        raise DataError(
            f"{path} names no patient, so it cannot be grouped by DICOM patient.",
            why="Its Patient ID is empty or a placeholder: perhaps the files were made anonymous.",
            next_step="Group by a column of the labels file: --group COLUMN.",
        )
    return patient_key(issuer), patient_key(patient)


def group_by_patient(files: Sequence[Path]) -> list[tuple[str, ...]]:
    """The group of each file: a hash of its patient with a salt that is not kept.

    An ID is unique only within what issued it. Where some files of an ID do not say the issuer, which systems on the way
    may drop, all files of that ID are one group: one patient too large is safer than one in two parts.

    Raises:
        DataError: a file is no DICOM or names no patient.
    """
    salt = secrets.token_bytes(32)
    other = [file for file in files if not is_dicom(file)]
    if other:
        raise DataError(
            f"--group-dicom groups DICOM files, and {len(other)} of {len(files)} images are none: {other[0]}.",
            next_step="Group by a column of the labels file: --group COLUMN.",
        )
    patients = [read_patient(file) for file in files]
    unsaid = {patient for issuer, patient in patients if not issuer}
    return [(_hash(("" if patient in unsaid else issuer, patient), salt),) for issuer, patient in patients]


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
    try:
        file = pydicom.dcmread(
            io.BytesIO(source) if isinstance(source, bytes) else source, stop_before_pixels=not pixels
        )
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


def _render(file: FileDataset) -> NDArray[np.uint8]:
    name = _name(file.filename if isinstance(file.filename, str | Path) else b"")
    frames = int(file.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise DataError(
            f"{name} has {frames} frames, and orch reads single radiographs.",
            why="It is a film, a tomosynthesis or a stack.",
            next_step="Export the frame that counts as a file of its own.",
        )
    kind = str(file.get("PhotometricInterpretation", ""))
    if kind not in GREY:
        raise DataError(
            f"{name} is {kind or 'without a photometric interpretation'}, not a grey image.",
            why="A screenshot, a colour overlay, or no image at all.",
            next_step="Export the original radiograph, or convert the file to PNG.",
        )
    try:
        shades = _shade(file)
    # A missing decoder is a RuntimeError or NotImplementedError, damaged pixels a ValueError, AttributeError, ..
    except Exception as error:
        syntax = getattr(getattr(file, "file_meta", None), "TransferSyntaxUID", None)
        raise DataError(
            f"The pixels of {name} cannot be decoded: {_first_line(error)}.",
            why=f"They are stored as {getattr(syntax, 'name', syntax) or 'an unknown syntax'}; nothing installed undoes "
            "that, or the file is damaged.",
            next_step="Install a decoder (pylibjpeg with its libjpeg and openjpeg plugins), or export the files without "
            "compression.",
        ) from error
    if kind == "MONOCHROME1":
        shades = 1 - shades
    return np.rint(255 * shades).astype(np.uint8)


def _shade(file: FileDataset) -> NDArray[np.float64]:
    """From stored values to shades in [0, 1], before MONOCHROME1 is inverted."""
    from pydicom.pixels import apply_modality_lut, apply_voi

    stored = file.pixel_array
    values = apply_modality_lut(stored, file)
    if "VOILUTSequence" in file:
        bits = int(file.VOILUTSequence[0].LUTDescriptor[2])
        return np.clip(apply_voi(values, file).astype(np.float64) / (2**bits - 1), 0, 1)
    values = values.astype(np.float64)
    centre, width = (_first(file.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is not None and width is not None:
        return apply_window(
            values, centre, width, str(file.get("VOILUTFunction", "LINEAR") or "LINEAR").upper()
        )
    padding = file.get("PixelPaddingValue")
    picture = values[stored != padding] if padding is not None and (stored != padding).any() else values
    low, high = picture.min(), picture.max()
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)


def apply_window(
    values: NDArray[np.float64], centre: float, width: float, function: str = "LINEAR"
) -> NDArray[np.float64]:
    """Shades in [0, 1] of values seen through a window, by the functions of PS3.3 C.11.2.1.2 and C.11.2.1.3.

    Raises:
        ValueError: no such function, or a width that it does not allow.
    """
    if function == "SIGMOID" and width > 0:
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR_EXACT" and width > 0:
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if function == "LINEAR" and width > 1:
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    if function == "LINEAR" and width == 1:
        return (values > centre - 0.5).astype(np.float64)
    raise ValueError(f"a window of width {width:g} and function {function} is not allowed")


def _first(value: Any) -> float | None:
    """The first of several windows: the others are alternatives for other tissue."""
    if value is None or value == "":
        return None
    return float(
        value[0] if not isinstance(value, str | float | int) and hasattr(value, "__len__") else value
    )


def _find_burned_in(file: FileDataset) -> str:
    if str(file.get("BurnedInAnnotation", "")).upper() == "YES":
        return "the file says that text is burned in"
    if str(file.get("Modality", "")).upper() in ("SC", "OT") or "SECONDARY" in list(
        file.get("ImageType", [])
    ):
        return "it is a secondary capture, which often has text burned in"
    return ""


def _name(source: Any) -> str:
    return f"The DICOM file {source}" if isinstance(source, str | Path) and str(source) else "The DICOM file"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".:")
