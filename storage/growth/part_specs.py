"""What the parts of a study are: specs that follow from the study, and from a winner, alone.

- The winner's repeats (`cv.repeats_of_winner`): other draws of the folds, unpruned, seeds from (seed of the study, trial in its plan, repeat).
- The learning curve (`orch study learning-curve`): the winner again, trained on some of the patients.
- Nested cross-validation (`cv.nested`): for each outer fold a search, which is the study itself on the images outside of that fold, with folds
  of its own; and a test, which is the winner of that search, trained on all images of the search for the epochs at which it was best,
  and judged once, on the outer fold. So no choice was made on what judges it (Varma and Simon 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import numpy as np

from storage.errors import SpecError
from storage.spec import StudySpec, parse, plain
from storage.studies.study_records import PART, StudyRecord, growth_of


class Role(StrEnum):
    """What a part is for."""

    REPEATS = "repeats"
    SEARCH = "search"
    TEST = "test"
    PATIENTS = "patients"


FindComplete = Callable[[StudyRecord], Mapping[int, Any]]
"""The hyperparameters of the complete trials of a study, by their number in the plan."""


def role_of(spec: StudySpec) -> Role | None:
    """What a part is for; None of a study that stands for itself."""
    if not spec.study.part_of:
        return None
    if spec.cv.outer:
        return Role.TEST if spec.cv.is_test else Role.SEARCH
    return Role.REPEATS if spec.study.repeats_of else Role.PATIENTS


def may_have_parts(study: StudyRecord) -> bool:
    """Whether parts of a study may be there: its spec asks for them, or somebody asked for its learning curve."""
    return has_parts(study.spec) or any(one["how"] == PART for one in growth_of(study))


def has_parts(spec: StudySpec) -> bool:
    """Whether the spec of a study asks for parts."""
    return bool((spec.cv.repeats_of_winner or spec.cv.nested) and spec.search and not spec.study.part_of)


def chosen_params(spec: StudySpec) -> dict[str, Any]:
    """The hyperparameters that a part trains again; of a search there are none."""
    return (
        {name: plain(value) for name, value in spec.sampler.points[0].items()} if spec.sampler.points else {}
    )


def count_draws(spec: StudySpec) -> int:
    """How many times the folds of a point of the learning curve are drawn, or trained again where folds are given."""
    return spec.study.trials if spec.cv.by else spec.cv.repeats


def plan_repeats(study: StudyRecord, point: int, params: Mapping[str, Any], name: str) -> StudySpec:
    """The spec of a winner's repeats.

    Args:
        study: whose winner it is.
        point: the winner's number in the plan.
        params: its hyperparameters.
        name: of the part.
    """
    spec, repeats = study.spec, study.spec.cv.repeats_of_winner or 0
    document = _begin(spec, name, study.uuid)
    document["study"] |= {
        "regime": "custom",
        "seed": int(np.random.SeedSequence([spec.study.seed, point, 1]).generate_state(1)[0]),
        # Given folds cannot be drawn otherwise: there the repeats are trials with other seeds.
        "trials": repeats if spec.cv.by else 1,
        "repeats_of": study.uuid,
    }
    document["cv"].pop("nested", None)
    if not spec.cv.by:
        document["cv"]["repeats"] = spec.cv.repeats * repeats
    return _train_again(document, params, "the winner's repeats")


def plan_search(study: StudyRecord, outer: int, name: str) -> StudySpec:
    """The spec of the search within one outer fold: that of the study, but for the images.

    Args:
        study: the whole.
        outer: number of the outer fold, from 1.
        name: of the part.
    """
    document = _begin(study.spec, name, study.uuid)
    document["cv"]["outer"] = outer
    return parse(document, source="nested cross-validation")


def plan_test(search: StudyRecord, params: Mapping[str, Any], epochs: int, name: str) -> StudySpec:
    """The spec of the test of a search's winner on its outer fold.

    Args:
        search: the search, a part.
        params: the hyperparameters of its winner.
        epochs: for which it is trained: those at which it was best within the search.
        name: of the part.
    """
    document = _begin(search.spec, name, search.spec.study.part_of)
    document["study"] |= {"regime": "custom", "trials": 1, "objective": "last"}
    document["cv"]["is_test"] = True
    # Nothing may stop the training that looks at the outer fold.
    document["training"] |= {"epochs": epochs, "patience": 0}
    document["search"].pop("patience", None)
    kept = {name: value for name, value in params.items() if name != "patience"}
    return _train_again(document, kept, "nested cross-validation")


def plan_patients(
    study: StudyRecord, point: int, params: Mapping[str, Any], percent: int, repeats: int, name: str
) -> StudySpec:
    """The spec of a point of the learning curve: a trial again, trained on some of the patients.

    Args:
        study: whose trial it is.
        point: its number in the plan.
        params: its hyperparameters.
        percent: of the patients of each training part that are trained on.
        repeats: how many times the folds are drawn.
        name: of the part.
    """
    spec = study.spec
    document = _begin(spec, name, study.uuid)
    document["study"] |= {
        "regime": "custom",
        "seed": int(np.random.SeedSequence([spec.study.seed, point, 2]).generate_state(1)[0]),
        "trials": repeats if spec.cv.by else 1,
        # A study of repeats may have a learning curve; models of fewer patients are no repeats of a winner.
        "repeats_of": "",
    }
    document["cv"].pop("nested", None)
    document["cv"]["train_percent"] = percent
    if not spec.cv.by:
        document["cv"]["repeats"] = repeats
    return _train_again(document, params, "the learning curve")


def check_parts(study: StudyRecord, parts: list[StudyRecord], find_complete: FindComplete) -> list[str]:
    """What of the parts of a study does not fit, one sentence each: those that are gone, and those that do not follow from it.

    Args:
        study: the whole.
        parts: of it.
        find_complete: the complete trials of the whole, or of a search.
    """
    known = {part.uuid for part in parts}
    noted = [one for made in (study, *parts) for one in growth_of(made) if one["how"] == PART]
    gone = [one["name"] for one in noted if one["part"] not in known]
    strange = [part.name for part in parts if not _follows(study, part, parts, find_complete)]
    return [
        *(f"The part {name!r} was made of {study.name!r} and is gone." for name in gone),
        *(
            f"The part {name!r} is not what the plan of {study.name!r} makes of one of its complete trials."
            for name in strange
        ),
    ]


def _follows(
    study: StudyRecord, part: StudyRecord, parts: list[StudyRecord], find_complete: FindComplete
) -> bool:
    """Whether a part is what the study's plan makes."""
    role, params = role_of(part.spec), chosen_params(part.spec)
    try:
        if role is Role.SEARCH:
            return plan_search(study, part.spec.cv.outer, part.name).spec_hash == part.spec_hash
        if role is Role.PATIENTS:
            percent, repeats = part.spec.cv.train_percent, count_draws(part.spec)
            return any(
                known == params
                and plan_patients(study, point, params, percent, repeats, part.name).spec_hash
                == part.spec_hash
                for point, known in find_complete(study).items()
            )
        if role is Role.REPEATS:
            return any(
                known == params and plan_repeats(study, point, params, part.name).spec_hash == part.spec_hash
                for point, known in find_complete(study).items()
            )
        return any(
            plan_test(search, known, part.spec.training.epochs, part.name).spec_hash == part.spec_hash
            for search in parts
            if role_of(search.spec) is Role.SEARCH and search.spec.cv.outer == part.spec.cv.outer
            for known in find_complete(search).values()
        )
    except SpecError:
        return False


def _begin(spec: StudySpec, name: str, part_of: str) -> dict[str, Any]:
    document = spec.model_dump(mode="json")
    document["study"] |= {"name": name, "part_of": part_of}
    document["cv"].pop("repeats_of_winner", None)
    return document


def _train_again(document: dict[str, Any], params: Mapping[str, Any], source: str) -> StudySpec:
    document["sampler"] = {"name": "listed", "points": [dict(params)]}
    document["pruner"] = {"name": "none"}
    return parse(document, source=source)
