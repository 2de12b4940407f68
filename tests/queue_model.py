"""A model of the queue: lists of dictionaries, which two clients of a real database must agree with after every step.

Two studies share the database, and tokens with each other; claims are kept for ever, so that old ones are tried again as after a
lost acknowledgement, or by a worker that was taken for dead. Leases run out lately, long ago, or lie in the future as after a
clock was set back. Every column of every point is compared after every step.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from typing import Any, ClassVar

import optuna
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from storage.database.engine import Database
from storage.errors import LeaseLostError, SpecError
from storage.growth import extending as growth
from storage.growth.adoption import adopt_enqueued
from storage.states import PointOutcome, WorkerState
from storage.studies import losses, points
from storage.studies.losses import take_back_loss
from storage.studies.point_records import ADDED_FROM
from storage.studies.points import Claim
from storage.studies.study import StudyRecord, load_study, resume_study, stop_study
from storage.studies.sweeping import sweep
from storage.studies.workers import note_worker
from tests.studies import make_study

LEASE = 1000
ENDS = {"held": LEASE, "late": -1, "silent": -10 * losses.PROOF_SECONDS, "set back": 9 * LEASE}
"""Kinds of leases, by the seconds from now to their end."""
WORKERS = {"alive": WorkerState.WORKING, "gone": WorkerState.GONE, "unknown": None}
MOST_LOSSES = 2
"""In place of six, which are too rare in a few dozen steps."""

MOST_PLANNED = 6
"""So that a run has to do with all of them."""

_numbers = itertools.count()
_sizes = itertools.cycle(range(100, 2000))
_clients = st.integers(0, 1)
_studies = st.sampled_from([0, 0, 1])


def _asked(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries({"client": _clients, **arguments}))


_which = st.sampled_from([0, 0, 1, 2, 5])
"""Of the latest claims, from the last: most of what happens concerns them."""
_claim = _asked(
    "claim",
    place=_studies,
    worker=st.sampled_from(["gone", "alive", "unknown"]),
    avoid=st.sampled_from([set(), set(), set(), {0}, {0, 1}]),
    lease=st.sampled_from(["late", "held", "late", "silent", "late", "held", "set back"]),
)
ASKED = st.one_of(
    *[_claim] * 5,
    _asked("claim_again", which=_which, place=_studies),
    *[_asked("beat", which=_which, lease=st.sampled_from(["late", "held", "silent", "set back", "late"]))]
    * 3,
    _asked("progress", which=_which, lease=st.sampled_from(["late", "held"])),
    _asked("note_and_keep", which=_which),
    _asked(
        "finish", which=_which, end=st.sampled_from([("COMPLETE", 0.5), ("PRUNED", 0.25), ("PRUNED", None)])
    ),
    *[_asked("fail", which=_which, retries=st.sampled_from([0, 1, 1, 5]), is_proven=st.booleans())] * 2,
    *[_asked("release", which=_which)] * 3,
    _asked("write_while_held", which=_which),
    *[_asked("take_back", which=_which)] * 2,
    *[_asked("sweep", place=_studies, knows_lease=st.booleans())] * 2,
    _asked("extend", place=_studies, more=st.integers(0, 2)),
    _asked("add", place=_studies, is_new=st.sampled_from([True, True, False])),
    _asked("enqueue", place=_studies, is_fit=st.sampled_from([True, True, False])),
    _asked("adopt", place=_studies),
    _asked("stop", place=_studies, stop=st.sampled_from([True, False, False])),
)
"""One rule in place of sixteen: Hypothesis would leave some of them out of each run, and most runs would claim nothing."""

Row = dict[str, Any]


class QueueModel(RuleBasedStateMachine):
    """What may be asked of the queue, and what must come of it."""

    clients: ClassVar[tuple[Database, Database]]

    @initialize(count=st.integers(2, 4))
    def begin(self, count: int) -> None:
        """Make two studies."""
        name = next(_numbers)
        changes = {"study.lease_seconds": LEASE}
        self.studies: list[StudyRecord] = [
            make_study(self.clients[0], f"s{name}-{number}", points=points_, **changes)
            for number, points_ in enumerate((count, 2))
        ]
        self.is_open = [True, True]
        self.rows: list[dict[int, Row]] = [
            {number: new_row(16 + number) for number in range(n)} for n in (count, 2)
        ]
        self.enqueued: list[list[int]] = [[], []]
        self.claims: list[tuple[int, Claim]] = []

    @rule(asked=ASKED)
    def ask(self, asked: tuple[str, dict[str, Any]]) -> None:
        """Do one thing; what concerns a claim waits for the first one."""
        name, arguments = asked
        if self.claims or "which" not in arguments:
            getattr(self, name)(**arguments)

    # What is asked

    def claim(self, place: int, client: int, worker: str, avoid: set[int], lease: str) -> None:
        """Claim under a token of its own, and perhaps be heard of no more."""
        before = len(self.claims)
        self._claim(place, client, worker, str(uuid.uuid4()), avoid)
        if lease != "held" and len(self.claims) > before:
            self.beat(0, client, lease)

    def claim_again(self, which: int, client: int, place: int) -> None:
        """Claim under a token that was used before, in this study or the other."""
        _, held = self._pick(which)
        self._claim(place, client, "unknown", held.token, set())

    def _claim(self, place: int, client: int, worker: str, token: str, avoid: set[int]) -> None:
        study, rows = self.studies[place], self.rows[place]
        got = points.claim_point(self.clients[client], study, worker=worker, token=token, avoid=avoid)
        for number, row in rows.items():
            if (row["token"], row["state"]) == (token, "claimed"):
                assert got == Claim(study.uuid, number, row["attempt"], token, row["params"])
                return
        self._lose(place)
        free = [n for n, row in rows.items() if row["state"] == "open" and n not in avoid]
        free.sort(key=lambda number: (number < ADDED_FROM, number))
        if not free or not self.is_open[place]:
            assert got is None
            return
        row = rows[free[0]]
        row |= {
            "state": "claimed",
            "attempt": row["attempt"] + 1,
            "worker": worker,
            "token": token,
            "lease": "held",
        }
        row |= {"trial_id": None, "trial_number": None, "error": None, "was_claimed": True}
        assert got == Claim(study.uuid, free[0], row["attempt"], token, row["params"])
        self.claims.append((place, got))

    def beat(self, which: int, client: int, lease: str) -> None:
        """Hold a point on, or let its lease be over."""
        row, held = self._pick(which)
        is_held = self._holds(row, held, "claimed")
        self._call(is_held, lambda: points.beat(self.clients[client], held, lease_seconds=ENDS[lease]))
        if is_held:
            row["lease"] = lease

    def progress(self, which: int, client: int, lease: str) -> None:
        """Finish an epoch."""
        row, held = self._pick(which)
        is_held, epoch = self._holds(row, held, "claimed"), row["epoch"] + 1

        def note() -> None:
            database = self.clients[client]
            with database.transaction() as connection:
                end = database.clock + ENDS[lease]
                points.note_progress(connection, held, epoch=epoch, expires_at=end)

        self._call(is_held, note)
        if is_held:
            row |= {"epoch": epoch, "losses": 0, "lease": lease}

    def note_and_keep(self, which: int, client: int) -> None:
        """Note the trial, and the parameters that a sampler drew."""
        row, held = self._pick(which)
        is_held, number = self._holds(row, held, "claimed"), next(_numbers)
        database, params = self.clients[client], {"batch_size": number, "a": 1}
        self._call(
            is_held, lambda: points.note_trial(database, held, trial_id=number, trial_number=number + 1)
        )
        self._call(is_held, lambda: points.keep_params(database, held, params))
        if is_held:
            row |= {"trial_id": number, "trial_number": number + 1, "params": params}

    def finish(self, which: int, client: int, end: tuple[str, float | None]) -> None:
        """Finish a point; again, as after a lost acknowledgement, it changes nothing."""
        row, held = self._pick(which)
        is_held, number = self._holds(row, held, "claimed"), next(_numbers)
        outcome, value = PointOutcome(end[0]), end[1]
        ids = {"trial_id": number, "trial_number": number + 1}
        self._call(
            is_held or self._holds(row, held, "done"),
            lambda: points.finish_point(self.clients[client], held, outcome=outcome, value=value, **ids),
        )
        if is_held:
            row |= {
                "state": "done",
                "outcome": outcome,
                "value": value,
                "lease": None,
                "is_over": True,
                **ids,
            }

    def fail(self, which: int, client: int, retries: int, is_proven: bool) -> None:
        """The objective raised; again, as after a lost acknowledgement, it is counted once."""
        row, held = self._pick(which)
        is_held, is_repeated = self._holds(row, held, "claimed"), self._holds(row, held, "open", "failed")
        error = f"error {next(_numbers)}"
        got = self._call(
            is_held or is_repeated,
            lambda: points.fail_point(
                self.clients[client], held, error=error, retries=retries, is_proven=is_proven
            ),
        )
        if is_repeated:
            assert got is (row["state"] == "failed")
        if is_held:
            row |= {"failures": row["failures"] + 1, "error": error, "lease": None}
            enough = points.PATIENCE * (retries + 1) if not is_proven else 0
            settled = row["failures"] > retries and row["failures"] >= enough
            assert got is settled
            row |= {"state": "failed", "is_over": True} if settled else {"state": "open", "worker": None}

    def release(self, which: int, client: int) -> None:
        """Give a point back."""
        row, held = self._pick(which)
        is_held = self._holds(row, held, "claimed")
        is_repeated = self._holds(row, held, "open")
        self._call(is_held or is_repeated, lambda: points.release_point(self.clients[client], held))
        if is_held:
            row |= {"state": "open", "worker": None, "lease": None}

    def write_while_held(self, which: int, client: int) -> None:
        """Ask for the right to write something beside the point."""
        row, held = self._pick(which)

        def hold() -> None:
            with self.clients[client].transaction() as connection:
                points.require_held(connection, held)

        self._call(self._holds(row, held, "claimed"), hold)

    def take_back(self, which: int, client: int) -> None:
        """A holder that was only late says that it lives."""
        row, held = self._pick(which)
        take_back_loss(self.clients[client], held.study_uuid, held.point, held.token)
        if row["state"] in ("open", "claimed") and row["token"] != held.token and row["losses"]:
            row["losses"] -= 1

    def sweep(self, place: int, client: int, knows_lease: bool) -> None:
        """Anybody clears away what is over."""
        database, study = self.clients[client], self.studies[place]
        if knows_lease:
            sweep(database, study)
        else:
            with database.transaction() as connection:
                points.expire_leases(connection, study.uuid, database.now(connection))
        self._lose(place, knows_lease)

    def extend(self, place: int, client: int, more: int) -> None:
        """Continue the sequence; a coordinator that comes late, with fewer trials, adds none."""
        rows = self.rows[place]
        present = sum(number < ADDED_FROM for number in rows)
        total = min(present + more, MOST_PLANNED)
        planned: list[Row | None] = [{"batch_size": 16 + number} for number in range(total)]
        assert growth.extend_study(self.clients[client], self.studies[place], planned) == total - present
        rows.update((number, new_row(16 + number)) for number in range(present, total))

    def add(self, place: int, client: int, is_new: bool) -> None:
        """Add a guess; the same one again is refused."""
        rows, database, study = self.rows[place], self.clients[client], self.studies[place]
        if is_new:
            size = next(_sizes)
            number = growth.add_guess(database, study, {"batch_size": size})
            assert number == self._new(place, size)
        else:
            with pytest.raises(SpecError, match="this trial already"):
                growth.add_guess(database, study, dict(next(iter(rows.values()))["params"]))

    def enqueue(self, place: int, client: int, is_fit: bool) -> None:
        """Enqueue a trial in Optuna, as a notebook does."""
        size = next(_sizes) if is_fit else 1_000_000
        name = self.studies[place].name
        optuna.load_study(study_name=name, storage=self.clients[client].optuna).enqueue_trial(
            {"batch_size": size}
        )
        if is_fit:
            self.enqueued[place].append(size)

    def adopt(self, place: int, client: int) -> None:
        """Make points of what was enqueued; what cannot be run is refused."""
        count = len(self.enqueued[place])
        assert adopt_enqueued(self.clients[client], self.studies[place]) == count
        self._adopted(place)

    def _adopted(self, place: int) -> None:
        for size in self.enqueued[place]:
            self._new(place, size)
        self.enqueued[place].clear()

    def _new(self, place: int, size: int) -> int:
        number = max([ADDED_FROM - 1, *self.rows[place]]) + 1
        self.rows[place][number] = new_row(size)
        self.studies[place] = load_study(self.clients[0], self.studies[place].name)
        return number

    def stop(self, place: int, client: int, stop: bool) -> None:
        """Stop the study, or go on."""
        (stop_study if stop else resume_study)(self.clients[client], self.studies[place])
        self.is_open[place] = not stop

    # What must come of it

    def _pick(self, which: int) -> tuple[Row, Claim]:
        place, held = self.claims[-1 - which % len(self.claims)]
        return self.rows[place][held.point], held

    @staticmethod
    def _holds(row: Row, held: Claim, *states: str) -> bool:
        return row["token"] == held.token and row["state"] in states

    @staticmethod
    def _call(may: bool, call: Callable[[], Any]) -> Any:
        if may:
            return call()
        with pytest.raises(LeaseLostError):
            call()
        return None

    def _lose(self, place: int, knows_lease: bool = True) -> None:
        for row in self.rows[place].values():
            is_over = row["lease"] in ("late", "silent") or (row["lease"] == "set back" and knows_lease)
            is_last = row["losses"] + 1 >= MOST_LOSSES
            in_doubt = is_last and row["lease"] == "late" and row["worker"] == "alive"
            if row["state"] == "claimed" and is_over and not in_doubt:
                row |= {"losses": row["losses"] + 1, "token": None, "worker": None, "lease": None}
                row["state"] = "failed" if is_last else "open"
                if is_last:
                    row |= {"is_over": True, "error": "lost"}

    @invariant()
    def every_column_is_as_it_must_be(self) -> None:
        """Compare all of it, by the client that did less."""
        if not hasattr(self, "rows"):
            return
        for place, rows in enumerate(self.rows):
            database, uuid_ = self.clients[len(self.claims) % 2], self.studies[place].uuid
            found = points.list_points(database, uuid_)
            assert [shown(record) for record in found] == [
                expected(number, row) for number, row in sorted(rows.items())
            ]
            states = [row["state"] for row in rows.values()]
            over = [row["lease"] in ("late", "silent", "set back") for row in rows.values()]
            assert points.is_any_claimable(database, uuid_, LEASE) == ("open" in states or any(over))
            counts = points.count_points(database, uuid_)
            assert counts.is_settled == all(state in ("done", "failed") for state in states)
            counted = (counts.open, counts.running, counts.failed, counts.complete + counts.pruned)
            assert counted == tuple(states.count(state) for state in ("open", "claimed", "failed", "done"))


def new_row(batch_size: int) -> Row:
    """A point that nobody has touched."""
    row: Row = dict.fromkeys(
        ("worker", "token", "lease", "trial_id", "trial_number", "outcome", "value", "error")
    )
    row |= {"state": "open", "attempt": 0, "losses": 0, "failures": 0, "epoch": 0}
    return row | {"params": {"batch_size": batch_size}, "was_claimed": False, "is_over": False}


def expected(number: int, row: Row) -> Row:
    """What `shown` must give."""
    known = {name: value for name, value in row.items() if name != "lease"}
    return known | {"point": number, "is_leased": row["lease"] is not None}


def shown(record: points.PointRecord) -> Row:
    """A record without its times, of which only whether they are there is compared."""
    row = dict(vars(record))
    row["was_claimed"] = row.pop("claimed_at") is not None
    row["is_over"] = row.pop("finished_at") is not None
    row["is_leased"] = row.pop("expires_at") is not None
    if row["error"] and "lost" in row["error"]:
        row["error"] = "lost"
    return row


def run_queue_model(
    one: Database, other: Database, monkeypatch: pytest.MonkeyPatch, *, examples: int, steps: int
) -> None:
    """Let two clients of one database do random things, the same in every run."""
    monkeypatch.setattr(losses, "MAX_LOSSES", MOST_LOSSES)
    monkeypatch.setattr(points, "PATIENCE", MOST_LOSSES)
    for worker, state in WORKERS.items():
        if state is not None:
            note_worker(one, worker=worker, host="here", pid=1, device="", state=state, versions={})

    class Clients(QueueModel):
        clients = (one, other)

    run_state_machine_as_test(
        Clients,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
