"""MLflow: a run for each trial, with a child for each fold, and the best trial with its model.

The experiment has the name of the study. Tags are named as in optuna-integration's MLflowCallback (number, state, direction), and
`orch.study`, `orch.trial`, `orch.fold` say what a run belongs to. A run with the tag `orch.whole` was told whole; others are replaced.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from orchestrator.tracking.runs import Curve, TrialRun
from storage.errors import TrackerAwayError
from storage.studies.study import StudyRecord
from storage.wording import printable

STUDY, TRIAL, FOLD, WHOLE = "orch.study", "orch.trial", "orch.fold", "orch.whole"
PARENT, NAME, NOTE = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
BATCH = 900
"""MLflow takes at most 1,000 numbers at once."""
LONGEST = 250
"""Characters of a parameter that every version of MLflow takes."""
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "FINISHED", "FAIL": "FAILED"}

logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
"""It notes with a time that it makes its tables, between the lines of orch."""


class MlflowTracker:
    """One MLflow server, or a folder or a database that MLflow keeps by itself."""

    def __init__(self, url: str) -> None:
        """Nothing is asked of it yet.

        Args:
            url: as MLFLOW_TRACKING_URI has it.
        """
        self._url = url
        self._client: Any = None
        self._experiments: dict[str, str] = {}

    def known(self, study: StudyRecord) -> Collection[int]:
        """The trials that were told whole."""
        with self._reached():
            return {int(run.data.tags[TRIAL]) for run in self._runs(study, f"tags.`{WHOLE}` = 'yes'")}

    def write(self, study: StudyRecord, run: TrialRun) -> None:
        """Tell it of one trial and its folds."""
        with self._reached():
            client, experiment = self._ready(), self._experiment(study)
            for left in self._runs(study, f"tags.`{TRIAL}` = '{run.trial}'"):
                client.delete_run(left.info.run_id)
            tags = {
                **{NAME: run.name, STUDY: study.uuid, TRIAL: str(run.trial)},
                **{"number": str(run.trial), "state": run.state, "direction": "MAXIMIZE"},
                **({NOTE: printable(run.error)[:4000]} if run.error else {}),
            }
            parent = self._begin(experiment, run, tags)
            self._note_params(parent, run)
            self._note_curve(parent, run.mean, run)
            final = {"value": run.value, "best_epoch": run.best_epoch}
            final |= {f"fold_{number + 1}_value": value for number, value in enumerate(run.fold_values)}
            time = _milliseconds(run.ended_at)
            found = [
                Metric(name, float(value), time, 0) for name, value in final.items() if value is not None
            ]
            client.log_batch(parent, metrics=found)
            for number, curve in sorted(run.folds.items()):
                child = self._begin(
                    experiment,
                    run,
                    {
                        **{NAME: f"{run.name} fold {number + 1}", PARENT: parent, STUDY: study.uuid},
                        **{TRIAL: str(run.trial), FOLD: str(number + 1)},
                    },
                )
                self._note_params(child, run)
                self._note_curve(child, curve, run)
                client.set_terminated(child, STATUS[run.state], _milliseconds(run.ended_at))
            client.set_terminated(parent, STATUS[run.state], _milliseconds(run.ended_at))
            client.set_tag(parent, WHOLE, "yes")

    def mark_best(self, study: StudyRecord, trial: int, document: str, model: Path | None) -> None:
        """Mark the best trial's run, with best.json and the final model as files; the model becomes a version in the registry.

        Args:
            study: whose.
            trial: the best one, which was told before.
            document: the text of best.json.
            model: the model file, if there is one.
        """
        with self._reached():
            client = self._ready()
            for run in self._runs(study, "tags.`orch.best` = 'yes'"):
                if run.data.tags[TRIAL] != str(trial):
                    client.delete_tag(run.info.run_id, "orch.best")
            [best] = self._runs(study, f"tags.`{TRIAL}` = '{trial}' AND tags.`{WHOLE}` = 'yes'")
            identity = best.info.run_id
            client.set_tag(identity, "orch.best", "yes")
            client.log_text(identity, document, "best.json")
            if model is not None:
                client.log_artifact(identity, str(model), "model")
                self._register(study, f"{best.info.artifact_uri}/model/{model.name}", identity)

    def _register(self, study: StudyRecord, source: str, run: str) -> None:
        client = self._ready()
        try:
            client.create_registered_model(study.name, tags={STUDY: study.uuid})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        client.create_model_version(study.name, source, run_id=run)

    def _ready(self) -> Any:
        if self._client is None:
            # Two lines for each run, on the standard output, where best.json goes.
            os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
            # Its own seven tries of two minutes each keep a command for minutes that only has to say that nobody answers.
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
            self._client = MlflowClient(self._url, self._url)
        return self._client

    def _experiment(self, study: StudyRecord) -> str:
        if study.uuid not in self._experiments:
            client = self._ready()
            found = client.get_experiment_by_name(study.name)
            self._experiments[study.uuid] = (
                found.experiment_id if found is not None else client.create_experiment(study.name)
            )
        return self._experiments[study.uuid]

    def _runs(self, study: StudyRecord, condition: str) -> list[Any]:
        """The runs of trials (not of folds) of a study that fulfil a condition."""
        client, found, token = self._ready(), [], None
        query = f"tags.`{STUDY}` = '{study.uuid}' AND {condition}"
        while True:
            page = client.search_runs(
                [self._experiment(study)], query, ViewType.ACTIVE_ONLY, max_results=500, page_token=token
            )
            found += page
            token = page.token
            if not token:
                # What belongs to a fold goes with its trial when that is replaced.
                return (
                    found if WHOLE not in condition else [run for run in found if FOLD not in run.data.tags]
                )

    def _begin(self, experiment: str, run: TrialRun, tags: dict[str, str]) -> str:
        begun = self._ready().create_run(
            experiment, start_time=_milliseconds(run.started_at), tags=tags, run_name=tags[NAME]
        )
        return str(begun.info.run_id)

    def _note_params(self, identity: str, run: TrialRun) -> None:
        params = [Param(name, str(value)[:LONGEST]) for name, value in sorted(run.params.items())]
        for start in range(0, len(params), 90):
            self._ready().log_batch(identity, params=params[start : start + 90])

    def _note_curve(self, identity: str, curve: Curve, run: TrialRun) -> None:
        time = _milliseconds(run.ended_at)
        metrics = [
            Metric(name, value, time, epoch) for epoch, values in curve for name, value in values.items()
        ]
        for start in range(0, len(metrics), BATCH):
            self._ready().log_batch(identity, metrics=metrics[start : start + BATCH])

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            with redirect_stdout(sys.stderr):
                yield
        except (MlflowException, OSError) as error:
            said = printable(str(error)).splitlines()[0][:300] if str(error) else type(error).__name__
            raise TrackerAwayError(
                f"MLflow does not take the trials: {said}",
                why="Its server is away, or refuses.",
                next_step="Nothing is lost: what it does not have is told when it answers.",
            ) from error


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
