"""Findings on targets that say the same, or that nobody could have assessed."""

from __future__ import annotations

import numpy as np

from orchestrator.audit.evidence import Evidence
from orchestrator.audit.findings import Finding
from storage.wording import say_count

FEWEST_ROWS = 20
FEWEST_EXPECTED = 12.0
"""Positives that a condition without influence would leave; none at all then has a chance of 6 in a million."""

MOST_VALUES = 30


def find_twins(evidence: Evidence) -> dict[str, dict[str, str]]:
    """For each target its copies and complements among the others: name -> "copy" or "complement".

    Two classes of which every image has exactly one are complements by their nature, and not named.
    """
    twins: dict[str, dict[str, str]] = {}
    labels = evidence.labels
    for one, name in enumerate(evidence.targets):
        for other in range(one + 1, len(evidence.targets)):
            both = ~np.isnan(labels[:, one]) & ~np.isnan(labels[:, other])
            left, right = labels[both, one], labels[both, other]
            if both.sum() < FEWEST_ROWS or len(np.unique(left)) < 2 or len(np.unique(right)) < 2:
                continue
            kind = "copy" if (left == right).all() else "complement" if (left != right).all() else ""
            if kind == "complement" and evidence.exclusive:
                continue
            if kind:
                twins.setdefault(name, {})[evidence.targets[other]] = kind
                twins.setdefault(evidence.targets[other], {})[name] = kind
    return twins


def judge_twins(twins: dict[str, dict[str, str]]) -> list[Finding]:
    """A finding for each pair."""
    found = []
    for name, others in twins.items():
        for other, kind in others.items():
            if name < other:
                found.append(
                    Finding(
                        f"{kind}-targets",
                        "warning",
                        f"The targets {name!r} and {other!r} are "
                        + (
                            "copies of each other"
                            if kind == "copy"
                            else "complements: where one is 1 the other is 0"
                        )
                        + ", so one answer counts twice in the mean AUC.",
                        "Keep one of them with data.targets"
                        + (", or none if they name the view or the device." if kind == "complement" else "."),
                        {"targets": [name, other]},
                    )
                )
    return found


def find_impossible(evidence: Evidence, twins: dict[str, dict[str, str]]) -> list[Finding]:
    """Targets that are never positive where another column has a value: perhaps not assessed, yet coded 0.

    Conditions are the values of columns that are no labels, and targets that come as complements (a view, a side);
    any other target excludes some targets by its nature, as grades do.
    """
    if evidence.classes or not evidence.has_auc:
        # A class that a view never has is absent there, and that is no gap in the labels. Nor is a number that is low there.
        return []
    conditions: dict[tuple[str, str], np.ndarray] = {}
    for name, cells in evidence.columns.items():
        column = np.asarray(cells)
        values, counts = np.unique(column, return_counts=True)
        if 2 <= len(values) <= MOST_VALUES:
            conditions |= {
                (name, str(value)): column == value
                for value, count in zip(values, counts, strict=True)
                if count >= FEWEST_ROWS
            }
    for place, name in enumerate(evidence.targets):
        if "complement" in twins.get(name, {}).values():
            # The other value is said by the complement.
            conditions[name, "1"] = evidence.labels[:, place] == 1
    widest: dict[str, tuple[int, tuple[str, str]]] = {}
    for place, target in enumerate(evidence.targets):
        if target in twins:
            continue
        column = evidence.labels[:, place]
        share = np.nanmean(column) if not np.isnan(column).all() else 0.0
        for condition, rows in conditions.items():
            assessed = rows & ~np.isnan(column)
            count = int(assessed.sum())
            if count * share >= FEWEST_EXPECTED and not (column[assessed] == 1).any():
                widest[target] = max(widest.get(target, (0, condition)), (count, condition))
    by_condition: dict[tuple[str, str], list[str]] = {}
    for target, (_, condition) in widest.items():
        by_condition.setdefault(condition, []).append(target)
    return [
        Finding(
            "blank-advised",
            "warning",
            f"Where {name} is {value or 'blank'} ({say_count(int(conditions[name, value].sum()), 'image')}), "
            f"{say_count(len(targets), 'target is', 'targets are')} 0 and never 1: {', '.join(targets)}.",
            "If they cannot be assessed there, leave the cell blank (not assessed); a 0 teaches the model the "
            f"{name} instead of the finding.",
            {
                "column": name,
                "value": value,
                "images": int(conditions[name, value].sum()),
                "targets": targets,
            },
        )
        for (name, value), targets in by_condition.items()
    ]
