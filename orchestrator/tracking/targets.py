"""Where trials are told: mlflow:URL, wandb:DIR or tensorboard:DIR, and what must be installed for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from storage.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.tracking.runs import TrialRun
    from storage.studies.study import StudyRecord

KINDS = {"mlflow": "mlflow", "wandb": "wandb", "tensorboard": "tensorboardX"}
"""Kind of tracker -> the module that it needs; its extra has the name of the kind."""


class Tracker(Protocol):
    """What a tracker can do. `known` and `write` raise TrackerAwayError where it does not answer."""

    def known(self, study: StudyRecord) -> Collection[int]:
        """The numbers of the trials of a study that it has whole."""

    def write(self, study: StudyRecord, run: TrialRun) -> None:
        """Tell it of one trial; what an interrupted telling left is replaced."""


def check_target(target: str) -> tuple[str, str]:
    """Kind and place of a tracker.

    Args:
        target: "mlflow:URL", "wandb:DIR" or "tensorboard:DIR".

    Raises:
        UsageError: it is none of these, or what it needs is not installed.
    """
    kind, colon, place = target.partition(":")
    if kind not in KINDS or not colon or not place:
        raise UsageError(
            f"{target!r} names no tracker.",
            next_step="Write mlflow:http://HOST:5000, wandb:FOLDER or tensorboard:FOLDER.",
        )
    if importlib.util.find_spec(KINDS[kind]) is None:
        raise UsageError(
            f"{KINDS[kind]} is not installed, and {kind} needs it.",
            next_step=f"pip install 'orch-studies[{kind}]'",
        )
    return kind, place


def open_tracker(target: str) -> Tracker:
    """Make a tracker; nothing is asked of it yet.

    Args:
        target: as `check_target` takes it.

    Raises:
        UsageError: as `check_target`.
    """
    kind, place = check_target(target)
    if kind == "mlflow":
        from orchestrator.tracking.mlflow import MlflowTracker

        return MlflowTracker(place)
    if kind == "wandb":
        from orchestrator.tracking.wandb import WandbTracker

        return WandbTracker(Path(place))
    from orchestrator.tracking.tensorboard import TensorBoardTracker

    return TensorBoardTracker(Path(place))
