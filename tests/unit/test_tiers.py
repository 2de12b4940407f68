"""Two tiers of tests, each test in one of them: CI runs both, and `pytest` alone runs all."""

from __future__ import annotations

import os
import subprocess
import tomllib

import pytest

from tests.conftest import REPOSITORY

TIERS = {
    "test": "-m not thorough",
    "test-thorough": "-m thorough",
    "test-all": None,
    "test-jax": "-m not thorough",
}


def test_ci_runs_both_tiers_whatever_the_first_one_finds() -> None:
    lines = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith(("make ", "exec make "))] == [
        "make test || result=$?",
        "make test-thorough || result=$?",
    ]
    assert lines[-1] == 'exit "$result"'


@pytest.mark.parametrize("target", TIERS)
def test_a_target_of_make_runs_its_tier(target: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--dry-run", target],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = [line for line in done.stdout.splitlines() if " -m pytest " in line]
    chosen = line.split(" -m pytest ")[1].replace('"', "")
    assert TIERS[target] is None or f" {TIERS[target]} tests" in chosen, line
    assert (" -m " in chosen) == (TIERS[target] is not None), line
    lints = any("ruff check" in line for line in done.stdout.splitlines())
    assert lints == (target not in ("test-thorough", "test-jax"))
    assert ("KERAS_BACKEND=jax " in line) == (target == "test-jax")


def test_pytest_alone_runs_every_test() -> None:
    options = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert not {"-m", "-k", "--ignore", "--deselect"} & {one.split("=")[0] for one in options["addopts"]}
    assert options["testpaths"] == ["tests"]
