"""Weights & Biases, offline: a run for each trial in a folder that `wandb sync` sends.

The group is the study, the configuration holds the hyperparameters, and the columns are named as the ledger's (`val_auc`), with `fold_1/val_auc`
beside them for each fold. The id of a run is made of study and trial, so that what is sent twice is one run there.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import wandb

from orchestrator.tracking.runs import TrialRun
from storage.errors import TrackerAwayError
from storage.studies.study import StudyRecord

WHOLE = "orch-told.json"
"""Beside the runs: which trials were told whole."""


class WandbTracker:
    """A folder of offline runs."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made yet.

        Args:
            folder: made where it is missing; `wandb sync FOLDER/wandb/offline-run-*` sends it.
        """
        self._folder = folder

    def known(self, study: StudyRecord) -> Collection[int]:
        """The trials that were told whole."""
        return self._told().get(study.uuid, [])

    def write(self, study: StudyRecord, run: TrialRun) -> None:
        """Write the run of one trial."""
        identity = f"{study.uuid[:8]}-{run.trial}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # What an interrupted telling left.
            for left in (self._folder / "wandb").glob(f"offline-run-*-{identity}"):
                shutil.rmtree(left)
            begun = wandb.init(
                project=study.name,
                group=study.name,
                name=run.name,
                id=identity,
                dir=str(self._folder),
                mode="offline",
                config=dict(run.params),
                tags=[run.state.lower()],
                notes=run.error,
                settings=wandb.Settings(
                    silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True
                ),
            )
            rows: dict[int, dict[str, float]] = defaultdict(dict)
            for epoch, values in run.mean:
                rows[epoch] |= values
            for fold, curve in run.folds.items():
                for epoch, values in curve:
                    rows[epoch] |= {f"fold_{fold + 1}/{name}": value for name, value in values.items()}
            for epoch, values in sorted(rows.items()):
                begun.log({**values, "epoch": epoch}, step=epoch)
            final = {"value": run.value, "best_epoch": run.best_epoch, "state": run.state, "trial": run.trial}
            begun.summary.update({name: value for name, value in final.items() if value is not None})
            begun.finish(exit_code=1 if run.state == "FAIL" else 0)
            told = self._told()
            told.setdefault(study.uuid, []).append(run.trial)
            partial = self._folder / f".{WHOLE}"
            partial.write_text(json.dumps(told))
            partial.replace(self._folder / WHOLE)
        except (OSError, wandb.Error) as error:
            raise TrackerAwayError(
                f"The offline runs of W&B cannot be written: {error}.",
                next_step="Make room, or name another folder.",
            ) from error

    def _told(self) -> dict[str, list[int]]:
        try:
            return dict(json.loads((self._folder / WHOLE).read_text()))
        except (OSError, ValueError):
            return {}
