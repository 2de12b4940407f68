"""`orch data preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.options import SpecChanges, SpecFile


def preview(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder.", show_default=False)],
    out: Annotated[
        Path, typer.Option("-o", "--out", "--output", metavar="FILE.png", help="The picture to write.")
    ] = Path("augmentation.png"),
    spec_file: SpecFile = None,
    settings: SpecChanges = None,
    images: Annotated[int, typer.Option(min=1, max=50, metavar="N", help="Images to show.")] = 4,
    copies: Annotated[int, typer.Option(min=1, max=20, metavar="N", help="Augmented copies of each.")] = 6,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed for the choice of images and augmentations.")
    ] = 0,
) -> None:
    """Show some of your images as training sees them.

    Each row is one development image: the original brought to `model.image_size` as `model.resize` says, then augmented copies as the spec describes.

    \b
    Example:
      orch data preview my-data --set augmentation.rotation=15 --set augmentation.shift=0.1 -o augmentation.png
    """
    import numpy

    from orchestrator.planning.settings import read_spec
    from storage.data.datasets import load_dataset
    from storage.data.images import scale_of
    from storage.errors import UsageError
    from storage.files.writing import check_place
    from workers.objective.preview import draw_preview

    if out.suffix.lower() != ".png":
        raise UsageError(f"{out} does not end in .png.", next_step="For example: -o augmentation.png")
    check_place(out)
    spec = read_spec(spec_file, settings, name="preview")
    dataset = load_dataset(folder)
    count = min(images, len(dataset.files))
    chosen = numpy.random.default_rng(seed).choice(len(dataset.files), count, replace=False)
    picture = draw_preview(
        [dataset.files[place] for place in sorted(chosen)],
        spec.model.image_size,
        spec.all_hyperparameters,
        seed,
        copies,
        scale_of(dataset),
        spec.model.resize,
    )
    _write_picture(picture, out)
    console.say(f"Wrote {out}.")


def _write_picture(picture: object, out: Path) -> None:
    from PIL import Image

    from storage.files.writing import replacing

    with replacing(out) as partial:
        Image.fromarray(picture).save(partial, format="PNG")  # type: ignore[arg-type]
