"""The lock files fit each machine, and one another."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "requirements"
LOCKS = ("cpu", "gpu", "jax", "look")
NEVER = "sys_platform == 'never'"


def read_lock(name: str) -> dict[str, set[tuple[str, str]]]:
    """Package -> {(version, marker)} of what is installed anywhere."""
    found: dict[str, set[tuple[str, str]]] = {}
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        entry = re.fullmatch(r"([a-z0-9-]+)==([^ ;]+)(?: ; (.*?))? \\", line)
        if entry and NEVER not in (entry[3] or ""):
            found.setdefault(entry[1], set()).add((entry[2], entry[3] or ""))
    return found


@pytest.mark.parametrize(
    ("name", "there", "absent"),
    [
        ("cpu", {"tensorflow", "keras"}, {"jax"}),
        ("gpu", {"tensorflow", "keras", "nvidia-cudnn-cu12"}, {"jax"}),
        ("jax", {"jax", "jaxlib", "keras"}, {"tensorflow"}),
        ("look", {"optuna-dashboard", "plotly", "psycopg2-binary", "h5py"}, {"tensorflow", "keras", "jax"}),
    ],
)
def test_each_machine_gets_what_it_needs_and_no_more(name: str, there: set[str], absent: set[str]) -> None:
    found = set(read_lock(name))
    assert there <= found
    assert not absent & found


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_installed_is_what_is_tested(name: str) -> None:
    tested = read_lock("dev")
    # TensorFlow holds h5py back, and is not there on the Python that needs a newer one.
    others = {
        package: kept for package, kept in read_lock(name).items() if package != "h5py" and package in tested
    }
    versions = {package: {version for version, _ in kept} for package, kept in others.items()}
    assert {
        package: kept
        for package, kept in versions.items()
        if not kept <= {version for version, _ in tested[package]}
    } == {}


@pytest.mark.parametrize("name", [*LOCKS, "dev"])
def test_every_package_has_hashes_and_no_address(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text()
    assert "://" not in text
    entries = re.findall(
        r"^[a-z0-9-]+==.*\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE
    )
    assert len(entries) == len(re.findall(r"^[a-z0-9-]+==", text, re.MULTILINE))


def test_tensorflow_is_asked_for_only_where_it_has_a_wheel() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.15"
    [asked] = [one for one in project["dependencies"] if one.startswith("tensorflow")]
    assert asked.endswith("python_version < '3.14'")
    [(_, marker)] = read_lock("cpu")["tensorflow"]
    assert marker == "python_full_version < '3.14'"
