"""The epoch at which a trial is judged, from the ledger."""

from __future__ import annotations

from storage.database.engine import Database
from storage.metrics.judging import judge
from storage.results.curves import tabulate_rows
from storage.results.ledger import read_curves, run_key
from storage.studies.point_records import PointRecord
from storage.studies.study_records import StudyRecord


def judged_epoch(database: Database, study: StudyRecord, point: PointRecord) -> int:
    """The epoch at which a complete trial is judged, from 1."""
    rows = read_curves(database, study.uuid, point.point, run_key(study.spec_hash, point.params or {}))
    return judge(tabulate_rows(study.spec, rows), study.spec.study.objective).epoch
