"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.terminal.completing import complete_setting, complete_study

Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="The study database. Default: ORCH_STORAGE, then orch.toml, then sqlite:///orch.db.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
StudyName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The study.", show_default=False, autocompletion=complete_study),
]
DataFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="A dataset folder; may be given several times. Default: ORCH_DATA, then orch.toml.",
        show_default=False,
    ),
]
SpecFile = Annotated[
    Path | None,
    typer.Option("--spec", metavar="FILE.toml", help="The spec of the study.", show_default=False),
]
SpecChanges = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Change one key of the spec; may be given several times.",
        show_default=False,
        autocompletion=complete_setting,
    ),
]
FeaturesTable = Annotated[
    Path | None,
    typer.Option(
        "--features",
        metavar="TABLE",
        help="For a model trained on features from elsewhere: the features of the images (.parquet, .npz, .csv).",
        show_default=False,
    ),
]
ModelPath = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model file, .keras or .h5.", show_default=False)
]
TestTimeRepeats = Annotated[
    int,
    typer.Option(
        "--tta", min=0, max=100, metavar="N", help="Number of augmented copies per image at test time."
    ),
]
TestTimeBy = Annotated[
    str,
    typer.Option(
        "--tta-by",
        metavar="CHANGES",
        help="flip, or rotation=20,zoom=0.1,channel_shift=25. Default: as in training.",
        show_default=False,
    ),
]
