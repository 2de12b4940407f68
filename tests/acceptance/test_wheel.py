"""A built wheel works in a clean environment: nothing leans on the working copy or the editable install."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
STOREYS = ("orch", "orchestrator", "workers", "dashboards", "storage")


def run(*command: object, folder: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for storey in STOREYS:
        shutil.copytree(REPOSITORY / storey, source / storey, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    return build(source, "dist")


def build(source: Path, folder: str) -> Path:
    words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", source / folder]
    with pytest.MonkeyPatch.context() as place:
        place.setenv("SOURCE_DATE_EPOCH", "1700000000")
        run(sys.executable, *words, folder=source)
    [built] = (source / folder).glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel of its own, and the dependencies of the one that runs the tests."""
    folder = tmp_path_factory.mktemp("clean") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    python = folder / "bin" / "python"
    own = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    )
    # A path in such a file is appended, and the .pth files of that folder (the editable install) are not read.
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--no-index", "--no-deps", "--ignore-installed", wheel, folder=folder)
    return folder


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    kept = {
        str(path.relative_to(REPOSITORY))
        for storey in STOREYS
        for path in (REPOSITORY / storey).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert held == kept


def test_the_command_says_its_version(environment: Path, tmp_path: Path) -> None:
    assert PROJECT["project"]["version"] in run(environment / "bin" / "orch", "--version", folder=tmp_path)


def test_orch_is_what_people_import_and_run(environment: Path, tmp_path: Path) -> None:
    python = environment / "bin" / "python"
    assert "orchestrator.notebook" in run(
        python, "-c", "from orch import open_study; print(open_study.__module__)", folder=tmp_path
    )
    assert PROJECT["project"]["version"] in run(python, "-m", "orch", "--version", folder=tmp_path)


def test_every_package_comes_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    packages = PROJECT["tool"]["setuptools"]["packages"]
    code = f"import importlib\nfor name in {packages!r}: print(importlib.import_module(name).__file__)"
    places = run(environment / "bin" / "python", "-c", code, folder=tmp_path).split()
    assert len(places) == len(packages)
    assert [place for place in places if not Path(place).is_relative_to(environment)] == []


def test_it_makes_the_tables_from_its_own_migrations(environment: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'orch.db'}"
    run(environment / "bin" / "orch", "db", "init", "--storage", storage, folder=tmp_path)
    run(environment / "bin" / "orch", "db", "check", "--storage", storage, folder=tmp_path)


def test_a_wheel_that_is_built_again_is_the_same_to_the_last_bit(wheel: Path) -> None:
    source = wheel.parent.parent
    for path in source.rglob("*.py"):
        os.utime(path, (1_800_000_000, 1_800_000_000))
    shutil.rmtree(source / "build", ignore_errors=True)
    again = build(source, "again")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_installed_wheel_tests_itself(environment: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as place:
        place.setenv("CUDA_VISIBLE_DEVICES", "-1")
        shown = run(environment / "bin" / "orch", "self-test", folder=tmp_path)
    lines = shown.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["ok", step]
        for step in ("install", "import", "create", "train", "verify", "export", "report", "python")
    ]
    assert str(environment) in lines[0]
    assert lines[-1] == "This installation works."
    assert list(tmp_path.iterdir()) == []
