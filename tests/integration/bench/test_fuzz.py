"""Files from strangers, made at random: `python -m bench.fuzz` is the long form."""

from __future__ import annotations

from bench.fuzz import GOAL_BYTES, KINDS, read_many


def test_files_made_at_random_are_taken_or_refused_in_a_sentence() -> None:
    found = read_many(250, seed=1)
    assert found.faults == []
    assert found.peak < GOAL_BYTES
    for kind in KINDS:
        assert found.ended[kind, "taken"] >= 3, kind
        assert found.ended[kind, "refused"] >= 3, kind
