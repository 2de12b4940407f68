"""Every line of `orch doctor`: each status on a machine, a database or data that really are so."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from orchestrator.importing.imports import import_dataset
from orchestrator.machine import doctor, gpus
from orchestrator.machine.doctor import FAIL, OK, WARN, Check
from storage.settings import keras_backend
from tests.conftest import REPOSITORY
from tests.integration.storage.test_database_access import set_version
from tests.pictures import make_data
from tests.postgres import PostgresServer
from workers.device import nvml

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this user's settings and orch.toml."""
    for name in [name for name in os.environ if name.startswith("ORCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    """The lines by their names."""
    return {check.name: check for check in checks}


def test_all_is_well_on_sqlite(sqlite_url: str) -> None:
    checks = by_name(doctor._check_storage(sqlite_url))
    assert {name: check.status for name, check in checks.items()} == dict.fromkeys(
        ("storage", "schema", "round trip", "clocks"), OK
    )
    assert "0 studies" in checks["storage"].text
    assert "0.0 s" not in checks["clocks"].text


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("sqlite:///orch.db", WARN, "There is no study database"),
        ("sqlite:///missing/orch.db", FAIL, "There is no study database"),
        ("mysql://host/studies", FAIL, "PostgreSQL or SQLite"),
        ("nonsense", FAIL, "not a URL"),
        ("postgresql://orch:secret@127.0.0.1:1/studies", FAIL, "does not answer"),
    ],
)
def test_a_storage_that_is_not_there(url: str, status: str, words: str) -> None:
    (check,) = doctor._check_storage(url)
    assert (check.name, check.status) == ("storage", status)
    assert words in check.text
    assert "secret" not in check.text


def test_tables_of_an_older_orch_and_no_tables(sqlite_url: str, empty_postgres_url: str) -> None:
    set_version(sqlite_url, "0000")
    for url, words in ((sqlite_url, "orch db upgrade"), (empty_postgres_url, "orch db init")):
        (check,) = doctor._check_storage(url)
        assert (check.name, check.status) == ("schema", FAIL)
        assert words in check.text


def test_sessions_that_run_out() -> None:
    server = PostgresServer(settings={"max_connections": "8"})
    with contextlib.ExitStack() as held:
        held.callback(server.close)
        server.start()
        url = server.create_database()
        from storage.database.opening import open_database

        open_database(url, create=True).close()
        assert by_name(doctor._check_storage(url))["sessions"].status == OK
        for _ in range(6):
            held.enter_context(contextlib.closing(server.connect()))
        check = by_name(doctor._check_storage(url))["sessions"]
        assert (check.status, "7 of 8" in check.text) == (WARN, True)


def test_a_clock_that_is_wrong_and_a_database_that_is_far(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    # A machine whose clock is a minute behind, and whose every round trip takes 30 ms.
    ticks = iter(range(1000))
    slow = types.SimpleNamespace(time=lambda: time.time() - 60, perf_counter=lambda: 0.3 * next(ticks))
    monkeypatch.setattr(doctor, "time", slow)
    checks = by_name(doctor._check_storage(sqlite_url))
    assert (checks["clocks"].status, "+60." in checks["clocks"].text) == (WARN, True)
    assert (checks["round trip"].status, checks["round trip"].text[:7]) == (WARN, "30.0 ms")


def test_data_that_is_here_missing_and_changed(tmp_path: Path) -> None:
    (check,) = doctor._check_data(None)
    assert (check.status, "no dataset folder is named" in check.text) == (WARN, True)
    images, labels = make_data(tmp_path / "raw")
    dataset = import_dataset(images, labels, tmp_path / "data")
    here, missing = doctor._check_data([tmp_path / "data", tmp_path / "nowhere"])
    assert (here.status, dataset.fingerprint[:19] in here.text) == (OK, True)
    assert (missing.status, "nowhere" in missing.text) == (FAIL, True)
    changed = (
        images / dataset.files[0] if not Path(dataset.files[0]).is_absolute() else Path(dataset.files[0])
    )
    changed.write_bytes(changed.read_bytes() + b"x")
    (check,) = doctor._check_data([tmp_path / "data"])
    assert (check.status, changed.name in check.text) == (FAIL, True)


def test_a_cache_with_room_without_room_and_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "new" / "cache"))
    monkeypatch.setattr(doctor, "FREE_BYTES", 1)
    assert doctor._check_cache().status == OK
    monkeypatch.setattr(doctor, "FREE_BYTES", 2**80)
    assert doctor._check_cache().status == WARN
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "file" / "cache"))
    assert doctor._check_cache().status == FAIL


def test_the_shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "starts again from its beginning" in doctor._check_artifacts().text
    monkeypatch.setenv("ORCH_ARTIFACTS", str(tmp_path))
    assert doctor._check_artifacts() == Check("artifacts", OK, f"{tmp_path}, for checkpoints")
    monkeypatch.setenv("ORCH_ARTIFACTS", str(tmp_path / "nowhere"))
    assert doctor._check_artifacts().status == FAIL


def test_packages_from_two_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "__init__.py").write_text("")
    program = "from orchestrator.machine.doctor import check_installation as c; print(c().status, c().text)"
    assert doctor.check_installation().status == OK
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"},
        capture_output=True,
        text=True,
    )
    assert ran.stdout.startswith("fail orch"), ran.stderr
    assert f"dashboards: {tmp_path}" in ran.stdout


@pytest.mark.parametrize(
    ("name", "title", "advice"),
    [("tensorflow", "TensorFlow", "orch-studies[gpu]"), ("jax", "JAX", "jax[cuda13]")],
)
def test_a_backend_that_cannot_be_imported_or_sees_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, title: str, advice: str
) -> None:
    (tmp_path / "0000:00:06.0").mkdir()
    (tmp_path / "0000:00:06.0" / "information").write_text("Model: NVIDIA A100\nGPU UUID: GPU-0a\n")
    monkeypatch.setattr(gpus, "DRIVER_FOLDER", tmp_path)
    monkeypatch.setattr(doctor.backend, "name", lambda: name)
    monkeypatch.setitem(doctor.PROGRAMS, name, """print('orch', '["2.0", "3.0", [], ""]')""")
    seen = by_name(doctor._check_backend())
    assert (seen[title].status, seen["GPU"].status) == (OK, WARN)
    assert advice in seen["GPU"].text
    monkeypatch.setitem(doctor.PROGRAMS, name, """print('orch', '["2.0", "3.0", ["NVIDIA A100"], ""]')""")
    assert by_name(doctor._check_backend())["GPU"] == Check("GPU", OK, f"1 seen by {title}: NVIDIA A100")
    mismatch = "Driver/library version mismatch"
    with monkeypatch.context() as updated:
        updated.setattr(nvml, "find_trouble", lambda: mismatch)
        updated.setitem(doctor.PROGRAMS, name, """print('orch', '["2.0", "3.0", [], ""]')""")
        seen = by_name(doctor._check_backend())
        assert mismatch in seen["GPU"].text
        assert "restart" in seen["GPU"].text
    with monkeypatch.context() as lost:
        lost.setattr(nvml, "find_lost_gpus", lambda: ["GPU 2: GPU is lost"])
        check = by_name(doctor._check_backend())["GPU"]
        assert check.status == WARN
        assert "cannot reach GPU 2: GPU is lost: restart the machine" in check.text
        # A job that was given others has not lost it.
        lost.setenv("CUDA_VISIBLE_DEVICES", "GPU-0a")
        assert by_name(doctor._check_backend())["GPU"].status == OK
    broken = """print('orch', '["2.0", "3.0", ["NVIDIA A100"], "RuntimeError: uncorrectable ECC"]')"""
    monkeypatch.setitem(doctor.PROGRAMS, name, broken)
    check = by_name(doctor._check_backend())["GPU"]
    assert check.status == FAIL
    assert "cannot compute on it: RuntimeError: uncorrectable ECC" in check.text
    monkeypatch.setitem(doctor.PROGRAMS, name, "raise ImportError('an illegal instruction')")
    (check,) = doctor._check_backend()
    assert (check.name, check.status) == (title, FAIL)
    assert "an illegal instruction" in check.text


def test_a_machine_that_has_only_the_other_backend_is_told_how_to_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor.backend, "name", lambda: "tensorflow")
    monkeypatch.setitem(doctor.PROGRAMS, "tensorflow", "import tensorflow_that_is_not_installed")
    (check,) = doctor._check_backend()
    assert check.status == FAIL
    assert "set KERAS_BACKEND=jax" in check.text


def test_jax_alone_is_ready_to_work() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    program = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from orchestrator.machine import doctor\n"
        "print([(check.name, check.status) for check in doctor._check_backend()])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[('JAX', 'ok'), ('GPU', 'ok')]"


def test_the_command_shows_every_line_and_fails_when_one_does(
    run_orch: Run, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"ORCH_STORAGE": sqlite_url, "CUDA_VISIBLE_DEVICES": "-1"}
    ran = run_orch("doctor", environment=environment)
    names = {line[6:16].strip(): line[:4].strip() for line in ran.stdout.splitlines()}
    assert ran.returncode == 0, ran.stdout
    assert list(names) == [
        *(
            "orch",
            "storage",
            "schema",
            "round trip",
            "clocks",
            "data",
            "cache",
            "artifacts",
            doctor.BACKENDS[keras_backend()],
            "GPU",
        )
    ]
    # The backend was asked once: that it starts needs no second look.
    monkeypatch.setitem(doctor.PROGRAMS, keras_backend(), """print('orch', '["2.0", "3.0", [], ""]')""")
    ran = run_orch("doctor", "--json", "--data", tmp_path / "nowhere", environment=environment)
    failed = [check["name"] for check in json.loads(ran.stdout) if check["status"] == FAIL]
    assert (ran.returncode, failed) == (1, ["data"])
