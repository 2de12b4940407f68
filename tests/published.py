"""Published collections drawn small: their own tables, folders and names, with images of noise."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

CHEXPERT = ("No Finding", "Cardiomegaly", "Edema", "Pleural Effusion")


def draw(folder: Path, names: Sequence[str]) -> None:
    """Write a small picture of its own under each name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(list(name.encode())).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(path)


def draw_deep(folder: Path, names: Sequence[str]) -> None:
    """Write a picture of 12 bits under each name: in a PNG of 16, or as DICOM without a window, as archives write it."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(list(name.encode())).integers(0, 4096, (8, 8), dtype=np.uint16)
        pixels[0, :2] = 0, 4095
        if path.suffix == ".png":
            Image.fromarray(pixels).save(path)
        else:
            write_dicom(path, pixels)


def write_dicom(path: Path, pixels: np.ndarray) -> None:
    """Write one radiograph of 12 bits."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.SOPClassUID, file.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.BitsAllocated, file.BitsStored, file.HighBit = 1, 16, 12, 11
    file.PixelRepresentation, file.PhotometricInterpretation, file.Modality = 0, "MONOCHROME2", "DX"
    file.PixelData = pixels.tobytes()
    file.save_as(path, enforce_file_format=True)


def write(path: Path, header: Sequence[object] | None, rows: Sequence[Sequence[object]]) -> Path:
    """Write a CSV file, packed where its name ends in .gz."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def nih(folder: Path) -> tuple[Path, Path]:
    """Two images of each of 24 patients in three folders of images, cells joined by bars, lists of the split."""
    found = ["No Finding", "Effusion", "Effusion|Mass", "Mass", "Atelectasis|Effusion", "Atelectasis"]
    names, rows = [], []
    for place in range(48):
        patient, follow_up = divmod(place, 2)
        name = f"{patient + 1:08d}_{follow_up:03d}.png"
        names.append(f"images_{place % 3 + 1:03d}/images/{name}")
        rows.append(
            [
                name,
                found[(place + patient) % 6],
                follow_up,
                patient + 1,
                30 + patient,
                "MF"[patient % 2],
                "PA",
                2682,
            ]
        )
    draw(folder / "images", names)
    header = [
        "Image Index",
        "Finding Labels",
        "Follow-up #",
        "Patient ID",
        "Patient Age",
        "Patient Gender",
        "View Position",
    ]
    table = write(folder / "Data_Entry_2017.csv", [*header, "OriginalImage[Width"], rows)
    (folder / "train_val_list.txt").write_text(
        "".join(f"{row[0]}\n" for row in rows[:36]) + "99999999_000.png\n"
    )
    (folder / "test_list.txt").write_text("".join(f"{row[0]}\n" for row in rows[36:]))
    return folder / "images", table


def chexpert(folder: Path) -> tuple[Path, Path]:
    """Two tables, paths from the collection's root, 1.0, 0.0, -1.0 and blank."""
    cells = ["1.0", "0.0", "-1.0", ""]
    for side, count, first in (("train", 16, 1), ("valid", 6, 64541)):
        names, rows = [], []
        for number in range(count):
            patient = f"patient{first + number:05d}"
            for view in ("view1_frontal", "view2_lateral"):
                names.append(f"{side}/{patient}/study1/{view}.jpg")
                labels = [
                    cells[(number + place) % (4 if side == "train" else 2)] for place in range(len(CHEXPERT))
                ]
                position = ["Frontal", "AP"] if "frontal" in view else ["Lateral", ""]
                rows.append([f"CheXpert-v1.0-small/{names[-1]}", "Female", 60 + number, *position, *labels])
        draw(folder / "CheXpert-v1.0-small", names)
        header = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *CHEXPERT]
        write(folder / "CheXpert-v1.0-small" / f"{side}.csv", header, rows)
    return folder / "CheXpert-v1.0-small", folder / "CheXpert-v1.0-small" / "train.csv"


