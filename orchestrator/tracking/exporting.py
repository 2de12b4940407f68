"""`orch study export --mlflow URL`, `--wandb DIR`, `--tensorboard DIR`: everything that a tracker does not have, now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.tracking.pushing import count_missing, push_study
from orchestrator.tracking.targets import open_tracker
from storage.errors import OrchError
from storage.files.documents import to_json
from storage.wording import say_count

if TYPE_CHECKING:
    from orchestrator.tracking.targets import Tracker
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

SHOWN_WITH = {"tensorboard": "tensorboard --logdir {}", "wandb": "wandb sync {}/wandb/offline-run-*"}


Opened = tuple[str, str, "Tracker"]
"""Kind, URL or folder, and the tracker itself."""


def open_trackers(places: Sequence[tuple[str, str]]) -> list[Opened]:
    """Open trackers, without a word to any of them.

    Args:
        places: (kind, URL or folder) of each.

    Raises:
        UsageError: what a tracker needs is not installed.
    """
    return [(kind, place, open_tracker(f"{kind}:{place}")) for kind, place in places]


def tell_trackers(
    database: Database,
    study: StudyRecord,
    opened: Sequence[Opened],
    *,
    document: dict[str, Any],
    model: Path | None,
    say: Callable[[str], None],
) -> None:
    """Tell trackers of every finished trial that they do not have.

    Args:
        database: where the study is.
        study: whose trials.
        opened: what `open_trackers` gave.
        document: best.json, which MLflow keeps with the best trial.
        model: the final model for MLflow's registry, if any.
        say: told what was done.

    Raises:
        TrackerAwayError: a tracker does not answer.
        OrchError: another process is telling this tracker.
    """
    for kind, place, tracker in opened:
        told = push_study(database, study, tracker, f"{kind}:{place}")
        left = count_missing(database, study, tracker)
        if left:
            raise OrchError(
                f"{kind} does not have {say_count(left, 'trial')} yet.",
                why="Another process, such as `orch worker --track`, tells it at this moment.",
                next_step="Run the command again in two minutes.",
            )
        mark_best = getattr(tracker, "mark_best", None)
        if mark_best is not None:
            mark_best(study, document["point"], to_json(document), model)
        shown = f"; see them with: {SHOWN_WITH[kind].format(place)}" if kind in SHOWN_WITH else ""
        say(f"Told {kind} of {say_count(told, 'trial')}{shown}.")
