"""The estimates of what a study's winner is worth, side by side, with what each of them cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.database.engine import Database
from storage.growth.part_specs import Role
from storage.growth.parts import count_fold_epochs, describe_parts
from storage.studies.study_records import StudyRecord


def list_estimates(
    database: Database, study: StudyRecord, selection: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The best value, the corrected one and that of nested cross-validation, as far as they are there.

    Args:
        database, study: which.
        selection: as `storage.trust.selection.judge_selection` makes it, with `nested`.

    Returns:
        Of each `estimate` (what it is), `value`, `low`, `high` (of its 95 % interval, or None), and `fold_epochs`, which were trained for it
        beside the study itself; None where other studies gave it.
    """
    parts = describe_parts(database, study)
    repeated = [part for part in parts if part["role"] is Role.REPEATS]
    found = [_row("best value", selection["value"], None, None, count_fold_epochs(database, study.uuid))]
    if selection["corrected_value"] is not None:
        method = selection["correction"]
        spent = sum(part["fold_epochs"] for part in repeated) if repeated else None
        found.append(
            _row(
                f"corrected ({method})",
                selection["corrected_value"],
                selection["corrected_low"],
                selection["corrected_high"],
                spent if method == "repeats" else 0,
            )
        )
    nested = selection["nested"]
    if nested and nested["value"] is not None:
        found.append(
            _row(
                f"nested ({nested['folds']} outer folds)",
                nested["value"],
                nested["low"],
                nested["high"],
                nested["fold_epochs"],
            )
        )
    return found


def _row(
    estimate: str, value: float, low: float | None, high: float | None, spent: int | None
) -> dict[str, Any]:
    return {"estimate": estimate, "value": value, "low": low, "high": high, "fold_epochs": spent}
