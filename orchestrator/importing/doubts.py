"""What a new data set looks like in numbers, and what is doubtful in it; the warnings are kept with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.importing.grey_values import doubt_grey_values
from orchestrator.importing.image_files import ImageFacts
from orchestrator.importing.reading.tables import Table
from storage.data.patients import find_patient_columns
from storage.wording import name_few, say_count

if TYPE_CHECKING:
    from orchestrator.importing.choices import Choices

USUAL_FOLDS = 6


def describe_side(targets: Sequence[str], labels: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Counts of one side: images, groups, and for each target how many are assessed, positive, and their share."""
    assessed = (~np.isnan(labels)).sum(axis=0).tolist()
    positive = (labels == 1).sum(axis=0).tolist()
    return {
        "images": len(labels),
        "groups": len(np.unique(groups)),
        "labels": {
            name: {
                "assessed": known,
                "positive": ones,
                "prevalence": round(ones / known, 6) if known else None,
            }
            for name, known, ones in zip(targets, assessed, positive, strict=True)
        },
    }


def likely_groups(table: Table, declined: Sequence[str] = ()) -> list[str]:
    """The columns that may name patients, the likeliest first; `declined` are those that the user said do not."""
    return find_patient_columns(
        ((name, table.column(name, option="--group")) for name in table.columns), declined
    )


def describe_doubts(
    table: Table,
    targets: Sequence[str],
    labels: np.ndarray,
    groups: np.ndarray,
    held: np.ndarray,
    facts: Sequence[ImageFacts],
    choices: Choices,
) -> list[str]:
    """The warnings of an import, one sentence each; rows in canonical order, `held` bool of shape (n,)."""
    doubts = []
    if not choices.group_columns and not choices.group_dicom:
        likely = likely_groups(table)
        hint = f" The column {likely[0]!r} looks like one: --group {likely[0]}." if likely else ""
        doubts.append(
            "No group column was named: every image counts as a patient of its own, so if patients have several "
            f"images, validation sees patients of the training part and its values are too good.{hint}"
        )
    doubts += _doubt_copies(facts, labels)
    doubts += [
        f"{count} images may have text burned in ({reason}): a model may learn it, and it may name a patient."
        for reason, count in Counter(fact.burned_in for fact in facts if fact.burned_in).items()
    ]
    doubts += doubt_grey_values([fact.form for fact in facts])
    if not held.any():
        doubts.append("No hold-out was sealed: no image is left for a last, honest estimate.")
    blank = int(np.isnan(labels).all(axis=1).sum())
    if blank:
        doubts.append(
            f"{blank} images have no label at all (every one is blank); nothing is learned from them."
        )
    return doubts + _doubt_labels(targets, labels[~held], groups[~held])


def _doubt_copies(facts: Sequence[ImageFacts], labels: np.ndarray) -> list[str]:
    places = defaultdict(list)
    for place, fact in enumerate(facts):
        places[fact.sha256].append(place)
    copied = [copies for copies in places.values() if len(copies) > 1]
    if not copied:
        return []
    differing = sum(
        any(not np.array_equal(labels[copies[0]], labels[other], equal_nan=True) for other in copies[1:])
        for copies in copied
    )
    say = f", {differing} of them with differing labels" if differing else ""
    return [
        f"{say_count(len(copied), 'image occurs', 'images occur')} more than once in the same group (equal bytes){say}; all are kept."
    ]


def _doubt_labels(targets: Sequence[str], labels: np.ndarray, groups: np.ndarray) -> list[str]:
    constant, rare = [], []
    for name, column in zip(targets, labels.T, strict=True):
        counts = Counter({value: len(np.unique(groups[column == value])) for value in (0, 1)})
        if not min(counts.values()):
            constant.append(name)
        elif min(counts.values()) < USUAL_FOLDS:
            rare.append(name)
    doubts = []
    if constant:
        doubts.append(
            f"{say_count(len(constant), 'label has', 'labels have')} one value only in the development images and cannot be learned or scored: "
            f"{name_few(constant)}."
        )
    if rare:
        doubts.append(
            f"{say_count(len(rare), 'label has', 'labels have')} a class in fewer than {USUAL_FOLDS} groups of the development images, so with "
            f"{USUAL_FOLDS} folds some folds cannot score them: {name_few(rare)}."
        )
    return doubts
