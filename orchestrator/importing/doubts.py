"""What a new data set looks like in numbers, and what is doubtful in it; the warnings are kept with it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.importing.grey_values import doubt_grey_values
from orchestrator.importing.image_files import ImageFacts
from orchestrator.importing.precision import ASSUMED_AUC, TARGET, WIDEST, expect_width, patients_needed
from orchestrator.importing.reading.tables import Table
from storage.data.patients import find_patient_columns
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS
from storage.wording import name_few, say_count

if TYPE_CHECKING:
    from orchestrator.importing.choices import Choices

USUAL_FOLDS = 6
NO_DISEASE = ("support devices",)
"""Labels beside which an image may well have no finding."""


def describe_side(
    targets: Sequence[str], labels: np.ndarray, groups: np.ndarray, task: Task = TASKS[LABELS]
) -> dict[str, Any]:
    """Counts of one side: images, groups, and what the kind of label says of each target."""
    return {
        "images": len(labels),
        "groups": len(np.unique(groups)),
        "labels": task.describe(targets, labels),
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
    *,
    has_areas: bool = True,
) -> list[str]:
    """The warnings of an import, one sentence each; rows in canonical order, `held` bool of shape (n,).

    `targets` and `labels` are questions of yes and no; `has_areas` says whether an AUC will be what is reported of them.
    """
    doubts = []
    if not choices.grouped:
        likely = likely_groups(table, choices.not_patient)
        hint = f" The column {likely[0]!r} looks like one: --group {likely[0]}." if likely else ""
        doubts.append(
            "No group column was named: every image counts as a separate patient. If patients have several images, patients "
            f"are in both training and validation, and values are too optimistic.{hint}"
        )
    doubts += _doubt_copies(facts, labels)
    doubts += _doubt_instances(facts, labels, groups)
    doubts += [
        f"{count} images may have text burned in ({reason}): a model may learn it, and it may name a patient."
        for reason, count in Counter(fact.burned_in for fact in facts if fact.burned_in).items()
    ]
    doubts += doubt_grey_values([fact.form for fact in facts])
    if not held.any():
        doubts.append("No hold-out was sealed, so no images remain for a final, unbiased estimate.")
    blank = int(np.isnan(labels).all(axis=1).sum())
    if blank:
        doubts.append(
            f"{blank} images have no label at all (every one is blank); nothing is learned from them."
        )
    doubts += _doubt_labels(targets, labels[~held], groups[~held])
    doubts += _doubt_contradictions(targets, labels, choices.rules.no_finding)
    if held.any():
        doubts += _doubt_holdout(targets, labels[held])
    return doubts + (_doubt_size(targets, labels, groups, held) if has_areas else [])


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


def _doubt_instances(facts: Sequence[ImageFacts], labels: np.ndarray, groups: np.ndarray) -> list[str]:
    """DICOM files of different bytes that say they are one picture: sent twice with another header, or made anonymous by a careless program."""
    places = defaultdict(list)
    for place, fact in enumerate(facts):
        if fact.form.instance:
            places[fact.form.instance].append(place)
    several = [found for found in places.values() if len({facts[place].sha256 for place in found}) > 1]
    if not several:
        return []
    differing = sum(
        any(not np.array_equal(labels[one[0]], labels[other], equal_nan=True) for other in one[1:])
        for one in several
    )
    torn = sum(len(np.unique(groups[one])) > 1 for one in several)
    also = [f"{torn} of them in different groups"] * (torn > 0) + [f"{differing} with differing labels"] * (
        differing > 0
    )
    return [
        f"{say_count(len(several), 'SOP Instance UID stands', 'SOP Instance UIDs stand')} in several DICOM files that differ"
        f"{': ' if also else ''}{', '.join(also)}. Each should be one picture: look whether pictures were exported twice; `orch data audit` compares "
        "pictures of different groups."
    ]


def _doubt_contradictions(targets: Sequence[str], labels: np.ndarray, no_finding: Sequence[str]) -> list[str]:
    """Images that have no finding by one label, and a finding by another."""
    plain = [" ".join(re.split(r"[\W_]+", name.casefold())).strip() for name in targets]
    says_none = (labels[:, [name in no_finding for name in plain]] == 1).any(axis=1)
    counts = {
        name: int((says_none & (labels[:, place] == 1)).sum())
        for place, name in enumerate(targets)
        if plain[place] not in (*no_finding, *NO_DISEASE)
    }
    found = {name: count for name, count in counts.items() if count}
    if not found:
        return []
    called = next(name for name, word in zip(targets, plain, strict=True) if word in no_finding)
    return [
        f"Some images are {called!r} and have a finding at once: {name_few(f'{name} ({count})' for name, count in found.items())}. "
        "One of the two labels is wrong."
    ]


def _doubt_labels(targets: Sequence[str], labels: np.ndarray, groups: np.ndarray) -> list[str]:
    constant, rare = [], []
    for name, column in zip(targets, labels.T, strict=True):
        counts = Counter({value: len(np.unique(groups[column == value])) for value in (0, 1)})
        if not min(counts.values()):
            constant.append(name)
        elif min(counts.values()) < USUAL_FOLDS:
            rare.append(f"{name} ({min(counts.values())})")
    doubts = []
    if constant:
        doubts.append(
            f"{say_count(len(constant), 'label has', 'labels have')} one value only in the development images and cannot be learned or scored: "
            f"{name_few(constant)}."
        )
    if rare:
        doubts.append(
            f"{say_count(len(rare), 'label has', 'labels have')} a class in fewer than {USUAL_FOLDS} groups of the development images: "
            f"{name_few(rare)}. With more folds than that number some folds cannot score {'it' if len(rare) == 1 else 'them'}."
        )
    return doubts


def _doubt_holdout(targets: Sequence[str], labels: np.ndarray) -> list[str]:
    unscored = [
        f"{name} ({'each image has it' if (column == 1).any() else 'no image has it'})"
        for name, column in zip(targets, labels.T, strict=True)
        if not ((column == 1).any() and (column == 0).any())
    ]
    if not unscored:
        return []
    return [
        f"The hold-out cannot score {say_count(len(unscored), 'label')}, because its images do not differ in it: "
        f"{name_few(unscored)}. Import with another --seed or a larger --holdout, or leave the label out."
    ]


def _doubt_size(
    targets: Sequence[str], labels: np.ndarray, groups: np.ndarray, held: np.ndarray
) -> list[str]:
    """One sentence on the side whose AUC will be known worst, where an interval would be too wide to be of use."""
    doubts = []
    for side, name, advice in (
        (held, "hold-out", "a larger --holdout or more patients"),
        (~held, "development part, all folds together,", "more patients"),
    ):
        scored = [
            (expect_width(with_it, without), target, with_it, without)
            for target, (without, with_it) in zip(
                targets, _count_patients(labels[side], groups[side]), strict=True
            )
            if with_it and without
        ]
        wide = sorted((one for one in scored if one[0] > WIDEST), reverse=True)
        if wide:
            width, target, with_it, without = wide[0]
            others = f" and {say_count(len(wide) - 1, 'other label')} likewise" if len(wide) > 1 else ""
            doubts.append(
                f"The {name} is small: the 95 % interval of an AUC of {ASSUMED_AUC:.2f} would be about {width:.2f} wide for "
                f"{target} ({say_count(with_it, 'patient')} with it, {without} without){others}. Riley 2021 asks for {TARGET:.2f}, which "
                f"takes about {patients_needed(with_it / (with_it + without))} patients: {advice}."
            )
    return doubts


def _count_patients(labels: np.ndarray, groups: np.ndarray) -> list[tuple[int, int]]:
    """For each label, how many patients have an image without it, and how many one with it; some have both."""
    return [(len(np.unique(groups[column == 0])), len(np.unique(groups[column == 1]))) for column in labels.T]
