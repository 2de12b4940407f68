"""`orch model train`, `show`; the other commands on models are mounted here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.commands.model import evaluate as model_evaluate
from orchestrator.commands.model import find_lr as model_find_lr
from orchestrator.commands.model import predict as model_predict
from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.opening import database_if_any
from orchestrator.terminal.options import AsJson, DataFolders, ModelPath, Storage
from storage.wording import say_command, say_count, say_written, show_params

app = CommandGroup(help="Final models: train, evaluate, use and explain them.")


@app.command(short_help="Train the winner of a study on all its images.")
def train(
    best: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="FILE.json",
            help="What `orch study export` wrote: hyperparameters and epochs of the winner.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", "--output", metavar="FILE.keras", help="The model to write.", show_default=False
        ),
    ],
    data: DataFolders = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Epochs to train. Default: the best one of the cross-validation."
        ),
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="The k models of the cross-validation, averaged, in one file.")
    ] = False,
    intended_use: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Intended use of the model; written at the top of its model card."),
    ] = "",
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Train the winner of a study on all development images; write the model and its card.

    The study's out-of-fold predictions are saved with the model if the database can be reached; thresholds and
    recalibration are chosen on them. The hold-out is not used.

    \b
    Example:
      orch model train --from best.json --data my-data -o model.keras
    """
    from orchestrator.models.training import TrainingRequest, train_model
    from orchestrator.studies.best import read_best
    from orchestrator.terminal.stages import show_stages
    from storage.settings import cache_folder

    document = read_best(best)
    dataset = _find_dataset(data, document)
    request = TrainingRequest(epochs, ensemble, intended_use)
    with database_if_any(storage) as database, show_stages() as report:
        card = train_model(
            document, dataset, database, out, cache_folder(), request, say=console.say, report=report
        )
    if as_json:
        console.print_json(card)
    else:
        console.print_facts(_card_facts(card))
    console.say(f"Next: {say_command('model', 'evaluate', out, '--data', dataset.folder, '--open-holdout')}")


@app.command(short_help="Show what is in a model file.")
def show(path: ModelPath, as_json: AsJson = False) -> None:
    """Show what is in a model file, .keras or .h5: layers, parameters, model card. No code in it is run.

    \b
    Example:
      orch model show model.keras
    """
    from storage.files.model_files import inspect_model, read_whole_card

    found = inspect_model(path)
    card = read_whole_card(path)
    document = {
        "schema": "orch.modelfile/1",
        "file": str(path),
        "sha256": found.sha256,
        "keras_version": found.keras_version,
        "input_shape": list(found.input_shape) if found.input_shape else None,
        "parameters": found.parameters,
        "needs_code": found.code or None,
        "layers": [vars(layer) for layer in found.layers],
        "card": card,
    }
    if as_json:
        console.print_json(document)
        return
    shape = " x ".join("any" if part is None else str(part) for part in found.input_shape or ())
    console.print_facts(
        [
            ("file", str(path)),
            ("SHA-256", found.sha256),
            ("written by Keras", found.keras_version or None),
            ("input", shape or None),
            ("parameters", f"{found.parameters:,}"),
            ("layers", len(found.layers)),
            ("cannot be loaded", f"{found.code}; orch runs no code from a file" if found.code else None),
            *(_card_facts(card) if card else []),
        ]
    )
    console.print_line()
    outer = [layer for layer in found.layers if layer.depth == 0]
    console.print_table(["layer", "kind"], [[layer.name, layer.kind] for layer in outer])


app.command("evaluate", short_help="Evaluate a model on its sealed hold-out, once.")(model_evaluate.evaluate)
app.command("predict", short_help="Predict images and write a table.")(model_predict.predict)
app.command("explain")(model_predict.explain)
app.command("find-lr", short_help="Find a learning rate.")(model_find_lr.find_lr)


def _find_dataset(flags: list[Path] | None, best: dict[str, Any]) -> Any:
    """The first of the named dataset folders that is the study's; else the first, whose mismatch is then explained."""
    from storage.data.datasets import load_dataset
    from storage.errors import UsageError
    from storage.settings import data_folders

    folders = data_folders(flags)
    if not folders:
        raise UsageError("No data set is named.", next_step="Name its folder with --data DIR or ORCH_DATA.")
    datasets = [load_dataset(folder) for folder in folders]
    wanted = best["spec"].get("data", {}).get("fingerprint")
    return next((dataset for dataset in datasets if dataset.fingerprint == wanted), datasets[0])


def _card_facts(card: dict[str, Any]) -> list[tuple[str, Any]]:
    validated = card.get("cross_validation") or {}
    out_of_fold = card.get("out_of_fold") or {}
    pooled = out_of_fold.get("macro", {}).get("metrics", {}).get("auc", {})
    return [
        ("study", f"{card.get('study')}, trial {card.get('point')}"),
        ("kind", f"{card.get('kind')}, {say_count(card.get('epochs') or 0, 'epoch')}"),
        ("searched", show_params(card.get("params"))),
        ("fixed", show_params(card.get("fixed"))),
        ("training", card.get("training")),
        ("labels", card.get("targets")),
        ("trained on", f"{card['dataset']['images']} images of {card['dataset']['groups']} groups"),
        ("data set", card["dataset"]["fingerprint"]),
        (f"cross-validated {_metric_label(validated)}", _say_validated(validated)),
        ("out-of-fold AUC", console.show_interval(pooled) if pooled else None),
        ("model SHA-256", card.get("model_sha256")),
        ("made", say_written(card.get("made_at"))),
        ("intended use", card.get("intended_use")),
    ]


def _say_validated(validated: dict[str, Any]) -> str | None:
    value = validated.get("value")
    return (
        None if value is None else f"{console.show(value)} (the best of the study's trials, hence optimistic)"
    )


def _metric_label(validated: dict[str, Any]) -> str:
    from storage.metrics.objectives import AUC, METRICS

    return METRICS.get(str(validated.get("metric")), AUC).label
