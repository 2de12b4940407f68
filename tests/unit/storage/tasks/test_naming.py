"""How people name targets."""

import pytest

from storage.tasks.kinds import TASKS
from storage.tasks.naming import find_column, say_targets, shorten_names

GRADES = ("opacity=none", "opacity=mild", "opacity=severe")


@pytest.mark.parametrize(
    ("task", "targets", "said"),
    [
        ("classes", ("view=AP sitting, mobile", "view=PA"), "view (AP sitting, mobile; PA)"),
        ("classes", tuple(f"part={n}" for n in range(9)), "part (0; 1; 2; 3 and 5 more)"),
        ("classes", ("mel", "nev"), "mel; nev"),
        ("ordered", GRADES, "opacity (none < mild < severe)"),
        ("ordered", tuple(f"rust={n}" for n in range(6)), "rust (0 < 1 < 2 < 3 < 4 < 5)"),
        ("labels", ("fracture", "view"), "fracture, view"),
        ("two-classes", ("view=lateral",), "view=lateral"),
        ("number", ("age",), "age"),
    ],
)
def test_classes_are_named_after_their_column(task: str, targets: tuple[str, ...], said: str) -> None:
    assert say_targets(TASKS[task], targets) == said


def test_a_column_is_left_out_where_all_have_it() -> None:
    assert shorten_names(GRADES)["opacity=mild"] == "mild"
    assert [*shorten_names([f"above {name}" for name in GRADES]).values()] == [
        "above none",
        "above mild",
        "above severe",
    ]
    # A class may have an equals sign of its own.
    assert [*shorten_names(["side=left", "side=a=b"]).values()] == ["left", "a=b"]
    for names in (["side=left", "view=AP"], ["side=left", "fracture"], ["view=lateral"], []):
        assert find_column(names) == ""
        assert [*shorten_names(names).values()] == names
