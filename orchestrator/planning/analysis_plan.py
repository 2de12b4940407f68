"""The plan of analysis that a study is created with: `--plan plan.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.data.datasets import read_columns
from storage.errors import StudyExistsError
from storage.trust.plan import FACT, check_against, hash_plan, read_plan, seal_plan

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec
    from storage.studies.study import StudyRow


def take_plan(path: Path, spec: StudySpec, dataset: Dataset, existing: StudyRow | None) -> dict[str, Any]:
    """Read a plan for a study that is about to be made.

    Args:
        path: of the TOML file.
        spec: of the study.
        dataset: its data.
        existing: the study of that name, where there is one already.

    Returns:
        The sealed plan, for the facts of the study.

    Raises:
        SpecError: the plan is not valid, or the study does not begin as it says.
        StudyExistsError: the study exists, with another plan or with none.
    """
    plan = read_plan(path)
    targets = list(spec.data.targets) or list(dataset.targets)
    check_against(plan, spec, targets, list(read_columns(dataset)) if "subgroups" in plan else [])
    if existing is not None:
        standing = getattr(existing, "facts", {}).get(FACT)
        if standing is None or standing.get("hash") != hash_plan(plan):
            raise StudyExistsError(
                f"The study {spec.study.name!r} exists with {'another plan' if standing else 'no plan'}.",
                why="A plan is fixed when a study is created, before its first trial.",
                next_step="Choose another name for a study with this plan.",
            )
        return dict(standing)
    return seal_plan(plan)
