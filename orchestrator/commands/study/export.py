"""`orch study export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.studies.next_steps import tell_warnings
from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import Storage, StudyName
from storage.wording import best_file, say_command


def export(
    name: StudyName,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", "--output", metavar="FILE", help="The file to write.", show_default="stdout"
        ),
    ] = None,
    trials_csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write every trial as CSV.", show_default=False)
    ] = None,
    folds_csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write every fold and epoch as CSV.", show_default=False),
    ] = None,
    spec_toml: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the spec, as `--spec` reads it.", show_default=False),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write curves and hyperparameters as TensorBoard logs.",
            show_default=False,
        ),
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Also tell MLflow of every finished trial that it does not have.",
            show_default=False,
        ),
    ] = None,
    wandb: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write offline runs of Weights & Biases.", show_default=False),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --mlflow: the final model, for MLflow's registry.", show_default=False
        ),
    ] = None,
    storage: Storage = None,
) -> None:
    """Write the winner as best.json.

    Regime II and the final training start from it. An unfinished study can be exported, too, with a note.

    \b
    Example:
      orch study export first -o best.json --trials-csv trials.csv
      orch study export first -o best.json --mlflow http://localhost:5000
    """
    from orchestrator.studies import best as exporting
    from orchestrator.studies import tables
    from orchestrator.tracking.exporting import open_trackers, tell_trackers
    from storage.errors import UsageError
    from storage.files.documents import to_json
    from storage.files.writing import check_places, write_text
    from storage.results.further import further_of
    from storage.results.ledger import read_curves
    from storage.spec import to_toml
    from storage.studies.attempts import list_attempts
    from storage.studies.points import list_points
    from storage.studies.study import load_study

    check_places(output, trials_csv, folds_csv, spec_toml)
    trackers = {"tensorboard": tensorboard, "mlflow": mlflow, "wandb": wandb}
    if model is not None and (mlflow is None or not model.is_file()):
        raise UsageError(
            f"--model {model} goes with --mlflow, and names a model file.",
            next_step="`orch model train --from best.json` makes one.",
        )
    opened = open_trackers([(kind, str(place)) for kind, place in trackers.items() if place is not None])
    with open_storage(storage) as database:
        study = load_study(database, name)
        document = exporting.best_document(database, study)
        files: list[tuple[Path, str]] = []
        if trials_csv:
            points = list_points(database, study.uuid)
            also = further_of(points, list_attempts(database, study)) if study.spec.further else {}
            files.append((trials_csv, tables.trials_csv(points, also)))
        if folds_csv:
            curves = read_curves(database, study.uuid)
            files.append((folds_csv, tables.folds_csv(list_points(database, study.uuid), curves)))
        if spec_toml:
            files.append((spec_toml, to_toml(study.spec)))
        if output:
            files.append((output, to_json(document)))
        replaced = _winner_of_another(output, name) if output else None
        for path, text in files:
            write_text(path, text)
            console.say(f"Wrote {path}.")
        if replaced is not None:
            console.warn(
                f"{output} held the winner of the study {replaced!r} and was replaced. "
                f"`{say_command('study', 'export', replaced, '-o')} {best_file(replaced)}` writes that one again."
            )
        if output is None:
            console.print_json(document)
        _say_what_to_know(document)
        # Last: the files are there whatever a tracker answers.
        tell_trackers(database, study, opened, document=document, model=model, say=console.say)


def _winner_of_another(path: Path, study: str) -> str | None:
    """The study whose best.json is about to be overwritten; None where that is no loss."""
    from orchestrator.studies.best import read_best
    from storage.errors import SpecError

    try:
        other = read_best(path).get("study")
    except (SpecError, OSError):
        return None  # there is no such file, or it is none of ours
    return other if isinstance(other, str) and other != study else None


def _say_what_to_know(document: dict[str, Any]) -> None:
    if document["selection"]:
        console.say(f"How sure is the best value? {document['selection']['sentence']}.")
    for warning in tell_warnings(document["study"], document["warnings"]):
        console.warn(warning)
    if document["points"]["open"]:
        console.warn(
            f"The study is not finished: {document['points']['open']} of {document['points']['planned']} "
            "trials are open."
        )
    if document["best_epoch_is_last"]:
        console.warn(
            f"The best epoch ({document['best_epoch']}) is the last one: longer training might score higher."
        )
