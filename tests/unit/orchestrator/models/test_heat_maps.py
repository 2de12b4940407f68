"""What is said of heat maps that show nothing."""

from __future__ import annotations

from typing import Any

from orchestrator.models.heat_maps import find_reservations


def rows(evidence: list[bool], places: list[int]) -> list[dict[str, Any]]:
    return [{"evidence": one, "places": places} for one in evidence]


def test_of_maps_with_a_single_place_only_the_true_reason_is_told() -> None:
    (said,) = find_reservations(rows([False, True, False], [1, 1]))
    assert "single place" in said
    assert "nothing in" not in said


def test_blank_maps_are_counted_where_a_map_could_show_something() -> None:
    assert find_reservations(rows([False, True], [7, 7])) == [
        "1 of 2 heat maps is blank: nothing in that image speaks for the label."
    ]
    assert find_reservations(rows([False, True, False], [7, 7])) == [
        "2 of 3 heat maps are blank: nothing in these images speaks for the label."
    ]
    assert find_reservations(rows([True], [7, 7])) == []
