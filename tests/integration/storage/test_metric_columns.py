"""A metric that joins the list after a database was made: recorded once its column is there, missed by nothing before."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from storage.database import columns, schema
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import SchemaError
from storage.metrics.objectives import MEDICAL, METRICS
from storage.results import ledger
from tests.studies import claim, make_row, make_study

NEWEST = next(metric for metric in METRICS.values() if metric.kind == MEDICAL[-1])


@pytest.fixture
def older(database_url: str) -> Iterator[Database]:
    """An open database of the time before the newest metric."""
    opened = open_database(database_url)
    with opened.transaction() as connection:
        connection.execute(sa.text(f"ALTER TABLE orch_epochs DROP COLUMN {NEWEST.column}"))
    yield opened
    opened.close()


def record(database: Database, name: str) -> float:
    """Record one fold-epoch with a value of the newest metric; returns what the ledger has of it."""
    study = make_study(database, name)
    row = make_row(0, 0, 1, **{NEWEST.column: 0.25})
    ledger.record_epochs(database, claim(database, study), "key", [row], epoch=1, lease_seconds=5)
    (found,) = ledger.read_curves(database, study.uuid)
    assert found.val_auc == row.val_auc
    return NEWEST.sign * NEWEST.score(found)


def test_a_database_without_the_column_goes_on_and_has_it_after_an_upgrade(older: Database) -> None:
    assert columns.list_missing(older) == {NEWEST.column}
    assert math.isnan(record(older, "before"))
    with pytest.raises(SchemaError, match=rf"cannot record {NEWEST.column} yet.*orch db upgrade"):
        make_study(older, "judged-by-it", **{"study.metric": NEWEST.name})
    with older.transaction() as connection:
        connection.execute(sa.text("UPDATE orch_points SET state = 'open'"))
    version = schema.schema_version(older)
    assert schema.upgrade(older) == (version, version)
    assert record(older, "after") == 0.25
    make_study(older, "judged-by-it", **{"study.metric": NEWEST.name})
    assert columns.list_missing(older) == frozenset()
