"""Draw heat maps over images and name the files by score."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.prediction_tables import Images
from storage.errors import UsageError


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
        One row per picture: file, filename, target, score, evidence (False for a blank map).

    Raises:
        DataError: the model has no convolution, or an image cannot be read.
        UsageError: `out` is no folder.
    """
    import numpy as np

    from workers.devices import import_quietly, prepare
    from workers.explain import compute_heat, overlay, write_overlay
    from workers.final_model import load_model
    from workers.images import read_image, read_picture
    from workers.predict import image_size

    if threads is None:
        import_quietly()
    else:
        prepare(threads)
    model = load_model(path)
    size = image_size(model)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"-o {out} is no folder to write in: {error.strerror}.") from error
    written = []
    for done, (name, file) in enumerate(zip(images.names, images.files, strict=True), start=1):
        prepared = read_image(file, size).astype(np.float32)[None] * np.float32(pixels[0]) + np.float32(
            pixels[1]
        )
        if target:
            place = list(targets).index(target)
        else:
            place = int(np.asarray(model(prepared, training=False))[0].argmax())
        heat, scores = compute_heat(model, prepared, [place])
        score = float(scores[0, place])
        picture = out / f"{score:.4f}-{_plain(targets[place])}-{_plain(Path(name).stem)}.png"
        write_overlay(picture, overlay(read_picture(file), heat[0], alpha))
        written.append(
            {
                "file": picture.name,
                "filename": name,
                "target": targets[place],
                "score": score,
                "evidence": bool(heat.any()),
            }
        )
        if report:
            report(done, len(images.files))
    return written


def _plain(text: str) -> str:
    """A text as part of a file name on any system."""
    return re.sub(r"[^\w.=-]+", "_", text)[:80]
