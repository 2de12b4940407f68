"""What is said of heat maps that show nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.models.heat_maps import Names, find_reservations


def rows(evidence: list[bool], places: list[int]) -> list[dict[str, Any]]:
    return [{"evidence": one, "places": places} for one in evidence]


def test_of_maps_with_a_single_place_only_the_true_reason_is_told() -> None:
    (said,) = find_reservations(rows([False, True, False], [1, 1]))
    assert "single place" in said
    assert "nothing in" not in said


def test_blank_maps_are_counted_where_a_map_could_show_something() -> None:
    assert find_reservations(rows([False, True], [7, 7])) == [
        "1 of 2 heat maps is blank: no region increased the score for the label."
    ]
    assert find_reservations(rows([False, True, False], [7, 7])) == [
        "2 of 3 heat maps are blank: no region increased the score for the label."
    ]
    assert find_reservations(rows([True], [7, 7])) == []


def test_no_two_heat_maps_have_one_name() -> None:
    """One name in two folders, capitals, long names of a series, copies of one image: a picture each."""
    names = Names()
    images = [
        ("right/1.png", "a" * 64), ("left/1.png", "b" * 64), ("left_1.png", "c" * 64), ("Left/1.PNG", "d" * 64),
        ("left/1.png", "b" * 64), ("left/1.jpg", "b" * 64), ("1.2.840." * 30 + "1.dcm", "e" * 64),
        ("1.2.840." * 30 + "2.dcm", "f" * 64), ("../1.png", "a" * 64), ("1.png", "a" * 64), ("\udcf6.png", "1" * 64),
    ]  # fmt: skip
    given = [names.choose("1.0000-fx", name, digest) for name, digest in images]
    assert given[0] == "1.0000-fx-right_1.png"
    assert given[2] == f"1.0000-fx-left_1-{'c' * 8}.png"
    assert len({name.casefold() for name in given}) == len(images)
    assert all(len(name) < 130 and "/" not in name for name in given)


def test_an_earlier_heat_map_is_never_written_over(tmp_path: Path) -> None:
    """By a second run, by one at the same moment, or by a file system that takes capitals for small letters."""
    first, second, third = Names(), Names(), None
    kept = [first.keep(tmp_path, "0.5000-fx", "a.png", "a" * 64, b"first")]
    kept.append(second.keep(tmp_path, "0.5000-fx", "a.png", "a" * 64, b"second"))
    third = Names(path.name.upper() for path in tmp_path.iterdir())
    kept.append(third.keep(tmp_path, "0.5000-fx", "a.png", "a" * 64, b"third"))
    assert [path.read_bytes() for path in kept] == [b"first", b"second", b"third"]
    assert [path.name for path in kept] == [
        "0.5000-fx-a.png", "0.5000-fx-a-aaaaaaaa.png", "0.5000-fx-a-aaaaaaaa-2.png",
    ]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_second_run_finds_the_pictures_that_a_killed_one_left(tmp_path: Path) -> None:
    """The same command again ends with the pictures of one run; two images of one name and one content keep a picture each."""
    images = [("a.png", b"of a"), ("b/1.png", b"of b"), ("b_1.png", b"of b")]

    def run(count: int) -> list[str]:
        names = Names(path.name for path in tmp_path.iterdir())
        return [
            names.keep(tmp_path, "0.5-fx", name, "c" * 64, content).name for name, content in images[:count]
        ]

    killed, whole = run(2), run(3)
    assert whole[:2] == killed
    assert run(3) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(whole)
    assert len(set(whole)) == 3
