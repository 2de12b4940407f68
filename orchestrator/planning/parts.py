"""What a new study does besides its trials: how often its winner is evaluated again, nested cross-validation, and what they cost."""

from __future__ import annotations

from typing import Any

from storage.spec import PRUNER_PRESETS, PrunerSection, StudySpec
from storage.studies.study_records import StudyRecord, StudyRow

DEFAULT_REPEATS = 3
"""With 3 draws of 6 folds the value is off by hardly more than with 5 (docs/trust.md has the simulation)."""
LARGEST_SHARE = 0.1
"""Of the epochs of the study itself: repeats that cost more are left to the user."""
TRAINED = {"careful": 0.3, "fast": 0.15}
"""The share of its epochs that a pruned study trains, at least: docs/pruning-evidence.md."""
TRAINED_OTHERWISE = 0.15


def plan_repeats_of_winner(spec: StudySpec, existing: StudyRow | None) -> StudySpec:
    """Return the spec with the repeats of its winner, where nobody said how many and they cost little.

    A study without a pruner has an unbiased value anyway. One that is there already stays as it is.

    Args:
        spec: of a study to be made.
        existing: the study of that name, if there is one.
    """
    if spec.cv.repeats_of_winner is not None or spec.study.repeats_of or not spec.search:
        return spec
    if isinstance(existing, StudyRecord):
        known = existing.spec.cv.repeats_of_winner
        return spec if known is None else _with_repeats(spec, known)
    if spec.pruner.name == "none" or estimate_share(spec, DEFAULT_REPEATS) > LARGEST_SHARE:
        return spec
    return _with_repeats(spec, DEFAULT_REPEATS)


def estimate_share(spec: StudySpec, repeats: int) -> float:
    """What the repeats of a winner cost at most, as a share of the epochs that the study itself trains."""
    if spec.pruner.name == "none":
        return repeats / spec.point_count
    preset = next(
        (name for name in PRUNER_PRESETS if PrunerSection(name=name, unit=spec.pruner.unit) == spec.pruner),
        "",
    )
    return repeats / (spec.point_count * TRAINED.get(preset, TRAINED_OTHERWISE))


def describe_cost(spec: StudySpec) -> dict[str, Any] | None:
    """What the winner's repeats will cost: `repeats`, `fold_epochs` and `share` of the study at most; None where there are none."""
    repeats = spec.cv.repeats_of_winner
    if not repeats or not spec.search:
        return None
    return {
        "repeats": repeats,
        "fold_epochs": repeats * spec.fold_count * spec.training.epochs,
        "share_at_most": estimate_share(spec, repeats),
    }


def describe_nested(spec: StudySpec) -> dict[str, Any] | None:
    """What a nested cross-validation will cost: `folds` and `fold_epochs` if no trial is pruned; None where there is none."""
    if not spec.cv.nested:
        return None
    search = spec.point_count * spec.fold_count * spec.training.epochs
    # Each test trains one model, for the epochs at which the winner of its search was best.
    return {"folds": spec.cv.nested, "fold_epochs": spec.cv.nested * (search + spec.training.epochs)}


def _with_repeats(spec: StudySpec, repeats: int) -> StudySpec:
    return spec.with_values({"cv.repeats_of_winner": repeats})