def mimic(folder: Path) -> tuple[Path, Path]:
    """Three packed tables: labels by study, images of each study, and the split."""
    studies, images, sides, names = [], [], [], []
    for number in range(12):
        subject, study = 10_000_032 + number // 2, 50_414_267 + number
        studies.append([subject, study, ["1.0", "0.0", "-1.0", ""][number % 4], ["0.0", "1.0"][number % 2]])
        for view in range(2):
            dicom = f"{number:08x}-{view}a2b-4c5d"
            side = "test" if number >= 10 else "validate" if number >= 8 else "train"
            images.append([dicom, subject, study, "PA"])
            sides.append([dicom, study, subject, side])
            names.append(f"p10/p{subject}/s{study}/{dicom}.jpg")
    draw(folder / "files", names)
    table = write(
        folder / "mimic-cxr-2.0.0-chexpert.csv.gz", ["subject_id", "study_id", "Edema", "Fracture"], studies
    )
    write(
        folder / "mimic-cxr-2.0.0-metadata.csv.gz",
        ["dicom_id", "subject_id", "study_id", "ViewPosition"],
        images,
    )
    write(folder / "mimic-cxr-2.0.0-split.csv.gz", ["dicom_id", "study_id", "subject_id", "split"], sides)
    return folder / "files", table


def vindr(folder: Path) -> tuple[Path, Path]:
    """Three readers for each image, boxes as rows, names without a suffix."""
    rows, names = [], []
    for number in range(24):
        image = f"{number:032x}"
        names.append(f"{image}.dicom")
        for reader in range(3):
            agree = number % 2 == 0 or (number % 4 == 1 and reader == 0)
            if not agree:
                rows.append([image, "No finding", 14, f"R{reader + 8}", "", "", "", ""])
            for box in range(2 if agree else 0):
                rows.append([image, "Cardiomegaly", 3, f"R{reader + 8}", 10 + box, 20, 30, 40])
    header = ["image_id", "class_name", "class_id", "rad_id", "x_min", "y_min", "x_max", "y_max"]
    draw_deep(folder / "train", names)
    return folder / "train", write(folder / "train.csv", header, rows)


def rsna(folder: Path) -> tuple[Path, Path]:
    """Rows for boxes, names of DICOM files without their suffix."""
    rows, names = [], []
    for number in range(20):
        patient = f"0004cfab-14fd-4e49-80ba-{number:012d}"
        names.append(f"{patient}.dcm")
        boxes = (
            [[264.0, 152.0, 213.0, 379.0, 1], [562.0, 152.0, 256.0, 453.0, 1]]
            if number % 3 == 0
            else [["", "", "", "", 0]]
        )
        rows += [[patient, *box] for box in boxes]
    draw_deep(folder / "stage_2_train_images", names)
    return folder / "stage_2_train_images", write(
        folder / "stage_2_train_labels.csv", ["patientId", "x", "y", "width", "height", "Target"], rows
    )


def padchest(folder: Path) -> tuple[Path, Path]:
    """Lists as text, a row index, blanks within lists, 12 bits in 16; the images in folders that the table names in a column."""
    lists = [
        "['normal']",
        "['pneumonia', ' infiltrates']",
        "['cardiomegaly']",
        "['exclude']",
        "['pneumonia']",
    ]
    rows, names = [], []
    for number in range(20):
        name = f"{number}_1_3A_{number:03d}.png"
        names.append(name)
        rows.append(
            [number, name, number % 3, 20_150_101, f"S{number}", f"P{number // 2}", lists[number % 5]]
        )
    draw_deep(folder / "images", names)
    header = ["", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "Labels"]
    return folder / "images", write(
        folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz", header, rows
    )


