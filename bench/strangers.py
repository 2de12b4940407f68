"""Files as strangers make them, at random: ordinary ones whose bytes, parts and sizes are changed (`bench.fuzz` reads them)."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

SPEC = {
    "study": {"name": "s", "regime": "custom", "trials": 3, "seed": 1},
    "data": {"fingerprint": "sha256:" + "0" * 64, "targets": ["a"]},
    "model": {"backbone": "InceptionV3", "weights": "none", "image_size": [75, 75]},
    "training": {"epochs": 3, "batch_size": 8},
    "cv": {"folds": 2},
    "search": {"dropout_rate": {"type": "float", "low": 0.1, "high": 0.5}},
}
BEST = {
    "schema": "orch.best/1",
    "params": {"dropout_rate": 0.2},
    "fixed": {"learning_rate": 0.001},
    "spec": SPEC,
}
LAYERS = [{"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3], "name": "i"}}, {"module":
    "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 2}}]  # fmt: skip
CARD = {
    "targets": ["a"],
    "spec": {"training": {"threads": 2}},
    "dataset": {"images": 1, "groups": 1, "fingerprint": "x"},
}
ODD = (None, True, 0, -1, 10**30, 1e308, float("nan"), "", "\ud800", "\x00", "=1", "a" * 10_000, [], {}, [[]], [None], "/dev/zero")  # fmt: skip


def change_tree(tree: Any, draw: random.Random) -> Any:
    """A copy with some parts exchanged, left out or nested."""
    copied = json.loads(json.dumps(tree))
    for _ in range(draw.randint(0, 3)):
        place = copied
        while isinstance(place, (dict, list)) and place and draw.random() < 0.7:
            key = draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], (dict, list)) or not place[key] or draw.random() < 0.3:
                place[key] = copy.deepcopy(draw.choice(ODD))
                break
            place = place[key]
    return copied


def change_bytes(content: bytes, draw: random.Random) -> bytes:
    """Some bytes exchanged, cut off or repeated."""
    if draw.random() < 0.5:
        return content
    changed = bytearray(content)
    for _ in range(draw.choice((0, 1, 1, 3, 30))):
        if changed:
            changed[draw.randrange(len(changed))] = draw.randrange(draw.choice((128, 256)))
    if draw.random() < 0.2:
        del changed[draw.randrange(len(changed) + 1) :]
    if draw.random() < 0.05:
        begin = draw.randrange(len(changed) + 1)
        changed[begin:begin] = changed[begin : begin + 20] * draw.choice((10, 1000, 100_000))
    return bytes(changed)


def to_json(tree: Any, draw: random.Random) -> bytes:
    """A text of JSON, at times nested too deeply."""
    if draw.random() < 0.02:
        depth = draw.choice((900, 2000, 100_000))
        return b'{"config":' * depth + b"1" + b"}" * depth
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def make_model(path: Path, draw: random.Random) -> Path:
    """A `.keras` or an `.h5` file."""
    import h5py
    import numpy as np

    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": LAYERS}}
    form = draw.random()
    if form < 0.4:
        path = path.with_suffix(".h5")
        with h5py.File(path, "w") as file:
            if form < 0.2:
                file.attrs["model_config"] = to_json(change_tree(config, draw), draw)[:60_000]
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = [b"d"]
            group["d/w"] = np.zeros((192, 2), np.float32)
            group["d"].attrs["weight_names"] = [b"w"]
            if draw.random() < 0.3:
                group["link"] = draw.choice(
                    (h5py.SoftLink("/model_weights"), h5py.ExternalLink("other.h5", "/"))
                )
    else:
        path = path.with_suffix(".keras")
        weights, record = io.BytesIO(), io.BytesIO()
        with h5py.File(weights, "w") as file:
            file.create_dataset("w", (draw.choice((192, 2**26)), 2), "f4", chunks=True, compression="gzip")
        np.savez(
            record,
            labels=np.zeros((2, 1)),
            probabilities=np.zeros((2, 1)),
            groups=np.arange(2),
            trained_on=["a"],
        )
        kind = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr("config.json", to_json(change_tree(config, draw), draw))
            archive.writestr("metadata.json", to_json(change_tree({"keras_version": "3"}, draw), draw))
            archive.writestr("model.weights.h5", change_bytes(weights.getvalue(), draw))
            archive.writestr("orch-card.json", to_json(change_tree(CARD, draw), draw))
            archive.writestr("orch-record.npz", change_bytes(record.getvalue(), draw))
            if draw.random() < 0.01:
                archive.writestr("orch-record.npz", bytes(2**28))
    path.write_bytes(change_bytes(path.read_bytes(), draw))
    return path


def make_spec(path: Path, draw: random.Random) -> Path:
    """A study as TOML."""
    lines = []
    for name, section in SPEC.items():
        lines.append(f"[{name}]")
        for key, value in section.items():
            text = draw.choice(
                (json.dumps(value), json.dumps(draw.choice(ODD)), "[" * draw.choice((1, 100_000)))
            )
            lines.append(
                f"{key} = {json.dumps(value) if draw.random() < 0.95 else text}".replace('": ', '" = ')
            )
    path = path.with_suffix(".toml")
    path.write_bytes(change_bytes("\n".join(lines).encode("utf-8", "surrogatepass"), draw))
    return path


def make_best(path: Path, draw: random.Random) -> Path:
    """A best.json."""
    path = path.with_suffix(".json")
    path.write_bytes(change_bytes(to_json(change_tree(BEST, draw), draw), draw))
    return path


def make_labels(path: Path, draw: random.Random) -> Path:
    """A labels file."""
    cells = ("0", "1", "", "a.png", "=1", '"', '"x\ny"', "\x00", "NA", "é", "1e999", "a" * 200_000, "0,5", "p|q")  # fmt: skip
    mark = draw.choice((",", ";", "\t"))
    count = draw.randint(0, 20)
    if draw.random() < 0.5:
        rows = [mark.join((f"{row}.png", draw.choice("01"), draw.choice(cells[:5]))) for row in range(count)]
    else:
        rows = [mark.join(draw.choice(cells) for _ in range(draw.randint(1, 5))) for _ in range(count)]
    path = path.with_suffix(".csv")
    path.write_bytes(change_bytes("\n".join([f"filename{mark}a{mark}b", *rows]).encode(), draw))
    return path


def make_image(path: Path, draw: random.Random) -> Path:
    """A picture of any kind and size, at times one that says it is huge."""
    from PIL import Image

    kind = draw.choice(("PNG", "JPEG", "TIFF", "WEBP", "BMP", "DICOM"))
    if kind == "DICOM":
        path = path.with_suffix(".dcm")
        path.write_bytes(change_bytes(make_dicom(draw), draw))
        return path
    mode = draw.choice(("L", "RGB") if kind in ("JPEG", "WEBP") else ("L", "RGB", "1"))
    content = io.BytesIO()
    Image.new(mode, (draw.randint(1, 80), draw.randint(1, 80)), 1).save(content, kind)
    changed = content.getvalue()
    if kind == "PNG" and draw.random() < 0.3:
        header = bytearray(changed[12:29])
        header[4:12] = b"".join(
            draw.choice((50, 5_000, 8_000, 60_000, 2**31 - 1)).to_bytes(4, "big") for _ in range(2)
        )
        changed = changed[:12] + bytes(header) + zlib.crc32(header).to_bytes(4, "big") + changed[33:]
    path = path.with_suffix(f".{kind.lower()}")
    path.write_bytes(change_bytes(changed, draw))
    return path


def make_dicom(draw: random.Random) -> bytes:
    """A small DICOM file; some of its tags are odd."""
    import numpy as np
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(draw.random())])
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Rows, file.Columns = 12, 10
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, draw.choice(("MONOCHROME1", "MONOCHROME2"))
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.PatientID = "p"
    file.PixelData = np.arange(120, dtype="<u2").tobytes()
    odd: dict[str, Any] = {
        "Rows": 65_535, "Columns": 0, "BitsStored": 40, "NumberOfFrames": "99999999", "SamplesPerPixel": 3, "WindowCenter": "1e308",
        "WindowWidth": "0", "RescaleSlope": "", "RescaleIntercept": "1e400", "PixelPaddingValue": 7,
    }  # fmt: skip
    for name in draw.sample(list(odd), draw.choice((0, 0, 1, 2))):
        with contextlib.suppress(ValueError, OverflowError):
            setattr(file, name, odd[name])
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.save_as(content, enforce_file_format=True)
    return content.getvalue()
