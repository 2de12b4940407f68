"""`orch features`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.options import AsJson
from storage.wording import say_command, say_count

app = CommandGroup(help="Import features made elsewhere, or extract them by KerasHub.")


class Pooling(StrEnum):
    """How feature maps or tokens become one vector."""

    avg = "avg"
    max = "max"


@app.callback()
def _group() -> None:
    """Import features made elsewhere, or extract them by KerasHub."""


@app.command("import")
def import_(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Embeddings: .parquet, .npz or .csv, a row for each image.",
            show_default=False,
        ),
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The dataset folder.", show_default=False)],
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Name of the features, as in model.features=NAME.", show_default=False
        ),
    ],
    filename_column: Annotated[
        str,
        typer.Option(
            metavar="COLUMN",
            help="The column or array of file names. Default: found by its name.",
            show_default=False,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Import an embedding for each image, from any foundation model.

    File names are matched as those of a labels file. Every development image must have one row of finite numbers; rows of other images (the hold-out
    among them) are left out. The features are kept in the dataset folder, as float32. Studies use them in place of a backbone: --set model.features=NAME.

    \b
    Example:
      orch features import embeddings.parquet --data my-data --name dinov2
    """
    from dataclasses import asdict

    from orchestrator.importing.feature_tables import match_features, read_feature_table
    from storage.data.datasets import load_dataset
    from storage.data.given_features import check_name, keep_features

    check_name(name)
    dataset = load_dataset(data)
    read = read_feature_table(table, filename_column)
    values, remarks = match_features(read, dataset.files)
    kept = keep_features(dataset.folder, name, values, dataset.fingerprint, table.name)
    if as_json:
        console.print_json({**asdict(kept), "images": len(values), "remarks": remarks})
    else:
        console.print_line(
            f"Kept {say_count(kept.width, 'feature')} of {say_count(len(values), 'image')} as {name!r} in {data}."
        )
        for remark in remarks:
            console.say(remark)
        command = say_command(
            "study", "create", "NAME", "--regime", "I", "--data", data, "--set", f"model.features={name}"
        )
        console.say(f"Next: {command}")


@app.command()
def extract(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET", help="A preset of KerasHub: a folder, or hf://OWNER/NAME.", show_default=False
        ),
    ],
    images: Annotated[
        Path,
        typer.Argument(metavar="IMAGES", help="A folder of images, or a dataset folder.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", "--output", metavar="FILE.npz", help="File with the table.", show_default=False
        ),
    ],
    size: Annotated[
        int | None,
        typer.Option(
            min=8, max=4096, metavar="PIXELS", help="Side of the images.", show_default="the preset's"
        ),
    ] = None,
    pooling: Annotated[
        Pooling, typer.Option(metavar="avg|max", help="How feature maps or tokens become one vector.")
    ] = Pooling.avg,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Read files of more than 8 bits as this data set does; not needed where IMAGES is one.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Extract an embedding of each image with a backbone of KerasHub.

    The preset must be on this machine: nothing is downloaded, and no code from its files is run. Needs KerasHub (pip install keras-hub). The table is
    what `orch features import` takes.

    \b
    Example:
      orch features extract dinov2-base my-data -o embeddings.npz
    """
    from orchestrator.models.prediction import find_images
    from orchestrator.terminal.progress import show_progress
    from storage.data.datasets import MANIFEST, load_dataset
    from storage.data.images import scale_of
    from storage.errors import UsageError
    from storage.files.writing import check_place, replacing
    from workers.device.preparation import import_quietly
    from workers.inputs.embedding import embed_images
    from workers.models.hub import find_preset, load_backbone

    if out.suffix != ".npz":
        raise UsageError(f"{out} does not end in .npz.", next_step="Name the table FILE.npz.")
    check_place(out)
    find_preset(preset)
    found = find_images(images, None, "filename", ())
    folder = data or (images if (images / MANIFEST).exists() else None)
    scale = scale_of(load_dataset(folder)) if folder is not None else None
    import_quietly()
    backbone = load_backbone(preset, size, pooling.value)
    with show_progress("Extracting") as report:
        values = embed_images(backbone, found.files, scale=scale, report=report)
    with replacing(out) as partial, partial.open("wb") as file:
        import numpy as np

        np.savez(file, names=np.array([str(path) for path in found.files]), features=values)
    remarks = [*found.remarks, *backbone.remarks]
    if as_json:
        document = {
            "images": len(values),
            "width": values.shape[1],
            "size": list(backbone.size),
            "remarks": remarks,
        }
        console.print_json(document)
        return
    console.print_line(
        f"Wrote {say_count(values.shape[1], 'feature')} of {say_count(len(values), 'image')} to {out}."
    )
    for remark in remarks:
        console.say(remark)
    console.say(
        f"Next: {say_command('features', 'import', out, '--data', folder or 'DIR', '--name', 'NAME')}"
    )
