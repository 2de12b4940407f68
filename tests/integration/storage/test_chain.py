"""Several workers write links at the same moment, and each settled trial gets one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise

import sqlalchemy as sa

from storage.database import tables
from storage.database.opening import open_database
from storage.states import PointOutcome, PointState
from storage.studies.chain import (
    EVENT,
    Event,
    complete_chain,
    hash_link,
    link_event,
    link_point,
    read_chain,
)
from tests.studies import make_study


def test_links_that_are_written_at_once_form_one_chain(postgres_url: str) -> None:
    with closing(open_database(postgres_url)) as database:
        study = make_study(database, points=12)
        assert not link_point(database, study.uuid, 3)
        settled = {"state": PointState.DONE, "outcome": PointOutcome.PRUNED, "value": 0.5, "finished_at": 1.0}
        with database.transaction() as connection:
            connection.execute(sa.update(tables.points).values(settled))

        def link(numbers: range) -> int:
            with closing(open_database(postgres_url)) as mine:
                linked = sum(link_point(mine, study.uuid, number) for number in numbers)
                return linked + link_event(mine, study.uuid, Event.EVALUATION, {"first": numbers.start})

        # Two workers want the same trials, and two note the same evaluation.
        wanted = [range(0, 4), range(4, 8), range(0, 8)]
        with ThreadPoolExecutor(3) as pool:
            assert sum(pool.map(link, wanted)) == 8 + 2
        assert complete_chain(database, study.uuid) == 4
        chain = read_chain(database, study.uuid)
        assert [one["n"] for one in chain] == list(range(15))
        assert sorted(one["point"] for one in chain[1:] if EVENT not in one) == list(range(12))
        assert all(one["previous"] == before["hash"] for before, one in pairwise(chain))
        assert all(hash_link(one) == one["hash"] for one in chain)
