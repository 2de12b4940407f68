"""What the tests do not read twice."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.migrations_read_once import VERSIONS, remember


def test_a_script_is_read_once_until_it_changes_and_what_is_beside_it_each_time(tmp_path: Path) -> None:
    seen: list[str] = []

    def read(_folder: str, name: str) -> ModuleType:
        seen.append(name)
        return ModuleType(name)

    scripts = tmp_path / VERSIONS
    scripts.mkdir()
    for path in (scripts / "first.py", tmp_path / "env.py"):
        path.write_text("")
    load = remember(read)
    first = load(str(scripts), "first.py")
    assert load(str(scripts), "first.py") is first
    assert load(str(tmp_path), "env.py") is not load(str(tmp_path), "env.py")
    assert seen == ["first.py", "env.py", "env.py"]
    (scripts / "first.py").write_text("changed = True")
    assert load(str(scripts), "first.py") is not first


def test_what_cannot_be_read_is_asked_for_each_time(tmp_path: Path) -> None:
    def read(_folder: str, _name: str) -> ModuleType:
        raise FileNotFoundError

    load = remember(read)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            load(str(tmp_path / VERSIONS), "none.py")
