"""`orch study create`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.study.costs import describe_plan, print_plan, print_warnings
from orchestrator.terminal import console
from orchestrator.terminal.choices import Preset, Protocol, Pruner, Regime
from orchestrator.terminal.completing import complete_setting
from orchestrator.terminal.opening import database_if_any, open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage
from storage.errors import StorageError
from storage.wording import say_command

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.spec import StudySpec


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new study.", show_default=False)],
    data: DataFolders = None,
    regime: Annotated[
        Regime | None,
        typer.Option(
            help="I: random search over batch size and dropout. II: grid over learning rate and epsilon.",
            metavar="I|II",
            case_sensitive=False,
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="A study by purpose: a quick look, backbones, the head, augmentation, or fine-tuning.",
            metavar="|".join(Preset),
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(
            help="A baseline of the reference studies: fixed hyperparameters, k=10, 50 epochs.",
            metavar="|".join(Protocol),
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="Number of trials, unless the search is a grid.", min=1, metavar="N", show_default="100"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of the trials, the folds and the training.", min=0, metavar="N", show_default="1337"
        ),
    ] = None,
    pruner: Annotated[
        Pruner | None,
        typer.Option(
            help="Rule that stops weak trials early.", metavar="|".join(Pruner), show_default="careful"
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE.json",
            help="Keep hyperparameters, model and data of an exported winner.",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            help="With --from: re-evaluate the best configurations R times with new folds and seeds, without pruning.",
            min=2,
            metavar="R",
            show_default=False,
        ),
    ] = None,
    finalists: Annotated[
        int,
        typer.Option(
            help="With --repeats: number of configurations to re-evaluate, the winner and the next best.",
            min=1,
            metavar="N",
        ),
    ] = 3,
    nested: Annotated[
        int | None,
        typer.Option(
            help="Nested cross-validation with K outer folds: the whole search is made in each, which gives an unbiased value.",
            min=2,
            max=20,
            metavar="K",
            show_default=False,
        ),
    ] = None,
    spec_file: Annotated[
        Path | None,
        typer.Option(
            "--spec", metavar="FILE.toml", help="A spec file; `orch init` writes one.", show_default=False
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="A plan of analysis: hashed and kept before the first trial, shown with every result.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change one key of the spec, as in cv.folds=3; may be given several times. `orch init` writes a "
            "study.toml that explains every key. The value is written as in TOML; a bare word is a text.",
            show_default=False,
            autocompletion=complete_setting,
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept",
            metavar="FINDING",
            help="Create the study despite this audit error (recorded with the study).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate the cost of the study without creating it.")
    ] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Create a study with all its trials.

    A trial evaluates one set of hyperparameters on all folds. The command prints the estimated cost, then writes the spec
    and the planned trials to the database. Running the same command again changes nothing.

    \b
    Examples:
      orch study create first --regime I --data my-data
      orch study create second --regime II --from best.json --data my-data
      orch study create look --preset quick --data my-data
      orch study create baseline --protocol lenet --data my-data
      orch study create again --from best.json --repeats 5 --data my-data
      orch study create first --regime I --data my-data --plan plan.toml
      orch study create first --regime I --data my-data --nested 5
      orch study create small --regime I --trials 10 --set model.weights=none --data my-data --dry-run
    """
    from orchestrator.planning.estimate import estimate_time
    from orchestrator.planning.protocols import build_protocol
    from orchestrator.planning.regimes import build_spec, tell_defaults, tell_metric
    from orchestrator.studies.best import read_best
    from orchestrator.studies.creating import create_proposed, propose_study
    from orchestrator.terminal.stages import show_stages
    from storage.errors import UsageError

    best = read_best(from_) if from_ else None
    if nested is not None:
        if repeats is not None or protocol is not None:
            raise UsageError(
                "--nested goes without --repeats and --protocol.",
                why="It makes a search in each outer fold, and these search nothing.",
            )
        settings = [*(settings or []), f"cv.nested={nested}"]
    if protocol is not None:
        others = (regime, preset, from_, spec_file, trials, pruner, repeats)
        alone = all(other is None for other in others)
        spec = build_protocol(name, protocol.value, seed=seed, settings=settings, alone=alone)
    elif repeats is not None:
        alone = all(other is None for other in (regime, preset, spec_file, trials, pruner))
        spec = _repeat(name, best, repeats, finalists, seed, settings, alone=alone)
    else:
        spec = build_spec(
            name,
            regime=regime.value if regime else None,
            best=best,
            spec_file=spec_file,
            trials=trials,
            seed=seed,
            pruner=pruner.value if pruner else None,
            settings=settings,
            preset=preset.value if preset else None,
        )
    if told := tell_metric(spec, best):
        console.say(told)
    with database_if_any(storage) as found:
        told = tell_defaults(spec, best, spec_file, settings)
        with show_stages() as progress:
            proposal = propose_study(
                spec,
                data=data,
                database=found,
                accept=accept or [],
                remarks=[told] if told else [],
                plan=plan,
                preset=preset.value if preset else None,
                report=progress,
            )
        spec, review = proposal.spec, proposal.review
        estimate = estimate_time(
            spec,
            proposal.points,
            images=review.facts["images"],
            train_images=review.facts["train_images"],
            measured=_measure(found, spec),
        )
        report = describe_plan(spec, review, estimate)
        if not as_json:
            print_plan(spec, report)
            shortened = print_warnings(review, in_full=dry_run)
        if dry_run:
            console.say("Nothing was created (--dry-run).")
        else:
            with open_storage(storage, create=True) if found is None else nullcontext(found) as database:
                study = create_proposed(database, proposal)
                report["uuid"] = study.uuid
                if not as_json and shortened:
                    console.say(f"Warnings in full: `{say_command('study', 'show', name, '--warnings')}`")
                console.say(
                    f"The study {name!r} is in {database.url_text}. Next: {say_command('worker', name)}"
                )
        if as_json:
            console.print_json({**report, "created": not dry_run, "warnings": review.warnings})


def _repeat(
    name: str,
    best: dict[str, Any] | None,
    repeats: int,
    finalists: int,
    seed: int | None,
    settings: list[str] | None,
    *,
    alone: bool,
) -> StudySpec:
    from orchestrator.planning.regimes import repeat_finalists
    from orchestrator.planning.settings import parse_settings
    from storage.errors import UsageError

    if best is None or not alone:
        raise UsageError(
            "--repeats goes with --from best.json, and without --regime, --preset, --spec, --trials and --pruner.",
            why="It re-evaluates the best configurations of that study unchanged.",
        )
    spec = repeat_finalists(name, best, repeats=repeats, finalists=finalists)
    values = parse_settings(settings or []) | ({} if seed is None else {"study.seed": seed})
    return spec.with_values(values) if values else spec


def _measure(database: Database | None, spec: StudySpec) -> float | None:
    from orchestrator.planning.estimate import measured_seconds
    from storage.database.trouble import described

    try:
        with described():
            return None if database is None else measured_seconds(database, spec)
    except StorageError:
        return None  # an estimate is no reason to make no study
