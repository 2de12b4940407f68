"""Published lists of names as sides of the split: what their lines mean, and lists that mean nothing here."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.importing.choices import Choices
from orchestrator.importing.rows import Read, read_rows
from storage.errors import DataError
from tests import published

NAMES = [f"{folder}/{number}.png" for folder in ("a", "b") for number in range(4)] + ["c/9.png"]


def read(folder: Path, text: str, notes: list[str]) -> Read:
    published.draw(folder / "images", NAMES)
    published.write(
        folder / "labels.csv", ["filename", "fx"], [[name, place % 2] for place, name in enumerate(NAMES)]
    )
    (folder / "test.txt").write_text(text)
    choices = Choices(split_lists=(("test", folder / "test.txt"),))
    return read_rows(folder / "images", [folder / "labels.csv"], choices, None, notes.append)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a/0.png\nc/9.png\n", ""),
        ("a/0\r\n\r\n9\r\n", ""),
        ("images/a/0.png\nimages/c/9.png\n", ""),
        ("/data/x/a/0.png\n/data/x/c/9.png\n", "another machine"),
        ("filename\na/0.png\nc/9.png\n", "1 line of"),
        ("1,a/0.png\n0,c/9.png\n", ""),
        ("a\\0.png\nzzz.png\nc\\9.png\n", "1 line of"),
    ],
)
def test_lines_as_lists_write_them(tmp_path: Path, text: str, said: str) -> None:
    notes: list[str] = []
    found = read(tmp_path, text, notes)
    assert [path for path, side in zip(found.paths, found.sides or (), strict=True) if side == "test"] == [
        "a/0.png",
        "c/9.png",
    ]
    assert said in " ".join(notes)
    assert bool(said) == bool(notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x.png\ny.png\n", "No line of .*names an image"),
        ("0.png\n", "may mean 2 images"),
        ("\n\n", "The list .* is empty"),
    ],
)
def test_a_list_that_means_nothing_here_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, [])