def mura(folder: Path) -> tuple[Path, Path]:
    """Lists of paths without a header; label, patient and side stand in the path."""
    for side, count, first in (("train", 12, 1), ("valid", 4, 11_185)):
        names = [
            f"{side}/XR_WRIST/patient{first + number:05d}/study1_{'positive' if number % 2 else 'negative'}/image{image}.png"
            for number in range(count)
            for image in (1, 2)
        ]
        draw(folder / "MURA-v1.1", names)
        write(
            folder / "MURA-v1.1" / f"{side}_image_paths.csv", None, [[f"MURA-v1.1/{name}"] for name in names]
        )
    return folder / "MURA-v1.1", folder / "MURA-v1.1" / "train_image_paths.csv"


def ham10000(folder: Path) -> tuple[Path, Path]:
    """Names without a suffix in two folders, lesions with several images."""
    kinds = ["nv", "mel", "bkl", "bcc"]
    rows = [
        [
            f"HAM_{number // 2:07d}",
            f"ISIC_{24_000 + number:07d}",
            kinds[number // 2 % 4],
            "histo",
            "80.0",
            "male",
            "scalp",
        ]
        for number in range(32)
    ]
    draw(
        folder / "HAM10000",
        [f"HAM10000_images_part_{place % 2 + 1}/{row[1]}.jpg" for place, row in enumerate(rows)],
    )
    header = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    return folder / "HAM10000", write(folder / "HAM10000_metadata.csv", header, rows)


def isic(folder: Path) -> tuple[Path, Path]:
    """A table of one column for each class, and one of metadata in which some lesions are not known."""
    kinds = ["MEL", "NV", "BCC"]
    names = [f"ISIC_{number:07d}" for number in range(24)]
    draw(folder / "input", [f"{name}.jpg" for name in names])
    rows = [
        [name, *(f"{float(place == number % 3)}" for place in range(3))] for number, name in enumerate(names)
    ]
    known = [
        [name, "55.0", "anterior torso", "" if number < 4 else f"BCN_{number // 2:07d}", "female"]
        for number, name in enumerate(names)
    ]
    write(
        folder / "ISIC_2019_Training_Metadata.csv",
        ["image", "age_approx", "anatom_site_general", "lesion_id", "sex"],
        known,
    )
    return folder / "input", write(folder / "ISIC_2019_Training_GroundTruth.csv", ["image", *kinds], rows)


def kermany(folder: Path) -> tuple[Path, None]:
    """Folders of the split above folders of the class, patients in the names."""
    names = []
    for side, first, count in (("train", 1, 8), ("val", 50, 2), ("test", 100, 4)):
        for number in range(first, first + count):
            names += [
                f"{side}/PNEUMONIA/person{number}_virus_{2 * number + place}.jpeg" for place in range(2)
            ]
            names.append(f"{side}/NORMAL/{'NORMAL2-' if number % 2 else ''}IM-{number:04d}-0001.jpeg")
    # Another person of the same number in this collection.
    names.append("test/PNEUMONIA/person1_bacteria_7.jpeg")
    draw(folder / "chest_xray", names)
    (folder / "chest_xray" / "train" / ".DS_Store").write_bytes(b"junk")
    return folder / "chest_xray", None


def boneage(folder: Path) -> tuple[Path, Path]:
    """Numbers for names, and a number to predict."""
    rows = [[1377 + number, 12 * number + 6, number % 2 == 0] for number in range(20)]
    draw(folder / "train", [f"{row[0]}.png" for row in rows])
    return folder / "train", write(folder / "boneage-training-dataset.csv", ["id", "boneage", "male"], rows)


def keras_folders(folder: Path, *, split: bool) -> Path:
    """What `keras.utils.image_dataset_from_directory` reads."""
    sides = ("train", "val", "test") if split else ("",)
    names = [
        f"{side}/{kind}/{number}.png".lstrip("/")
        for side in sides
        for kind in ("NORMAL", "PNEUMONIA")
        for number in range(6)
    ]
    draw(folder, names)
    return folder
