"""The queue on PostgreSQL: the model of tests/queue_model.py, and the locks that only a race can tell from none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.studies import points
from tests.queue_model import run_queue_model
from tests.studies import claim, expire, make_study


@pytest.fixture
def clients(postgres_url: str) -> Iterator[tuple[Database, Database]]:
    """Two clients of one database."""
    one, other = open_database(postgres_url), open_database(postgres_url)
    yield one, other
    one.close()
    other.close()


def test_two_clients_and_the_model_agree(
    clients: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_queue_model(*clients, monkeypatch, examples=10, steps=60)


def test_who_sweeps_slowly_takes_nothing_from_who_claimed_meanwhile(
    clients: tuple[Database, Database],
) -> None:
    slow, quick = clients
    study = make_study(slow, points=1)
    expire(slow, claim(slow, study))
    won: list[points.Claim | None] = []

    def claim_meanwhile(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE orch_points") and not won:
            won.append(points.claim_point(quick, study, worker="quick", token=str(uuid.uuid4())))

    sa.event.listen(slow.engine, "before_cursor_execute", claim_meanwhile)
    with slow.transaction() as connection:
        points.expire_leases(connection, study.uuid, slow.now(connection))
    (record,) = points.list_points(slow, study.uuid)
    assert record.losses == 1
    assert won == [None], "the point was taken between the look of the other and its change"
    assert points.claim_point(quick, study, worker="quick", token=str(uuid.uuid4())) is not None


def test_a_point_is_not_taken_while_its_holder_writes(clients: tuple[Database, Database]) -> None:
    writer, other = clients
    study = make_study(writer, points=1)
    held = claim(writer, study)
    expire(writer, held)
    with writer.transaction() as connection:
        points.require_held(connection, held)
        assert points.claim_point(other, study, worker="other", token=str(uuid.uuid4())) is None
    taken = points.claim_point(other, study, worker="other", token=str(uuid.uuid4()))
    assert taken is not None
    assert taken.attempt == 2
