"""Draw heat maps over images: as files named by score, and as examples for a report."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.tables.examples import Example, ShownExample
from orchestrator.models.answers import answer_of
from orchestrator.models.prediction import Images, load_ready
from storage.data.images import read_image, read_picture, scale_of, scale_of_card
from storage.errors import UsageError
from storage.files.model_files import read_card, read_whole_card
from storage.files.writing import make_exclusively
from storage.pictures.fitting import resize_of_card
from storage.wording import say_count
from workers.final_model.explain import ALPHA, compute_heat, overlay, to_png
from workers.final_model.predict import image_size
from workers.heads.kinds import head_of

if TYPE_CHECKING:
    import numpy as np

    from storage.data.datasets import Dataset

LONGEST = 80
"""Characters of an image's name: the end of it, which tells one image of a series from the next."""

EXAMPLE_PIXELS = 320
"""Of the longer side of an example in a page."""

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
        threads: of the backend, those of the training; None for a model that does not say.
        report: told the images done and all images.

    Returns:
        One row per picture: file, filename, target, score, evidence (False for a blank map), places (height and
        width of the map before it is scaled to the image).

    Raises:
        DataError: the model has no convolution, or an image cannot be read.
        UsageError: `out` is no folder, or the backend that was chosen is not installed.
    """
    explained = explain_images(
        path,
        images.files,
        targets,
        [target] * len(images.files) if target else None,
        pixels=pixels,
        alpha=alpha,
        threads=threads,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"-o {out} is no folder to write in: {'it is a file' if out.is_file() else error.strerror}.",
            next_step="Name a folder for the pictures: -o heatmaps",
        ) from error
    written: list[dict[str, Any]] = []
    names = Names(path.name for path in out.iterdir())
    for name, digest, one in zip(images.names, images.digests, explained, strict=True):
        label, score = targets[one.place], float(one.outputs[one.place])
        picture = names.keep(out, f"{score:.4f}-{_plain(label)}", name, digest, to_png(one.overlay))
        written.append(
            {
                "file": picture.name,
                "filename": name,
                "target": label,
                "score": score,
                "evidence": bool(one.heat.any()),
                "places": list(one.heat.shape),
            }
        )
        if report:
            report(len(written), len(images.files))
    return written


@dataclass(frozen=True)
class Explained:
    """An image under its heat map.

    Attributes:
        picture: the image, shape (height, width, 3).
        overlay: the same under the heat.
        heat: in [0, 1], of the size of the maps.
        outputs: of the model.
        place: which of them the heat is of.
    """

    picture: np.ndarray
    overlay: np.ndarray
    heat: np.ndarray
    outputs: np.ndarray
    place: int


def explain_images(
    path: Path,
    files: Sequence[Path],
    targets: Sequence[str],
    wanted: Sequence[str] | None,
    *,
    pixels: tuple[float, float] = (1.0, 0.0),
    alpha: float = ALPHA,
    threads: int | None,
) -> Iterator[Explained]:
    """Lay heat maps over images, one after the other; the model is loaded and checked before the first is asked for.

    Args:
        path: the model.
        files: the images.
        targets: names of the outputs.
        wanted: the output of each image; None for its likeliest.
        pixels, alpha, threads: as of `draw_heat_maps`.

    Raises:
        DataError, UsageError: as of `draw_heat_maps`.
    """
    model = load_ready(path, targets, threads)
    image_size(model)
    places = None if wanted is None else [list(targets).index(name) for name in wanted]
    return _explain(path, model, files, places, pixels, alpha)


def _explain(
    path: Path, model: Any, files: Sequence[Path], places: Sequence[int] | None, pixels: tuple[float, float], alpha: float
) -> Iterator[Explained]:  # fmt: skip
    import numpy as np

    size, card = image_size(model), read_card(path)
    scale, answer, kind, resize = scale_of_card(card), answer_of(card), head_of(card), resize_of_card(card)
    for begin in range(0, len(files), BATCH):
        batch = files[begin : begin + BATCH]
        prepared = np.stack([read_image(file, size, scale, resize) for file in batch]).astype(np.float32)
        prepared = prepared * np.float32(pixels[0]) + np.float32(pixels[1])
        chosen = answer.likeliest if places is None else list(places[begin : begin + BATCH])
        heats, rows = compute_heat(model, prepared, chosen, kind)
        for number, (file, heat, row) in enumerate(zip(batch, heats, rows, strict=True)):
            picture = read_picture(file, scale)
            place = answer.likeliest(row) if places is None else places[begin + number]
            drawn = overlay(picture, heat, alpha, size=size, resize=resize)
            yield Explained(picture, drawn, heat, row, place)


def show_examples(
    dataset: Dataset, targets: Sequence[str], examples: Sequence[Example], model: Path | None
) -> list[ShownExample]:
    """The pictures of examples, small enough for a page.

    Args:
        dataset: theirs.
        targets: names of the outputs that the examples are of.
        examples: as `dashboards.tables.examples.choose_examples` gives them.
        model: whose heat maps are laid over them; None for the images alone.

    Raises:
        DataError: an image is missing, or the model has no feature maps or other outputs.
        UsageError: the model takes no images, or the backend that was chosen is not installed.
    """
    dataset.check_images()
    files = [dataset.files[one.row] for one in examples]
    if model is None or not examples:
        return [
            ShownExample(one, _to_jpeg(read_picture(file, scale_of(dataset))))
            for one, file in zip(examples, files, strict=True)
        ]
    card = read_whole_card(model) or {}
    if card.get("features"):
        raise UsageError(
            f"{model} takes features from elsewhere, so it sees no image that a heat map could be laid over.",
            next_step="Leave --model out for the images alone.",
        )
    explained = explain_images(
        model,
        files,
        card["targets"],
        [targets[one.place] for one in examples],
        threads=int(card["spec"]["training"]["threads"]),
    )
    return [
        ShownExample(one, _to_jpeg(shown.picture), _to_jpeg(shown.overlay))
        for one, shown in zip(examples, explained, strict=True)
    ]


def _to_jpeg(picture: np.ndarray) -> bytes:
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((EXAMPLE_PIXELS, EXAMPLE_PIXELS))
    content = io.BytesIO()
    image.save(content, format="JPEG", quality=85)
    return content.getvalue()


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
        self._there = {name.casefold().removesuffix(".png") for name in there}
        self._given: set[str] = set()

    def keep(self, folder: Path, begin: str, image: str, digest: str, content: bytes) -> Path:
        """Write a picture, whole and for its owner alone, under a name that nothing has, not even by now.

        A file of the same bytes that an earlier run left, one that was killed or one that ended, is this picture, and stays.

        Raises:
            OSError: the disk is full or refuses.
        """
        for stem in _stems(begin, image, digest):
            key, path = stem.casefold(), folder / f"{stem}.png"
            if key in self._given:
                continue
            if key not in self._there:
                try:
                    make_exclusively(path, content, private=True)
                except FileExistsError:
                    self._there.add(key)
            if key in self._there and not _has(path, content):
                continue
            self._given.add(key)
            return path
        raise AssertionError("there is always another name")

    def choose(self, begin: str, image: str, digest: str) -> str:
        """A name from the image's, its folders too; with a part of its SHA-256 where that is cut, or was given before.

        Args:
            begin: what the folder is sorted by.
            image: path of the image in its folder.
            digest: its SHA-256.
        """
        # Some file systems take capital and small letters for one.
        taken = self._there | self._given
        chosen = next(stem for stem in _stems(begin, image, digest) if stem.casefold() not in taken)
        self._given.add(chosen.casefold())
        return f"{chosen}.png"


def _stems(begin: str, image: str, digest: str) -> Iterator[str]:
    """The names that the picture of an image may have, the plainest first, without an end."""
    whole = re.sub(r"[^\w.=-]+", "_", str(Path(image).with_suffix("")).lstrip("./\\"))
    stem = whole[-LONGEST:]
    if stem == whole:
        yield f"{begin}-{stem}"
    yield f"{begin}-{stem}-{digest[:8]}"
    yield from (f"{begin}-{stem}-{digest[:8]}-{copy}" for copy in count(2))


def _has(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _plain(text: str) -> str:
    """A text as part of a file name on any system."""
    return re.sub(r"[^\w.=-]+", "_", text)[:80]
