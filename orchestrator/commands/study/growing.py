"""`orch study extend`, `orch study add`, `orch study import-optuna`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_hyperparameter
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, Storage, StudyName
from storage.states import StudyState
from storage.wording import say_command, say_count, show_params

if TYPE_CHECKING:
    from storage.studies.study_records import StudyRecord


def extend(
    name: StudyName,
    trials: Annotated[
        int,
        typer.Option(
            help="Total number of planned trials after the extension, the present ones included.",
            min=1,
            max=100_000,
            metavar="N",
            show_default=False,
        ),
    ],
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Continue a study with more trials of the same sequence.

    --trials N is the total: a study of 100 trials that is extended to 200 has the same 200 trials as one that was created with 200. The first 100
    stay as they are, finished or running. Workers may go on meanwhile; trials that were added by hand are not counted in N.
    A grid has an end and cannot be extended.

    \b
    Example:
      orch study extend first --trials 200
    """
    from orchestrator.planning import growing
    from storage.studies.study import load_study

    with open_storage(storage) as database:
        study = load_study(database, name)
        document = growing.extend(database, study, trials)
    if as_json:
        console.print_json(document)
    elif document["added"]:
        console.print_line(
            f"{say_count(document['added'], 'trial')} added: {name!r} has {document['planned']} planned trials now."
        )
    else:
        console.print_line(f"Nothing to add: {name!r} has {document['planned']} planned trials already.")
    _say_next(study)


def add(
    name: StudyName,
    settings: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="HYPERPARAMETER=VALUE",
            help="A searched hyperparameter and its value; may be given several times.",
            show_default=False,
            autocompletion=complete_hyperparameter,
        ),
    ],
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Add one trial with hyperparameters of your choice.

    Hyperparameters that are not named are taken from the best trial so far. Values must lie inside of the searched ranges, and may lie between the cells
    of a grid. The next free worker takes the trial, before the planned ones; on record is who added it and when. A trial that the study has already is refused.

    \b
    Example:
      orch study add second --set learning_rate=3e-4
    """
    from orchestrator.planning import growing
    from orchestrator.planning.settings import parse_choices
    from storage.studies.study import load_study

    with open_storage(storage) as database:
        study = load_study(database, name)
        document = growing.add(database, study, parse_choices(settings))
    if as_json:
        console.print_json(document)
    else:
        rest = "" if document["like_trial"] is None else f" (the others as in trial {document['like_trial']})"
        console.print_line(f"Added a trial to {name!r}: {show_params(document['params'])}{rest}.")
    _say_next(study)


def import_optuna(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="The Optuna database: sqlite:///FILE.db, postgresql://..., or the path of a journal file.",
            show_default=False,
        ),
    ],
    name: StudyName,
    study_name: Annotated[
        str | None,
        typer.Option(
            "--study",
            metavar="OTHER",
            help="Name of the study there; needed where there are several.",
            show_default=False,
        ),
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Take a study that was made elsewhere with Optuna as evidence.

    Its complete trials are kept beside the study NAME, shown and reported. They are never results of NAME: not its best value, not in its figures.
    A study with the TPE sampler starts from the trials that name every searched hyperparameter; only their order counts, as their values may be of
    another metric. The other database is only read.

    \b
    Example:
      orch study import-optuna sqlite:///optuna.db first --study unet
    """
    from orchestrator.planning.foreign_studies import read_foreign_study
    from storage.growth.evidence import keep_evidence, summarize_evidence
    from storage.studies.study import load_study

    with open_storage(storage) as database:
        study = load_study(database, name)
        evidence = read_foreign_study(url, study_name, study.spec)
        keep_evidence(database, study, evidence)
    (document,) = summarize_evidence([evidence])
    if as_json:
        console.print_json({**document, "evidence_for": name})
        return
    console.print_line(
        f"Kept {say_count(len(evidence.trials), 'trial')} of {evidence.study!r} as evidence for {name!r}."
    )
    left = ", ".join(f"{count} {what}" for what, count in evidence.left_out.items())
    if left:
        console.say(f"Left out: {left}.")
    sampler = study.spec.sampler.name
    if sampler != "tpe":
        console.say(
            f"The sampler of {name!r} is {sampler}, which does not learn from evidence: it is shown and reported."
        )
    else:
        console.say(f"TPE starts from {say_count(document['starts'], 'trial')} of them.")


def _say_next(study: StudyRecord) -> None:
    if study.state == StudyState.STOPPED:
        console.say(
            f"The study is stopped: {say_command('study', 'resume', study.name)} lets workers take its trials."
        )
    else:
        console.say(f"Next: {say_command('worker', study.name)} (running workers take them by themselves).")
