"""Databases, the installed command, the real data, and what a skip means."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# Products of small matrices: a second thread of each of several test processes waits for the others more than it computes.
# Before NumPy is imported; programs that tests start inherit it.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import pytest  # noqa: E402

from storage.settings import DEFAULT_BACKEND, keras_backend  # noqa: E402
from tests import under_jax  # noqa: E402
from tests.memory_folder import keep_temporary_files_in_memory  # noqa: E402
from tests.migrations_read_once import read_migrations_once  # noqa: E402
from tests.postgres import PostgresServer  # noqa: E402
from workers.device.spared_imports import spare_imports  # noqa: E402

keep_temporary_files_in_memory()
# A process of the tests is one of orch's own.
spare_imports()
_kept_libraries = 0

REPOSITORY = Path(__file__).resolve().parent.parent
IS_DEFAULT_BACKEND = keras_backend() == DEFAULT_BACKEND
if keras_backend() == "jax":
    under_jax.begin(REPOSITORY / "build" / "test-programs")
UNIT = REPOSITORY / "tests" / "unit"
ON_ONE_DATABASE = [REPOSITORY / "tests" / "integration" / name for name in ("workers", "orchestrator")]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL server, one per process of the test run, so that a test may stop it."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh PostgreSQL database with orch's tables."""
    url = postgres_server.copy_template(_make_tables)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh PostgreSQL database without any table."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with orch's tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "orch.db"
    _make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite file with orch's tables."""
    for part in sqlite_template.parent.glob("orch.db*"):
        shutil.copy(part, tmp_path / part.name)
    return f"sqlite:///{tmp_path / 'orch.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with orch's tables: the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="session")
def orch_program() -> Path:
    """The installed command `orch`."""
    program = Path(sys.executable).with_name("orch")
    assert program.exists(), "the command `orch` is not installed: `make setup`"
    return program


