"""Draw heat maps over images and name the files by score."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

from orchestrator.models.answers import answer_of
from orchestrator.models.prediction import Images
from storage.data.images import read_image, read_picture, scale_of_card
from storage.errors import UsageError
from storage.files.model_files import read_card
from storage.files.writing import make_exclusively
from storage.pictures.fitting import resize_of_card
from storage.wording import say_count
from workers.device import backend
from workers.device.preparation import import_quietly, prepare_or_keep
from workers.final_model.assembly import load_model
from workers.final_model.explain import overlay, to_png
from workers.final_model.predict import check_outputs, image_size
from workers.heads.kinds import head_of

LONGEST = 80
"""Characters of an image's name: the end of it, which tells one image of a series from the next."""

BATCH = 8
"""Images at once: several share the cost of running a network layer by layer."""


def draw_heat_maps(
    path: Path,
    images: Images,
    targets: Sequence[str],
    target: str,
    out: Path,
    *,
    pixels: tuple[float, float],
    alpha: float,
    threads: int | None,
    report: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Write one overlay per image, named so that a folder listing sorts them by score.

    Args:
        path: the model.
        images: to explain.
        targets: names of the outputs.
        target: which of them; empty for each image's likeliest.
        out: the folder to write in; made where it is missing.
        pixels: factor and offset from 0..255 to what the model takes.
        alpha: strength of the colours.
        threads: of TensorFlow, those of the training; None for a model that does not say.
        report: told the images done and all images.

    Returns:
        One row per picture: file, filename, target, score, evidence (False for a blank map), places (height and
        width of the map before it is scaled to the image).

    Raises:
        DataError: the model has no convolution, or an image cannot be read.
        UsageError: `out` is no folder, or another backend than TensorFlow was chosen.
    """
    import numpy as np

    backend.require_tensorflow("Grad-CAM")
    if threads is None:
        import_quietly()
    else:
        prepare_or_keep(threads)
    from workers.backends.tensorflow.grad_cam import compute_heat

    model = load_model(path)
    size = image_size(model)
    check_outputs(model, targets)
    card = read_card(path)
    scale, answer, kind = scale_of_card(card), answer_of(card), head_of(card)
    resize = resize_of_card(card)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"-o {out} is no folder to write in: {'it is a file' if out.is_file() else error.strerror}.",
            next_step="Name a folder for the pictures: -o heatmaps",
        ) from error
    written: list[dict[str, Any]] = []
    names = Names(path.name for path in out.iterdir())
    chosen = list(targets).index(target) if target else None
    for begin in range(0, len(images.files), BATCH):
        files = images.files[begin : begin + BATCH]
        prepared = np.stack([read_image(file, size, scale, resize) for file in files]).astype(np.float32)
        prepared = prepared * np.float32(pixels[0]) + np.float32(pixels[1])
        heats, scores = compute_heat(
            model, prepared, answer.likeliest if chosen is None else lambda row: chosen, kind
        )
        for name, digest, file, heat, row in zip(
            images.names[begin : begin + BATCH],
            images.digests[begin : begin + BATCH],
            files,
            heats,
            scores,
            strict=True,
        ):
            place = answer.likeliest(row) if chosen is None else chosen
            content = to_png(overlay(read_picture(file, scale), heat, alpha, size=size, resize=resize))
            picture = names.keep(out, f"{row[place]:.4f}-{_plain(targets[place])}", name, digest, content)
            written.append(
                {
                    "file": picture.name,
                    "filename": name,
                    "target": targets[place],
                    "score": float(row[place]),
                    "evidence": bool(heat.any()),
                    "places": list(heat.shape),
                }
            )
            if report:
                report(len(written), len(images.files))
    return written


def find_reservations(written: Sequence[dict[str, Any]]) -> list[str]:
    """What a reader of heat maps must know, as sentences: that they cannot show anything, or that some are blank.

    Args:
        written: from `draw_heat_maps`.
    """
    if any(row["places"] == [1, 1] for row in written):
        # Such a map is blank or full whatever is in the image: blank ones are no finding of their own.
        return [
            "The model's last feature map has a single place for images of this size, so that it cannot show where "
            "the model looks; train with a larger model.image_size."
        ]
    blank = sum(not row["evidence"] for row in written)
    if not blank:
        return []
    are = "is" if blank == 1 else "are"
    return [
        f"{blank} of {say_count(len(written), 'heat map')} {are} blank: no region increased the score for the label."
    ]


class Names:
    """Names of pictures in one folder, each given once, whatever their images are called and whatever is there already."""

    def __init__(self, there: Iterable[str] = ()) -> None:
        """Begin with the names of the files that the folder has."""
        self._given = {name.casefold().removesuffix(".png") for name in there}

    def keep(self, folder: Path, begin: str, image: str, digest: str, content: bytes) -> Path:
        """Write a picture, whole and for its owner alone, under a name that nothing has, not even by now.

        Raises:
            OSError: the disk is full or refuses.
        """
        while True:
            path = folder / self.choose(begin, image, digest)
            try:
                make_exclusively(path, content, private=True)
            except FileExistsError:
                continue
            return path

    def choose(self, begin: str, image: str, digest: str) -> str:
        """A name from the image's, its folders too; with a part of its SHA-256 where that is cut, or was given before.

        Args:
            begin: what the folder is sorted by.
            image: path of the image in its folder.
            digest: its SHA-256.
        """
        whole = re.sub(r"[^\w.=-]+", "_", str(Path(image).with_suffix("")).lstrip("./\\"))
        stem = whole[-LONGEST:]
        candidates = chain(
            [stem] if stem == whole else [],
            [f"{stem}-{digest[:8]}"],
            (f"{stem}-{digest[:8]}-{copy}" for copy in count(2)),
        )
        # Some file systems take capital and small letters for one.
        chosen = next(one for one in candidates if f"{begin}-{one}".casefold() not in self._given)
        self._given.add(f"{begin}-{chosen}".casefold())
        return f"{begin}-{chosen}.png"


def _plain(text: str) -> str:
    """A text as part of a file name on any system."""
    return re.sub(r"[^\w.=-]+", "_", text)[:80]
