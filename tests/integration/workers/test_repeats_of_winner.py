"""The winner's repeats are part of the plan: made once, worked off by the same workers, and what the study says of its value."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.planning.plan import plan_points
from orchestrator.proof.bundle import check_bundle, write_bundle
from orchestrator.studies.verify_parts import verify_whole
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.growth.extending import extend_study
from storage.growth.parts import is_left, leave_out_parts, list_parts, make_missing_part, with_parts
from storage.results.judged import judged_epoch
from storage.studies.point_records import best_point, count_points, list_points
from storage.studies.points import Claim
from storage.studies.study import StudyRecord, create_study, delete_study, list_studies, load_study
from storage.trust.selection import judge_selection
from tests.light_worker import die_in_a_part
from tests.studies import PretendObjective, expire, make_spec, processes, rising_auc
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

AGAIN = {"cv.repeats_of_winner": 3}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(database_url)
    yield opened
    opened.close()


def make_study(database: Database, name: str = "small", **options: object) -> StudyRecord:
    """A study with the trials that its spec plans."""
    spec = make_spec(name, **options)  # type: ignore[arg-type]
    return create_study(database, spec, plan_points(spec), data_folder="", facts={})


def work(database: Database, name: str = "small", stop: threading.Event | None = None) -> list[str]:
    """Run one worker until nothing of the study is left; what it told its supervisor has ended."""
    told: list[str] = []
    here = Circumstances(
        database,
        stop or threading.Event(),
        notify=lambda kind, study: told.append(study) if kind == "settled" else None,
    )
    Worker(here, lambda _: PretendObjective()).run(lambda: with_parts(database, [load_study(database, name)]))
    return told


def best_params(database: Database, study: StudyRecord) -> object:
    best = best_point(list_points(database, study.uuid))
    assert best is not None
    return best.params


def test_the_winner_is_repeated_once_by_the_workers_that_are_there(
    database: Database, tmp_path: Path
) -> None:
    study = make_study(database, points=5, pruner="halving", **AGAIN)
    with ThreadPoolExecutor(2) as pool:
        told = [end.result() for end in [pool.submit(work, database) for _ in range(2)]]
    assert set(map(tuple, told)) <= {("small",), ()}
    assert told != [[], []], "who watches hears of the end of the whole, under its own name"
    (part,) = list_parts(database, load_study(database, "small"))
    counts = count_points(database, part.uuid)
    assert (counts.planned, counts.complete, part.spec.fold_count) == (1, 1, 9)
    assert part.name.startswith("small-repeats-")
    assert list_points(database, part.uuid)[0].params == best_params(database, study)
    assert part.spec.study.seed != study.spec.study.seed

    study = load_study(database, "small")
    selection = judge_selection(database, study)
    assert selection is not None
    expected = sum(rising_auc(0, fold, 3) for fold in range(9)) / 9
    assert (selection["correction"], selection["repeats"]) == ("repeats", 3)
    assert selection["corrected_value"] == pytest.approx(expected)
    assert selection["corrected_low"] < expected < selection["corrected_high"]
    assert not is_left(database, study)
    assert [one.name for one in leave_out_parts(list_studies(database))] == ["small"]

    document = verify_whole(database, study)
    assert document["problems"] == []
    assert [one["study"] for one in document["parts"]] == [part.name]
    content, written = write_bundle(database, study, None, 0)
    (tmp_path / "bundle.zip").write_bytes(content)
    assert (written["parts"], check_bundle(tmp_path / "bundle.zip")["problems"]) == ([part.name], [])

    delete_study(database, part)
    assert verify_whole(database, study)["problems"] == [
        f"The part {part.name!r} was made of 'small' and is gone."
    ]


def test_workers_that_finish_at_one_moment_make_one_part(database: Database) -> None:
    study = make_study(database, "again", points=2, **AGAIN)
    assert make_missing_part(database, study, judged_epoch) is None, "its trials are not finished"
    stop = threading.Event()

    def finish_trials() -> None:
        here = Circumstances(database, stop)
        Worker(here, lambda _: PretendObjective()).run(lambda: [load_study(database, "again")])

    thread = threading.Thread(target=finish_trials)
    thread.start()
    while not count_points(database, study.uuid).is_settled:
        pass
    barrier = threading.Barrier(4)

    def make() -> object:
        barrier.wait()
        return make_missing_part(database, study, judged_epoch)

    with ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(make) for _ in range(4)]
        assert all(end.exception() is None for end in ends)
    stop.set()
    thread.join()
    (part,) = list_parts(database, study)
    assert is_left(database, study), "its worker was stopped before it trained the part"
    work(database, "again")
    assert (count_points(database, part.uuid).complete, is_left(database, study)) == (1, False)


@on_sqlite
def test_a_study_that_grows_repeats_its_new_winner_and_only_that(database: Database) -> None:
    study = make_study(database, points=2, **AGAIN)
    work(database)
    (first,) = list_parts(database, study)
    extend_study(database, study, plan_points(study.spec, 4))
    work(database)
    parts = list_parts(database, study)
    assert len(parts) == 2, "trial 3 has the highest level of the formula"
    assert all(count_points(database, part.uuid).complete == 1 for part in parts)
    assert first.uuid in {part.uuid for part in parts}
    grown = load_study(database, "small")
    extend_study(database, grown, plan_points(study.spec, 5))
    work(database)
    assert len(list_parts(database, grown)) == 2, "the winner is the same, and so are its repeats"
    assert all(one["how"] != "guess" for one in load_study(database, "small").facts["growth"])


@on_sqlite
def test_given_folds_are_repeated_with_other_seeds(database: Database) -> None:
    from storage.spec import pack_folds

    given = {"cv.by": "site", "cv.assigned": pack_folds([0, 1, 2])}
    study = make_study(database, points=2, **AGAIN, **given)
    work(database)
    (part,) = list_parts(database, study)
    assert (count_points(database, part.uuid).complete, part.spec.fold_count) == (3, 3)
    assert plan_points(part.spec) == [best_params(database, study)] * 3
    selection = judge_selection(database, study)
    assert selection is not None
    assert selection["repeats"] == 3


@on_sqlite
def test_a_study_that_does_not_ask_for_repeats_has_none(database: Database) -> None:
    study = make_study(database, points=2)
    work(database)
    assert (list_parts(database, study), is_left(database, study)) == ([], False)
    assert "repeats_of_winner" not in study.spec.to_json()


@on_sqlite
def test_a_worker_that_is_killed_amid_the_repeats_leaves_them_to_the_next_one(
    database: Database, database_url: str
) -> None:
    study = make_study(database, points=2, **AGAIN)
    doomed = processes.Process(target=die_in_a_part, args=(database_url, "small", (4, 2)))
    doomed.start()
    doomed.join(60)
    assert doomed.exitcode == -signal.SIGKILL
    (part,) = list_parts(database, study)
    (held,) = list_points(database, part.uuid)
    assert (held.state, is_left(database, study)) == ("claimed", True)
    expire(database, Claim(part.uuid, held.point, held.attempt, str(held.token), None))
    work(database)
    document = verify_whole(database, load_study(database, "small"))
    assert (document["problems"], document["part_missing"]) == ([], False)
    (account,) = document["parts"]
    assert account["attempts"]["lost"] == 1
    assert [one.uuid for one in list_parts(database, study)] == [part.uuid]
    selection = judge_selection(database, load_study(database, "small"))
    assert selection is not None
    expected = sum(rising_auc(0, fold, 3) for fold in range(9)) / 9
    assert (selection["repeats"], selection["corrected_value"]) == (3, pytest.approx(expected))
