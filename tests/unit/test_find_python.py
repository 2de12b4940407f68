"""`make setup` finds a Python that works, or says what is missing."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def python(folder: Path, name: str, *, version: str, complete: bool = True) -> Path:
    """A stand-in that answers the three questions of the search as that Python would."""
    in_range = 0 if version in ("3.11", "3.12", "3.13") else 1
    return program(
        folder,
        name,
        f'#!/bin/sh\ncase "$2" in *version_info*) exit {in_range};; *ensurepip*) exit {int(not complete)};; esac\n',
    )


def find(*folders: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", REPOSITORY / "scripts" / "find_python"],
        env={"PATH": os.pathsep.join(map(str, folders)), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(autouse=True)
def tools(tmp_path: Path) -> Path:
    """The few programs that the search itself needs, apart from any Python of this machine."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sort", "tr"):
        source = next(Path(place) / name for place in ("/usr/bin", "/bin") if (Path(place) / name).exists())
        (folder / name).symlink_to(source)
    return folder


def test_the_newest_is_taken(tmp_path: Path, tools: Path) -> None:
    python(tmp_path / "a", "python3.11", version="3.11")
    newest = python(tmp_path / "a", "python3.13", version="3.13")
    assert find(tools, tmp_path / "a").stdout.strip() == str(newest)


def test_a_shim_that_fails_is_passed_over_for_the_same_name_further_on(tmp_path: Path, tools: Path) -> None:
    program(tmp_path / "shims", "python3.13", SHIM)
    program(tmp_path / "shims", "python3", SHIM)
    works = python(tmp_path / "a", "python3.13", version="3.13")
    assert find(tools, tmp_path / "shims", tmp_path / "a").stdout.strip() == str(works)


def test_plain_python3_is_taken_when_it_is_in_range(tmp_path: Path, tools: Path) -> None:
    works = python(tmp_path / "a", "python3", version="3.12")
    assert find(tools, tmp_path / "a").stdout.strip() == str(works)


def test_python_out_of_range_is_refused(tmp_path: Path, tools: Path) -> None:
    python(tmp_path / "a", "python3", version="3.14")
    found = find(tools, tmp_path / "a")
    assert found.returncode == 1
    assert "3.11, 3.12 or 3.13" in found.stderr
    assert str(tmp_path / "a" / "python3") in found.stderr


def test_missing_ensurepip_is_explained(tmp_path: Path, tools: Path) -> None:
    python(tmp_path / "a", "python3.11", version="3.11", complete=False)
    found = find(tools, tmp_path / "a")
    assert (found.returncode, found.stdout) == (1, "")
    assert "apt-get install python3-venv" in found.stderr


def test_none_at_all_is_said(tools: Path) -> None:
    found = find(tools)
    assert found.returncode == 1
    assert "No working Python" in found.stderr


def test_a_named_one_is_taken(tmp_path: Path, tools: Path) -> None:
    python(tmp_path / "a", "python3.13", version="3.13")
    named = python(tmp_path / "b", "mine", version="3.12")
    assert find(tools, tmp_path / "a", PYTHON=str(named)).stdout.strip() == str(named)
