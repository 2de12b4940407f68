"""The fleet as plain documents: who works where on what, and how much is left of each open study."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storage.states import PointState, WorkerState
from storage.studies.point_records import read_left
from storage.studies.points import PointRecord, count_points, list_points
from storage.studies.study_records import StudyRecord, StudyRow, UnreadableStudy, list_rows
from storage.studies.workers import SILENT_SECONDS, is_silent, list_workers

if TYPE_CHECKING:
    from storage.database.engine import Database


def fleet_document(database: Database, *, everybody: bool = False) -> dict[str, Any]:
    """Describe workers and open studies.

    Args:
        database: where.
        everybody: with the workers that left, and the studies that are finished.
    """
    studies = {study.uuid: study for study in list_rows(database)}
    points = {uuid: {point.point: point for point in list_points(database, uuid)} for uuid in studies}
    held: dict[str, list[PointRecord]] = {}
    for one in itertools.chain.from_iterable(of_study.values() for of_study in points.values()):
        if one.worker is not None and one.state == PointState.CLAIMED:
            held.setdefault(one.worker, []).append(one)
    workers = []
    for worker in list_workers(database):
        study = studies.get(worker.study_uuid or "")
        lease = study.spec.study.lease_seconds if isinstance(study, StudyRecord) else 0
        # A table that is printed once says it when it is sure.
        silent = is_silent(worker, max(SILENT_SECONDS, lease))
        # A process that says that it works on a trial may work on several.
        at_work = worker.state == WorkerState.WORKING and study is not None and worker.point is not None
        in_hand = held.get(worker.worker, []) if at_work else []
        point = next((point for point in in_hand if point.point == worker.point), next(iter(in_hand), None))
        workers.append(
            {
                "worker": worker.worker,
                "host": worker.host,
                "pid": worker.pid,
                "device": worker.device,
                "state": "silent" if silent else worker.state,
                "study": study.name if study and (point or worker.state == "preparing") else None,
                "trial": point.trial_number if point else None,
                "point": point.point if point else None,
                "epoch": point.epoch if point else None,
                "trials": [
                    {"trial": one.trial_number, "point": one.point, "epoch": one.epoch} for one in in_hand
                ],
                "last_seen": worker.last_seen,
                "seconds_ago": worker.seconds_ago,
                "versions": worker.versions,
                "job": worker.job,
                "gpu": worker.gpu,
            }
        )
    workers = [worker for worker in workers if everybody or worker["state"] != WorkerState.GONE]
    shown = [study_document(database, study) for study in studies.values()]
    return {
        "storage": database.url_text,
        "workers": workers,
        "gpus": list_gpus(workers),
        "studies": [study for study in shown if everybody or not study["is_settled"]],
    }


def list_gpus(workers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The GPUs that workers compute on now, each once, as the worker saw it that was heard of last.

    Args:
        workers: those of `fleet_document`, the one that was heard of last first.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for worker in workers:
        if worker["gpu"] and worker["state"] not in ("silent", WorkerState.GONE):
            key = (worker["host"], worker["gpu"]["uuid"])
            seen = {
                "host": worker["host"],
                **worker["gpu"],
                "seconds_ago": worker["seconds_ago"],
                "workers": 0,
            }
            found.setdefault(key, seen)["workers"] += 1
    return sorted(found.values(), key=lambda gpu: (gpu["host"], gpu["number"], gpu["uuid"]))


def study_document(database: Database, study: StudyRow) -> dict[str, Any]:
    """Describe what is left of a study."""
    counts = count_points(database, study.uuid)
    return {
        "study": study.name,
        "state": study.state,
        "made_by": study.made_by,
        "left_to_others": study.problem if isinstance(study, UnreadableStudy) else None,
        "is_settled": counts.is_settled,
        "points": counts.planned,
        "done": counts.complete + counts.pruned,
        "running": counts.running,
        "open": counts.open,
        "failed": counts.failed,
        "seconds_left": read_left(database, study),
    }
