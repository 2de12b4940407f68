"""The fleet in bad weather, short: `make chaos` is the long form."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from orchestrator.studies.verify import verify_study
from storage.database.opening import open_database
from storage.studies.points import count_points, list_points
from storage.studies.study import create_study, delete_study, list_studies, load_study
from tests.light_worker import work
from tests.postgres import PostgresServer
from tests.storm import Storm, account_for
from tests.studies import make_spec, make_study, processes


def settle(url: str, tmp_path: Path, points: int, **options: object) -> dict:
    """Run a storm on a fresh study of so many points and check that everything is accounted for."""
    changes = options.pop("changes", {})
    database = open_database(url)
    make_study(database, "storm", points=points, **changes)  # type: ignore[arg-type]
    database.close()
    happened = Storm(url, "storm", tmp_path / "logs", limit=240, waits_for_progress=True, **options).run()  # type: ignore[arg-type]
    account = account_for(url, "storm", tmp_path / "logs")
    assert account["problems"] == []
    assert account["points"]["complete"] == points
    assert account["trials"].get("RUNNING", 0) == 0
    assert account["folds"]["missing"] == 0
    assert account["wrong_values"] == []
    assert account["changes"] > 5 * points
    assert account["acknowledged"] >= points - happened["kills"] - 2 * happened["restarts"]
    assert happened["left_by_themselves"]
    return happened


def test_kills_a_frozen_worker_and_a_crashed_server_lose_nothing(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    happened = settle(
        postgres_url,
        tmp_path,
        16,
        workers=3,
        seconds=0.03,
        kill_every=(0.7, 1.5),
        server=postgres_server,
        restarts=1,
        freezes=1,
        seed=7,
    )
    assert happened["kills"] >= 1
    assert (happened["restarts"], happened["freezes"]) == (1, 1)


@pytest.mark.thorough
def test_folds_trained_one_by_one_survive_kills_too(postgres_url: str, tmp_path: Path) -> None:
    happened = settle(
        postgres_url,
        tmp_path,
        8,
        workers=3,
        seconds=0.05,
        kill_every=(0.5, 1.0),
        seed=3,
        changes={"cv.schedule": "sequential"},
        artifacts=str(tmp_path / "artifacts"),
    )
    assert happened["kills"] >= 1


def test_many_processes_share_a_sqlite_file(sqlite_url: str, tmp_path: Path) -> None:
    settle(sqlite_url, tmp_path, 30, workers=6, seconds=0.0)
    text = "".join(path.read_text() for path in (tmp_path / "logs").glob("*.log"))
    assert "locked" not in text.lower()
    assert text.count("complete at") == 30


def _create(url: str) -> None:
    database = open_database(url, create=True)
    planned = [{"batch_size": 16 + number} for number in range(150)]
    create_study(database, make_spec("again", points=150), planned, data_folder="", facts={})
    database.close()


def test_a_creation_that_was_killed_is_completed(postgres_url: str, sqlite_url: str) -> None:
    chance = random.Random(11)
    for url in (postgres_url, sqlite_url):
        began = time.monotonic()
        whole = processes.Process(target=_create, args=(url,))
        whole.start()
        whole.join()
        seconds = time.monotonic() - began
        for _ in range(2):
            database = open_database(url)
            for study in list_studies(database):
                delete_study(database, study)
            database.close()
            killed = processes.Process(target=_create, args=(url,))
            killed.start()
            time.sleep(chance.uniform(0.2, 1.0) * seconds)
            killed.kill()
            killed.join()
            again = processes.Process(target=_create, args=(url,))
            again.start()
            again.join()
            database = open_database(url)
            study = load_study(database, "again")
            account = verify_study(database, study, [{"batch_size": 16 + n} for n in range(150)])
            assert (account["problems"], account["points"]["open"]) == ([], 150)
            assert len(list_studies(database)) == 1
            assert len(database.optuna.get_all_studies()) == 1
            database.close()


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_a_light_worker_drains_and_gives_its_point_back(
    postgres_url: str, tmp_path: Path, number: int
) -> None:
    database = open_database(postgres_url)
    study = make_study(database, "drain", points=2, **{"training.epochs": 10_000})
    (tmp_path / "logs").mkdir()
    arguments = (postgres_url, "drain", 0.01, str(tmp_path / "logs"), str(tmp_path / "artifacts"))
    process = processes.Process(target=work, args=arguments)
    process.start()
    while list_points(database, study.uuid)[0].epoch < 3:
        time.sleep(0.05)
    os.kill(process.pid, number)
    process.join(20)
    assert process.exitcode == 0
    counts = count_points(database, study.uuid)
    assert (counts.open, counts.running) == (2, 0)
    account = verify_study(database, study, [{"batch_size": 16}, {"batch_size": 17}])
    assert account["attempts"]["stopped"] == 1
    assert account["trials"] == {"FAIL": 1}
    assert (tmp_path / "artifacts" / "checkpoints" / study.uuid / "0.npz").is_file()
    database.close()
