"""`orch study learning-curve`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage, StudyName
from storage.wording import say_command, say_count

EXAMPLE = "10,20,40,70,100"


def learning_curve(
    name: StudyName,
    percents: Annotated[
        str | None,
        typer.Option(
            "--percent",
            metavar="P,P,..",
            help="Sizes: percent of the training patients of each fold.",
            show_default=f"as planned before, or {EXAMPLE}",
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10,
            metavar="R",
            help="Number of times the folds are drawn for each size.",
            show_default="as planned before, or 2",
        ),
    ] = None,
    target: Annotated[
        list[float] | None,
        typer.Option(
            metavar="VALUE",
            help="A value whose number of patients is asked for; may be given several times.",
            show_default="the next two hundredths",
        ),
    ] = None,
    data: DataFolders = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what more patients would bring.

    The first call plans the best trial on 10, 20, 40, 70 and 100 % of the training patients; `orch worker NAME` trains them. The next call shows the curve, fits an
    inverse power law, and says how many patients a value would need.

    \b
    Example:
      orch study learning-curve first --target 0.85
    """
    from dashboards.tables.outcomes import find_dataset
    from orchestrator.planning.plan import fold_epochs
    from storage.errors import DataError
    from storage.growth.parts import list_parts, make_learning_curve
    from storage.settings import data_folders
    from storage.studies.study import load_study
    from storage.trust.learning_curve import judge_learning_curve

    sizes = None if percents is None else _read_percents(percents)
    with open_storage(storage) as database:
        study = load_study(database, name)
        dataset = find_dataset(study, data_folders(data))
        if dataset is None:
            raise DataError(
                f"The data of study {name!r} is not on this machine, so its patients cannot be divided.",
                next_step="Name the dataset folder with --data DIR or ORCH_DATA.",
            )
        make_learning_curve(database, study, dataset, sizes, repeats)
        study = load_study(database, name)
        document, parts = judge_learning_curve(database, study, target or ()), list_parts(database, study)
    if as_json:
        console.print_json(document)
        return
    rows = [
        [one["percent"], round(one["patients"] or 0), one["value"], one["low"], one["high"]]
        for one in document["sizes"]
    ]
    console.print_table(
        ("percent", "patients trained on", f"{document['metric']}", "95 % from", "to"),
        rows,
        title=f"Trial {document['trial']} on fewer patients",
    )
    console.print_line(f"\n{document['sentence']}.")
    left = {one["study"] for one in document["sizes"] if not one["is_settled"]}
    if left:
        cost = sum(fold_epochs(part.spec) for part in parts if part.name in left)
        console.say(
            f"{say_count(len(left), 'size')} to train, at most {cost} fold-epochs. Next: {say_command('worker', name)}"
        )


def _read_percents(text: str) -> list[int]:
    from storage.errors import UsageError

    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = []
    if len(found) < 2 or not all(1 <= one <= 100 for one in found):
        raise UsageError(
            f"--percent {text!r} is no list of sizes.",
            why="It takes at least two whole numbers from 1 to 100, with commas between them; a law needs four.",
            next_step=f"For instance --percent {EXAMPLE}",
        )
    return found
