"""Let a study grow: continue its sequence, add a guess, take a study made elsewhere as evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.planning.plan import plan_points
from storage.errors import SpecError
from storage.growth.extending import add_guess, extend_study
from storage.growth.part_specs import Role, role_of
from storage.growth.parts import list_parts
from storage.spec import check_values, describe_when, find_missing, keep_acting, require_whole
from storage.studies.point_records import best_point, list_points
from storage.studies.study_records import planned_count
from storage.wording import name_few, say_command, say_count

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.studies.study_records import StudyRecord


def extend(database: Database, study: StudyRecord, total: int) -> dict[str, Any]:
    """Continue the sequence of a study to a number of trials; the trials that are there stay as they are.

    Args:
        database: where.
        study: which.
        total: how many trials its plan is to have, those that it has already among them.

    Returns:
        A document: `before`, `planned` and `added`, how many trials the plan had, has, and got by this call.

    Raises:
        SpecError: the study has an end of its own, or more trials already.
    """
    spec, before = study.spec, planned_count(study)
    if spec.sampler.name == "grid":
        if total == before:
            return {"study": study.name, "before": before, "planned": before, "added": 0}
        raise SpecError(
            f"The study {study.name!r} is a grid, and a grid has an end: all its {say_count(before, 'cell')} are planned.",
            why="Every cell is evaluated once, so there is no next one.",
            next_step=f"`{say_command('study', 'add', study.name)} --set ...` tries a combination between its cells; a finer grid is a new study.",
        )
    if not spec.search:
        raise SpecError(
            f"The study {study.name!r} searches nothing, so every further trial would have the same hyperparameters.",
            next_step="To measure it again with new folds and seeds, create another study with --seed.",
        )
    if total < before:
        raise SpecError(
            f"The study {study.name!r} has {say_count(before, 'planned trial')} already, and --trials {total} is fewer.",
            why="--trials is the total number of trials after the extension, and a study never loses trials.",
            next_step=f"`{say_command('study', 'stop', study.name)}` ends it early.",
        )
    added = extend_study(database, study, plan_points(spec, total))
    for part in list_parts(database, study):
        if role_of(part.spec) is Role.SEARCH:
            # Nested cross-validation judges the whole procedure: each outer fold makes the same search.
            extend_study(database, part, plan_points(part.spec, total))
    return {
        "study": study.name,
        "before": total - added if added else before,
        "planned": total,
        "added": added,
    }


def add(database: Database, study: StudyRecord, chosen: dict[str, Any]) -> dict[str, Any]:
    """Add one trial with chosen hyperparameters; those that are not named are taken from the best trial so far.

    Args:
        database: where.
        study: which.
        chosen: values of searched hyperparameters, by name.

    Returns:
        A document: `point`, `params`, and `like_trial`, the number of the trial that gave the other values; None where all are named.

    Raises:
        SpecError: a value or a name does not fit, the study has this trial already, or a value is not named and no trial is complete.
    """
    params, like = check_values(study.spec, chosen), None
    missing = find_missing(study.spec, params)
    if missing:
        best = best_point(list_points(database, study.uuid))
        if best is None:
            raise SpecError(
                f"{name_few(missing)} must be named, too: no trial of {study.name!r} is complete yet to take the value from.",
                next_step=" ".join(f"--set {name}=VALUE" for name in missing),
            )
        # What acts in the best trial need not act beside the new values; those themselves must.
        rest = keep_acting(study.spec.search, {**(best.params or {}), **params})
        params, like = {**rest, **params}, best.trial_number
        if missing := find_missing(study.spec, params):
            raise SpecError(
                f"{name_few(missing)} must be named, too: the best trial so far, trial {like}, has no value of it.",
                why=f"{describe_when(study.spec, missing[0])}.",
                next_step=" ".join(f"--set {name}=VALUE" for name in missing),
            )
    number = add_guess(database, study, require_whole(study.spec, params))
    return {"study": study.name, "point": number, "params": params, "like_trial": like}
