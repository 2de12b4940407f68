"""Which folds are trained as one computation."""

from __future__ import annotations

import pytest

from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers.device import preparation as devices
from workers.objective.study_data import StudyData
from workers.training.early_stopping import train_together


def make_study_data(schedule: str, **model: object) -> StudyData:
    """One without features or images."""
    study_data = StudyData.__new__(StudyData)
    study_data._spec = StudySpec(
        study=StudySection(name="x"),
        model=ModelSection.model_validate(model),
        training=TrainingSection(threads=3),
    )
    study_data.schedule = schedule  # type: ignore[assignment]
    return study_data


@pytest.mark.parametrize("stacks", [True, False])
def test_folds_on_features_in_lockstep_are_trained_together_where_the_device_stacks_them(
    monkeypatch: pytest.MonkeyPatch, stacks: bool
) -> None:
    monkeypatch.setattr(devices, "stacks_folds", lambda: stacks)
    monkeypatch.setattr(devices, "count_at_once", lambda: 2)
    study_data = make_study_data("lockstep")
    assert study_data.train_together is (train_together if stacks else None)
    assert study_data.folds_at_once == (3 if stacks else 2)
    assert make_study_data("sequential").train_together is None
    on_images = make_study_data("lockstep", kind="lenet")
    assert not on_images._spec.uses_features
    assert (on_images.train_together, on_images.folds_at_once) == (None, 1)
