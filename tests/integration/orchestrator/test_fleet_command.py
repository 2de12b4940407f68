"""`orch fleet` as a user calls it: what it refuses, what it writes, and that no password is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.fleet.kubernetes import open_trials_query
from storage.database.opening import open_database
from storage.states import WorkerState
from storage.studies import points
from storage.studies.study import load_study
from storage.studies.workers import list_workers, note_worker
from tests.studies import PretendObjective, claim, make_study
from workers.device.nvml import GpuReading, GpuWatch
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

Run = Callable[..., subprocess.CompletedProcess[str]]


def password_of(url: str) -> str:
    return str(sa.engine.make_url(url).password)


@pytest.mark.parametrize("kind", ["slurm", "kubernetes", "compose", "ssh"])
def test_a_file_is_written_for_each_scheduler_and_holds_no_password(
    run_orch: Run, postgres_url: str, tmp_path: Path, kind: str
) -> None:
    with closing(open_database(postgres_url)) as database:
        make_study(database, "first")
    words = ["fleet", kind, "first", "--data", tmp_path, "--storage", postgres_url]
    words += ["--host", "gpu1"] if kind == "ssh" else ["--workers", 2]
    done = run_orch(*words)
    if kind in ("kubernetes", "compose"):
        assert done.returncode == 2
        assert "the container itself" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    [written] = list(tmp_path.glob("first.*"))
    assert password_of(postgres_url) not in written.read_text() + done.stdout + done.stderr
    assert "was left out" in done.stderr
    assert "Next: " in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("first", "--gpu-type", "a 100"), "no kind of GPU"),
        (("frist",), "Did you mean 'first'"),
        (("done",), "No trial of 'done' is left"),
        (("first", "--partition", "a\nb"), "is no name"),
        (("first", "--workers", "0"), "greater than or equal to 1"),
        (("first", "--at-once", "0"), "greater than or equal to 1"),
        pytest.param(
            ("first", "--at-once", "4"),
            "Only JAX trains several trials in one process (--at-once 4)",
            marks=pytest.mark.tensorflow_only("refuses what JAX does"),
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    run_orch: Run,
    postgres_url: str,
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    with closing(open_database(postgres_url)) as database:
        make_study(database, "first")
        held = claim(database, make_study(database, "done", points=1))
        points.fail_point(database, held, error="a test", retries=0)
    done = run_orch("fleet", "slurm", *words, "--storage", postgres_url)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert not list(tmp_path.glob("*.sbatch"))


def test_a_study_in_a_file_is_for_one_machine(run_orch: Run, sqlite_url: str) -> None:
    with closing(open_database(sqlite_url)) as database:
        make_study(database, "first")
    done = run_orch("fleet", "slurm", "first", "--storage", sqlite_url)
    assert done.returncode == 2
    assert "belongs to one machine" in done.stderr


def test_a_scheduler_that_is_not_here_leaves_the_file_and_says_what_to_run(
    run_orch: Run, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_database(postgres_url)) as database:
        make_study(database, "first")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run_orch("fleet", "slurm", "first", "--submit", "--storage", postgres_url)
    assert done.returncode == 1
    assert "sbatch is not on this machine" in done.stderr
    assert (tmp_path / "first.sbatch").exists()


def test_what_keda_asks_is_the_number_of_trials_left(postgres_url: str) -> None:
    with closing(open_database(postgres_url)) as database:
        study = make_study(database, "it's", points=4)
        make_study(database, "other", points=9)
        claim(database, study)

        def left() -> int:
            with database.reading() as connection:
                return int(connection.execute(sa.text(open_trials_query("it's"))).scalar_one())

        assert left() == 4


def test_the_job_of_a_worker_is_shown_and_is_none_of_its_versions(run_orch: Run, database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        for worker, job in (("a", "slurm 17_3"), ("b", None)):
            note_worker(
                *(database,),
                **{
                    "worker": worker,
                    "host": "h",
                    "pid": os.getpid(),
                    "device": "CPU",
                    "state": WorkerState.IDLE,
                },
                **{"versions": {"numpy": "2"}, "job": job},
            )
        assert {one.worker: (one.job, one.versions) for one in list_workers(database)} == {
            "a": ("slurm 17_3", {"numpy": "2"}),
            "b": (None, {"numpy": "2"}),
        }
    assert "slurm 17_3" in run_orch("status", "--storage", database_url).stdout
    shown = json.loads(run_orch("status", "--json", "--storage", database_url).stdout)["workers"]
    assert {one["worker"]: one["job"] for one in shown} == {"a": "slurm 17_3", "b": None}


def test_every_trial_that_a_worker_works_on_is_shown(run_orch: Run, sqlite_url: str) -> None:
    with closing(open_database(sqlite_url)) as database:
        study = make_study(database, "first")
        held = [claim(database, study, "many") for _ in range(3)]
        claim(database, study, "another")
        for number, one in enumerate(held):
            points.note_trial(database, one, trial_id=number, trial_number=40 + number)
        note_worker(
            *(database,),
            **{"worker": "many", "host": "h", "pid": os.getpid(), "device": "GPU 0", "versions": {}},
            **{"state": WorkerState.WORKING, "study_uuid": study.uuid, "point": held[1].point},
        )
    [shown] = json.loads(run_orch("status", "--json", "--storage", sqlite_url).stdout)["workers"]
    assert (shown["study"], shown["trial"], shown["point"]) == ("first", 41, 1)
    assert shown["trials"] == [{"trial": 40 + number, "point": number, "epoch": 0} for number in range(3)]
    assert "40, 41, 42" in run_orch("status", "--storage", sqlite_url).stdout


def test_each_gpu_is_shown_once_with_its_load_and_memory(run_orch: Run, sqlite_url: str) -> None:
    a100 = {"number": 0, "uuid": "GPU-aa11", "name": "NVIDIA A100", "is_slice": False}
    a100 |= {"mebibytes": 81920.0, "used_mebibytes": 2048.0, "busy_percent": 87}
    part = {"number": 1, "uuid": "MIG-cc33", "name": "NVIDIA H100 MIG 3g.40gb", "is_slice": True}
    part |= {"mebibytes": None, "used_mebibytes": None, "busy_percent": None}
    with closing(open_database(sqlite_url)) as database:

        def say(worker: str, gpu: dict[str, object] | None, state: WorkerState = WorkerState.IDLE) -> None:
            about = {"host": "h", "pid": os.getpid(), "device": "GPU 0", "versions": {"numpy": "2"}}
            note_worker(database, worker=worker, state=state, gpu=gpu, **about)

        say("a", {**a100, "busy_percent": 3})
        say("c", part)
        say("gone", {**a100, "uuid": "GPU-zz"}, WorkerState.GONE)
        say("d", None)
        say("b", a100)
        say("b", None)  # a driver that does not answer now
        assert {one.worker: one.versions for one in list_workers(database)}["b"] == {"numpy": "2"}
    document = json.loads(run_orch("status", "--json", "--storage", sqlite_url).stdout)
    assert [(gpu["uuid"], gpu["busy_percent"], gpu["workers"]) for gpu in document["gpus"]] == [
        ("GPU-aa11", 87, 2),
        ("MIG-cc33", None, 1),
    ]
    shown = run_orch("status", "--storage", sqlite_url).stdout
    assert "2.0 of 80.0 GiB" in shown
    assert "87 %" in shown


def test_a_worker_says_what_its_driver_says(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = GpuReading(0, "GPU-aa11", "NVIDIA A100", 81920.0, 1024.0, 87)
    monkeypatch.setattr(GpuWatch, "latest", lambda _: reading)
    with closing(open_database(database_url)) as database:
        make_study(database, "seen", points=1)
        worker = Worker(Circumstances(database, device="GPU 0"), lambda _: PretendObjective())
        worker.run(lambda: [load_study(database, "seen")])
        [seen] = list_workers(database)
    assert seen.gpu == reading.to_document()


@pytest.mark.skipif(
    shutil.which("docker-compose") is None, reason="not here (Debian: apt-get install docker-compose)"
)
def test_docker_compose_reads_the_file(tmp_path: Path) -> None:
    from orchestrator.fleet.compose import write_compose
    from orchestrator.fleet.order import Order

    order = Order("first", 2, gpus=1, variables={"ORCH_STORAGE": "postgresql://orch@db.example.org/a$b"})
    (tmp_path / "file.yml").write_text(write_compose(order, image="orch:gpu", data=Path("/data")))
    words = ["docker-compose", "-f", "file.yml", "config"]
    for password, code in (("p", 0), (None, 1)):
        environment = {"PATH": os.environ["PATH"], **({"PGPASSWORD": password} if password else {})}
        read = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert read.returncode == code, read.stderr
        assert ("db.example.org" in read.stdout) == (code == 0)
