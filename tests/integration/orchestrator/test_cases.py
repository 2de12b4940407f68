"""Inputs of the kinds that people bring are taken rightly, or refused by name; `python -m bench.cases` prints the count."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.case_list import CASES, Case
from bench.cases import run_case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_right(case: Case, tmp_path: Path) -> None:
    outcome = run_case(case, tmp_path)
    assert case.is_right(outcome), f"exit {outcome.code}: {outcome.said}"
