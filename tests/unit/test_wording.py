"""Numbers and names in sentences."""

from __future__ import annotations

from storage.wording import list_some, show_count, show_times


def test_one_is_singular_and_all_else_plural() -> None:
    assert [show_count(number, "sealed image") for number in (0, 1, 2)] == [
        "0 sealed images",
        "1 sealed image",
        "2 sealed images",
    ]
    assert [show_times(number) for number in (1, 2)] == ["once", "2 times"]


def test_a_long_list_of_names_ends_in_how_many_more() -> None:
    assert list_some(["a.png"]) == "a.png"
    assert list_some(["a.png", "b.png", "c.png"]) == "a.png, b.png, c.png"
    assert list_some(["a.png", "b.png", "c.png", "d.png", "e.png"]) == "a.png, b.png, c.png and 2 more"
