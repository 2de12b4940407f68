"""What a release is made from names one version, and the packages that it needs, in every place."""

from __future__ import annotations

import datetime
import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.conftest import REPOSITORY

PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
RECIPE = REPOSITORY / "requirements" / "conda" / "meta.yaml"
CONDA_NAMES = {"psycopg2-binary": "psycopg2"}


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", REPOSITORY / "scripts" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copy_of_what_names_it(release: ModuleType, folder: Path) -> Path:
    for name in (*release.PLACES, "CHANGELOG.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, folder / name)
    return folder


def test_every_file_names_the_same_version(release: ModuleType) -> None:
    named = {
        name: re.findall(pattern, (REPOSITORY / name).read_text(), re.MULTILINE)
        for name, pattern in release.PLACES.items()
    }
    assert named == {key: [PYPROJECT["version"]] for key in release.PLACES}


def test_a_release_names_its_version_everywhere_and_takes_what_is_unreleased(
    release: ModuleType, tmp_path: Path
) -> None:
    root = copy_of_what_names_it(release, tmp_path)
    release.name_version(root, "7.8.9", datetime.date(2031, 2, 3))
    for name, pattern in release.PLACES.items():
        assert re.findall(pattern, (root / name).read_text(), re.MULTILINE) == ["7.8.9"]
    changes = (root / "CHANGELOG.md").read_text()
    assert changes.count("## [Unreleased]\n\n## [7.8.9] - 2031-02-03\n\n### Added") == 1
    assert len(changes) == len((REPOSITORY / "CHANGELOG.md").read_text()) + len("\n## [7.8.9] - 2031-02-03\n")


def test_a_release_without_a_change_is_refused_and_leaves_the_files(
    release: ModuleType, tmp_path: Path
) -> None:
    root = copy_of_what_names_it(release, tmp_path)
    release.name_version(root, "7.8.9", datetime.date(2031, 2, 3))
    with pytest.raises(ValueError, match="Nothing is unreleased"):
        release.name_version(root, "7.9.0", datetime.date(2031, 2, 4))
    assert '"7.8.9"' in (root / "pyproject.toml").read_text()


def test_the_conda_recipe_asks_for_what_pyproject_asks_for() -> None:
    text = re.sub(r"{%.*?%}|{{ \w+ }}", "x", RECIPE.read_text())
    recipe = yaml.safe_load(text.replace("\nx\n", "\n"))
    asked = set()
    for line in PYPROJECT["dependencies"]:
        name, limits = re.fullmatch(r"([a-z0-9-]+)([^ ;]*).*", line).groups()  # type: ignore[union-attr]
        asked.add(f"{CONDA_NAMES.get(name, name)} {limits}")
    python, *packages = recipe["requirements"]["run"]
    assert set(packages) == asked
    assert python.startswith("python >=3.11")
    assert recipe["build"]["entry_points"] == [f"orch = {PYPROJECT['scripts']['orch']}"]


def test_the_container_for_development_has_what_continuous_integration_installs() -> None:
    folder = REPOSITORY / ".devcontainer"
    asked = json.loads((folder / "devcontainer.json").read_text())
    assert asked["build"]["dockerfile"] == "Dockerfile"
    assert asked["postCreateCommand"] == "make setup"
    [packages] = re.findall(r"^packages=\((.*)\)$", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE)
    installed = re.search(r"--no-install-recommends (.*) \\", (folder / "Dockerfile").read_text())
    assert installed is not None
    assert set(packages.split()) | {"git", "make"} == set(installed[1].split())