@pytest.fixture
def run_orch(orch_program: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the installed command in an empty folder: `run_orch("study", "list", environment={...})`."""

    def run(
        *arguments: object,
        environment: dict[str, str] | None = None,
        folder: Path = tmp_path,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
        return subprocess.run(
            [orch_program, *map(str, arguments)],
            cwd=folder,
            env={**clean, "ORCH_CACHE": str(tmp_path / "cache"), **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture
def run_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`run_orch` in this process: a hundred starts of Python would take longer than what is tested."""

    def run(
        *arguments: object, environment: dict[str, str] | None = None, folder: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        from orchestrator import cli

        words = [str(argument) for argument in arguments]
        with monkeypatch.context() as place:
            for name in [name for name in os.environ if name.startswith("ORCH_")]:
                place.delenv(name)
            for name, value in {"ORCH_CACHE": str(tmp_path / "cache"), **(environment or {})}.items():
                place.setenv(name, value)
            place.chdir(folder)
            capfd.readouterr()
            code = cli.run(words)
            written = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, written.out, written.err)

    return run


@pytest.fixture(scope="session")
def chest_xray() -> Path:
    """The folder of real chest X-rays with its labels.csv."""
    folder = Path(os.environ.get("ORCH_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "chest-xray"
    if not folder.is_dir():
        pytest.skip("the chest X-rays are not here: ORCH_TEST_DATA names the folder that holds chest-xray")
    return folder


@pytest.fixture(scope="session")
def reference_study() -> Path:
    """The folder of the reference study's published label table and curves."""
    data = Path(os.environ.get("ORCH_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    folder = data / "reference-study"
    if not folder.is_dir():
        pytest.skip(
            "the reference study is not here: ORCH_TEST_DATA names the folder that holds reference-study"
        )
    return folder


def _make_tables(url: str) -> None:
    from storage.database.opening import open_database

    open_database(url, create=True).close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Nothing of what is imported is garbage: to look for some takes a tenth of the time."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test its tier: `fast` (after every change), none (`make test`) or `thorough` (CI and `make test-all`, too)."""
    for item in items:
        if _is_further_case(item):
            item.add_marker(pytest.mark.thorough)
        slow = any(item.get_closest_marker(name) for name in ("slow", "thorough"))
        if UNIT in item.path.parents and not slow:
            item.add_marker(pytest.mark.fast)
        _leave_to_the_default_backend(item)
    if not any("::" in argument for argument in config.args):
        _check_cases(items)


def _leave_to_the_default_backend(item: pytest.Item) -> None:
    """Skip what is about TensorFlow itself where KERAS_BACKEND names another backend."""
    for marker in item.iter_markers("tensorflow_only"):
        if not marker.args:
            raise pytest.UsageError(f"{item.nodeid}: tensorflow_only needs a reason")
        if not IS_DEFAULT_BACKEND:
            item.add_marker(pytest.mark.skip(reason=f"about TensorFlow itself: {marker.args[0]}"))


def _is_further_case(item: pytest.Item) -> bool:
    """Whether the main tier walks this way with another case of the same test."""
    callspec = getattr(item, "callspec", None)
    kept = item.get_closest_marker("main_tier")
    if kept is not None:
        if not kept.args or callspec is None:
            raise pytest.UsageError(f"{item.nodeid}: main_tier names cases of a parametrised test")
        return callspec.id not in _kept_cases(kept)
    # Both databases keep one contract (tests/integration/storage); what works on it is walked on one of them.
    on_second = callspec is not None and callspec.params.get("database_url") == "postgresql"
    return on_second and any(room in item.path.parents for room in ON_ONE_DATABASE)


def _kept_cases(marker: pytest.Mark) -> set[str]:
    """The cases that the main tier of this run has: under JAX every kind of model is trained once more."""
    further = () if IS_DEFAULT_BACKEND else marker.kwargs.get("under_jax", ())
    return {*marker.args, *further}


def _check_cases(items: list[pytest.Item]) -> None:
    """A case that `main_tier` names and the test no longer has would leave the main tier unseen."""
    missing: dict[str, set[str]] = {}
    for item in items:
        kept = item.get_closest_marker("main_tier")
        if kept is not None:
            name = item.nodeid.split("[")[0]
            missing.setdefault(name, {*kept.args, *kept.kwargs.get("under_jax", ())}).discard(
                item.callspec.id
            )  # type: ignore[attr-defined]
    for name, cases in missing.items():
        if cases:
            raise pytest.UsageError(f"{name} has no case {', '.join(sorted(cases))}, which main_tier names")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Under JAX the files of a process share its number of threads."""
    yield
    if keras_backend() == "jax":
        under_jax.check_threads()


def pytest_collection_finish() -> None:
    """What is imported by now stays: without this every search for garbage looks through all of TensorFlow again."""
    read_migrations_once()
    gc.enable()
    _keep_what_is_imported()


def pytest_runtest_logfinish() -> None:
    """What a test imported first stays, too."""
    if _count_large_libraries() != _kept_libraries:
        _keep_what_is_imported()


def _keep_what_is_imported() -> None:
    global _kept_libraries
    _kept_libraries = _count_large_libraries()
    gc.collect()
    gc.freeze()


def _count_large_libraries() -> int:
    return sum(name in sys.modules for name in ("tensorflow", "jax", "keras", "sklearn", "mlflow"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Under CI a skip is a failure, unless no machine of this kind could run the test, or it is about the backend of another run."""
    report: pytest.TestReport = yield  # type: ignore[misc]
    excused = next(item.iter_markers("platform_impossible"), None)
    if excused is not None and not (excused.args or excused.kwargs.get("reason")):
        raise pytest.UsageError(f"{item.nodeid}: platform_impossible needs a reason")
    left = not IS_DEFAULT_BACKEND and item.get_closest_marker("tensorflow_only") is not None
    if report.skipped and not hasattr(report, "wasxfail") and excused is None and not left:
        _fail_under_ci(report)
    return report  # type: ignore[return-value]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Under CI a whole file that skips itself is a failure, too."""
    report: pytest.CollectReport = yield  # type: ignore[misc]
    if report.skipped:
        _fail_under_ci(report)
    return report  # type: ignore[return-value]


def _fail_under_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI", "").lower() not in ("1", "true", "yes"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"A skip under CI is a failure. {reason}"
