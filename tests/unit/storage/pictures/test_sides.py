"""Which labels and columns say left or right, and which only look like it."""

import pytest

from storage.pictures.sides import find_sides


@pytest.mark.parametrize(
    "names",
    [
        ["left", "right"],
        ["L", "R", "none"],
        ["hip_left", "hip_right"],
        ["hipLeft", "hipRight"],
        ["Hip L", "Hip R"],
        ["Hüfte links", "Hüfte rechts"],
        ["left_effusion"],
        ["Effusion (right)"],
        ["genou gauche", "genou droit"],
        ["linke Hüfte", "rechte Hüfte"],
        ["glaucoma OD", "glaucoma OS"],
        ["hip_li", "hip_re"],
    ],
)
def test_labels_that_say_a_side(names: list[str]) -> None:
    found = find_sides(names, {}).labels
    assert set(found) == {name for name in names if name != "none"}


@pytest.mark.parametrize(
    "names",
    [
        ["fracture", "pneumonia"],
        ["l", "m"],  # classes by letters
        ["grade_l", "grade_m", "grade_s"],
        ["cleft", "bright", "upright", "alright"],
        ["AP", "lateral"],
        ["R1", "R2"],
        ["Lt1", "x"],
        ["inside", "outside", "side effects"],
        ["Rötung", "Lötung"],
        ["OS", "skin"],
        [],
    ],
)
def test_labels_that_do_not(names: list[str]) -> None:
    assert find_sides(names, {}).labels == ()


@pytest.mark.parametrize(
    "values",
    [
        ["L", "R", "R", ""],
        ["left", "Right ", "both"],
        ["LEFT", "RIGHT", "unknown"],
        ["left knee", "right knee", "left hip", "pelvis"],
        ["rechts", "links"],
        ["OD", "OS", "OU"],
        ["re.", "li."],
        ["L", "R", "L/R", "N/A"],
        ["Knee L", "Knee R"],
        ["L-CC", "R-CC", "L-MLO", "R-MLO"],
        ["linkes Knie", "rechtes Knie"],
    ],
)
def test_columns_that_say_a_side(values: list[str]) -> None:
    assert find_sides([], {"x": values, "age": ["30", "41"]}).columns == ("x",)


@pytest.mark.parametrize(
    "values",
    [
        ["L", "L", "L"],  # one side only: mirrored pictures make no other of it
        ["A", "B", "L", "R"],  # four letters
        ["M", "F"],
        ["AP", "PA", "LATERAL"],
        ["LL", "RL"],
        ["L1", "L2", "R1"],
        ["", ""],
        ["1", "2"],
        [f"the left lung of case {number} and its right one" for number in range(60)],
        [f"{side} lung, note {number}" for number in range(60) for side in ("left", "right")],
    ],
)
def test_columns_that_do_not(values: list[str]) -> None:
    assert find_sides([], {"x": values}).columns == ()
