"""What a new study may be called."""

from __future__ import annotations

import pytest

from orchestrator.planning.names import LONGEST_NAME, check_new_name
from storage.errors import SpecError


@pytest.mark.parametrize(
    "name", ["first", "regime-1", "a.b_c-2", "étude", "2026", "Röntgen", "研究", "x" * LONGEST_NAME]
)
def test_names_that_are_safe_everywhere(name: str) -> None:
    check_new_name(name)


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("tibia, left (2)", "tibia-left-2"),
        ("$(reboot)", "reboot"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("../escaped", "escaped"),
        ("a/b", "a-b"),
        ("a\nb", "a-b"),
        ("\x1b[31mred", "31mred"),
        ("a\u202eb", "a-b"),
        ("e\u0301tude", "étude"),
        ("<img src=x>", "img-src-x"),
        ("\u0301", "study-1"),
        ("", "study-1"),
        ("x" * (LONGEST_NAME + 1), "x" * LONGEST_NAME),
    ],
)
def test_other_names_are_refused_with_one_that_would_do(name: str, proposed: str) -> None:
    with pytest.raises(SpecError) as refused:
        check_new_name(name)
    assert refused.value.next_step == f"For example: {proposed}"
    check_new_name(proposed)
