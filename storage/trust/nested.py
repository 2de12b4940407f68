"""Nested cross-validation: what the whole procedure, search and choice included, scores on patients that it never saw.

In each outer fold the whole search is made without the patients of that fold, its winner is trained on all that the search had, and
is judged once on the fold (Varma and Simon 2006, "Bias in error estimation when using cross-validation for model selection"). The mean
over the outer folds is an unbiased value of the procedure, with as many patients less as an outer fold has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storage.database.engine import Database
from storage.growth.part_specs import Role, role_of
from storage.growth.parts import count_fold_epochs, find_follower, list_parts
from storage.results.curves import tabulate_rows
from storage.results.ledger import read_curves, run_key
from storage.studies.point_records import best_point, list_points
from storage.studies.study_records import StudyRecord
from storage.trust.noise import mean_interval


def judge_nested(database: Database, study: StudyRecord) -> dict[str, Any] | None:
    """What the outer folds of a study say, as plain JSON data; None of a study without any.

    Keys: `folds`, `finished`; `outer`, of each fold `fold` (from 1), `study` (its search), `trial` and `params` of its winner, `epochs`,
    `inner_value` (by which it was chosen) and `value` (on the outer fold), None where it is not there yet; `value`, `low`, `high` (the mean
    over the folds and its 95 % interval, `storage.trust.noise.mean_interval`: the folds have different patients), None until every
    fold is finished; `optimism`, what the winners scored above that within their searches; `fold_epochs`, what was trained for it.
    """
    count = study.spec.cv.nested
    if not count or study.spec.study.part_of:
        return None
    parts = list_parts(database, study)
    searches = sorted(
        (part for part in parts if role_of(part.spec) is Role.SEARCH), key=lambda part: part.spec.cv.outer
    )
    outer = [_judge_fold(database, search) for search in searches]
    known = [one for one in outer if one["value"] is not None]
    document: dict[str, Any] = {
        "folds": count,
        "finished": len(known),
        "outer": outer,
        "value": None,
        "low": None,
        "high": None,
        "optimism": None,
        "fold_epochs": sum(
            count_fold_epochs(database, part.uuid) for part in parts if role_of(part.spec) is not Role.REPEATS
        ),
    }
    if len(known) < count:
        return document
    values = np.array([one["value"] for one in known])
    value = float(values.mean())
    low, high = mean_interval(value, [values]) or (None, None)
    inner = float(np.mean([one["inner_value"] for one in known]))
    return document | {"value": value, "low": low, "high": high, "optimism": inner - value}


def describe_nested(document: dict[str, Any] | None, places: int = 3) -> str | None:
    """Say it for people, without the last full stop; None where there is nothing to say."""
    if document is None:
        return None
    if document["value"] is None:
        return (
            f"Nested cross-validation: {document['finished']} of {document['folds']} outer folds are finished"
        )
    interval = (
        ""
        if document["low"] is None
        else f", 95 % interval {document['low']:.{places}f} to {document['high']:.{places}f}"
    )
    return (
        f"Nested cross-validation ({document['folds']} outer folds, the whole search in each): "
        f"{document['value']:.{places}f}{interval}"
    )


def _judge_fold(database: Database, search: StudyRecord) -> dict[str, Any]:
    winner = best_point(list_points(database, search.uuid))
    test = None if winner is None else find_follower(database, search, winner)
    return {
        "fold": search.spec.cv.outer,
        "study": search.name,
        "trial": winner.trial_number if winner else None,
        "params": winner.params if winner else None,
        "inner_value": winner.value if winner else None,
        "epochs": test.spec.training.epochs if test else None,
        "value": None if test is None else _read_value(database, test),
    }


def _read_value(database: Database, test: StudyRecord) -> float | None:
    """The score on the outer fold after the last epoch."""
    (point,) = list_points(database, test.uuid)
    if not point.is_complete:
        return None
    rows = read_curves(database, test.uuid, point.point, run_key(test.spec_hash, point.params or {}))
    return float(tabulate_rows(test.spec, rows)[0, -1])
