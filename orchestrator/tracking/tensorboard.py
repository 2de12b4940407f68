"""TensorBoard's event files with hyperparameters, written by tensorboardX.

`trial-0057/mean` has the means over the folds and the hyperparameters (the page HParams), `trial-0057/fold-1` one fold. A run's file is written under
another name and moved into place, so that TensorBoard never reads half of it; written again, it is replaced.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tensorboardX import FileWriter, summary

from orchestrator.tracking.runs import Curve, TrialRun
from storage.errors import TrackerAwayError
from storage.files.leftovers import scratch
from storage.studies.study import StudyRecord

FILE = "events.out.tfevents.0.orch"
"""TensorBoard knows event files by the first part of this name."""
RESULT = "objective"
"""The metric that the page HParams sorts by."""


class TensorBoardTracker:
    """A folder for `tensorboard --logdir`."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made yet.

        Args:
            folder: made where it is missing.
        """
        self._folder = folder

    def known(self, study: StudyRecord) -> Collection[int]:
        """The trials whose runs are in the folder."""
        kept = self._folder / study.name
        return {int(path.parent.parent.name[len("trial-") :]) for path in kept.glob(f"trial-*/mean/{FILE}")}

    def write(self, study: StudyRecord, run: TrialRun) -> None:
        """Write the runs of one trial; that of the means, which says that it is whole, last."""
        folder = self._folder / study.name / run.name
        try:
            for fold, curve in sorted(run.folds.items()):
                _write(folder / f"fold-{fold + 1}", curve, run.ended_at, [])
            found = [] if run.value is None else [(run.best_epoch or 1, {RESULT: run.value})]
            _write(folder / "mean", [*run.mean, *found], run.ended_at, _describe_params(run))
        except OSError as error:
            raise TrackerAwayError(
                f"The logs for TensorBoard cannot be written: {error}.",
                next_step="Make room, or name another folder.",
            ) from error


def _describe_params(run: TrialRun) -> list[Any]:
    params = {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in run.params.items()
    }
    metrics = {} if run.value is None else {RESULT: run.value}
    return list(summary.hparams(params, metrics))


def _write(folder: Path, curve: Curve, time: float, before: list[Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with scratch(folder) as temporary:
        writer = FileWriter(str(temporary))
        for one in before:
            writer.add_summary(one, walltime=time)
        for epoch, values in curve:
            for name, value in values.items():
                writer.add_summary(summary.scalar(name, value), epoch, walltime=time)
        writer.close()
        [written] = temporary.glob("events.*")
        written.chmod(0o644)
        shutil.move(written, folder / FILE)
