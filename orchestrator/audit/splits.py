"""Findings on who stands on which side: patients, groups, classes in folds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from orchestrator.audit.evidence import ROWS_BEFORE_GUESSING, Evidence
from orchestrator.audit.findings import Finding
from storage.wording import name_few, say_count

FEW_GROUPS = 20


def find_split_patients(evidence: Evidence) -> list[Finding]:
    """Patients with images on two sides, known from a column that names them or guessed from file names."""
    found = []
    for name, cells in evidence.identifiers.items():
        patients = np.unique(cells, return_inverse=True)[1]
        straddling, seen = count_straddling(patients, evidence.folds)
        if straddling:
            found.append(
                Finding(
                    "patients-split",
                    "error",
                    f"{straddling:.1%} of the patients in column {name!r} have images in several folds, and "
                    f"{seen:.1%} of validation images have an image of the same patient in training.",
                    f"Does column {name!r} identify patients? If so: --group {name}; if not: --not-patient {name}.",
                    {"column": name, "patients": straddling, "validation_images": seen},
                )
            )
    if evidence.sides is not None:
        found += _find_straddling_sides(evidence)
    if not evidence.grouped and not evidence.identifiers:
        found.append(_guess_patients(evidence))
    return found


def count_straddling(
    patients: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, float]:
    """How badly patients straddle folds.

    Args:
        patients: int, shape (n,).
        folds: indices that train and that validate.

    Returns:
        The share of patients in more than one fold, and the share of validation images with an image of the same
        patient in training.
    """
    places = defaultdict(set)
    seen = total = 0
    for number, (train, validation) in enumerate(folds):
        for patient in patients[validation].tolist():
            places[patient].add(number)
        seen += int(np.isin(patients[validation], patients[train]).sum())
        total += len(validation)
    return sum(len(found) > 1 for found in places.values()) / len(places), seen / total


def _find_straddling_sides(evidence: Evidence) -> list[Finding]:
    sides = np.array([side == "test" for side in evidence.sides or []])
    torn = np.intersect1d(evidence.groups[sides], evidence.groups[~sides])
    if not len(torn):
        return []
    return [
        Finding(
            "patients-split",
            "error",
            f"The split column puts {say_count(len(torn), 'group')} on both sides: in test, and in train or valid.",
            "Correct the column, or let orch split by group: --holdout 0.15.",
            {"groups": len(torn)},
        )
    ]


def _guess_patients(evidence: Evidence) -> Finding:
    rows = [re.split(r"[^A-Za-z0-9]+", name) for name in evidence.names]
    hint, details, most = "", {}, 0
    for place in range(min((len(row) - 1 for row in rows), default=0)):
        tokens = [row[place] for row in rows]
        different = len(set(tokens))
        # Folders and sides repeat, too; patients are more.
        if len(rows) >= ROWS_BEFORE_GUESSING and max(len(rows) / 20, most + 1) <= different <= 0.9 * len(
            rows
        ):
            hint = (
                f" Part {place + 1} of the file names (such as {tokens[0]!r}) repeats like a patient's number: "
                f"{different} values in {len(rows)} names."
            )
            details, most = {"part_of_file_name": place + 1, "values": different}, different
    return Finding(
        "patients-unknown",
        "warning",
        f"No column identifies the patients, so images of one patient may be in both training and validation.{hint}",
        "Add a column that identifies patients and import with --group COLUMN.",
        details,
    )


def find_groups_with_labels(evidence: Evidence) -> list[Finding]:
    """Groups that are the label, and groups so few that they, not the images, are the sample."""
    count = len(np.unique(evidence.groups))
    if not evidence.grouped:
        return []
    numbers = np.unique(evidence.groups, return_inverse=True)[1]
    several = np.bincount(numbers) > 1
    carried = []
    for target, column in zip(evidence.targets, evidence.labels.T, strict=True):
        with_one = np.bincount(numbers, column == 1) > 0
        with_zero = np.bincount(numbers, column == 0) > 0
        varies = (with_one & with_zero).any()
        if several.any() and not varies and with_one.any() and with_zero.any():
            carried.append(target)
    if carried and count <= FEW_GROUPS:
        # Folds keep groups whole, so what is learned of a group does not make the value better. Where no fold can score a label, no
        # value is of it at all.
        never = {target for target in carried if _folds_with_both(evidence, target) == 0}
        unscored = (
            f" No fold has both classes of {_few([*never])} among its validation images." if never else ""
        )
        return [
            Finding(
                "groups-carry-label",
                "error" if never else "warning",
                f"{say_count(len(carried), 'label never varies', 'labels never vary')} within a group and there are only {count} groups: "
                f"{_few(carried)}. The sample is {count} groups, not {len(evidence.groups)} images, and a model may learn the group instead of the "
                f"label.{unscored}",
                "If the groups are patients, add patients; if they are sites or classes, import again with the patient as group.",
                {"targets": carried, "groups": count},
            )
        ]
    if carried:
        return [
            Finding(
                "groups-carry-label",
                "note",
                f"{say_count(len(carried), 'label never varies', 'labels never vary')} within a group: {_few(carried)}. The size of the sample is "
                f"the number of groups ({count}), not of images ({len(evidence.groups)}).",
                "Nothing to do: folds are made by group.",
                {"targets": carried, "groups": count},
            )
        ]
    return []


def _folds_with_both(evidence: Evidence, target: str) -> int:
    """How many folds have both classes of a label among their validation images."""
    column = evidence.labels[:, evidence.targets.index(target)]
    return sum(
        bool((column[validation] == 1).any() and (column[validation] == 0).any())
        for _, validation in evidence.folds
    )


def find_single_classes(evidence: Evidence) -> list[Finding]:
    """Labels with one class among a fold's validation images."""
    single = [
        f"{target} in fold {fold}"
        for fold, (_, validation) in enumerate(evidence.folds)
        for target, column in zip(evidence.targets, evidence.labels[validation].T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 2
    ]
    if not single:
        return []
    return [
        Finding(
            "single-class-folds",
            "warning",
            f"{say_count(len(single), 'label has', 'labels have')} one class among a fold's validation images and {'is' if len(single) == 1 else 'are'} left out of that "
            f"fold's AUC: {_few(single)}.",
            "Use fewer folds, or leave these labels out with data.targets.",
            {"labels": single},
        )
    ]


def _few(names: Sequence[str]) -> str:

    return name_few(names)
