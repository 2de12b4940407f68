"""What the models of all folds need side by side, by backend."""

import pytest

from storage.spec import ModelSection, StudySection, StudySpec
from workers.objective.memory import (
    choose_schedule,
    describe_models_too_large,
    describe_out_of_memory,
    lockstep_bytes,
)


@pytest.mark.parametrize(("name", "bytes_per_weight"), [("tensorflow", 16), ("jax", 40)])
def test_folds_that_may_be_stacked_need_their_stacked_copy_too(
    monkeypatch: pytest.MonkeyPatch, name: str, bytes_per_weight: int
) -> None:
    monkeypatch.setattr("workers.objective.memory.backend.chosen", lambda: name)
    spec = StudySpec(study=StudySection(name="x"))
    assert lockstep_bytes(spec, 1000) == 6 * 1000 * bytes_per_weight
    images = StudySpec(study=StudySection(name="x"), model=ModelSection(trainable="all"))
    assert lockstep_bytes(images, 1000) == 6 * 1000 * 16, "images are trained fold after fold"


def test_a_head_that_fits_unstacked_only_is_trained_fold_after_fold_under_jax(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = StudySpec(study=StudySection(name="x"))
    chosen = {}
    for name in ("tensorflow", "jax"):
        monkeypatch.setattr("workers.objective.memory.backend.chosen", lambda name=name: name)
        chosen[name] = choose_schedule(spec, weights=50_000_000)
    assert chosen == {"tensorflow": "lockstep", "jax": "sequential"}


@pytest.mark.parametrize(
    ("processes", "said"), [(1, "1 worker process on it"), (4, "4 worker processes on it")]
)
def test_what_needs_less_memory_is_something_that_can_be_had(processes: int, said: str) -> None:
    for text in (
        describe_out_of_memory(MemoryError("m"), batch_size=8, per_device=processes, device="GPU 0"),
        str(describe_models_too_large(MemoryError("m"), study="s", per_device=processes, device="GPU 0")),
    ):
        assert said in text
        assert ("--per-gpu" in text) == (processes > 1)
        assert "batch size" in text
