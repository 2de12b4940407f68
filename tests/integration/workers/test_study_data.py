"""Which folds are trained as one computation."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.importing.imports import import_dataset
from storage.data.datasets import Dataset
from storage.data.folds import make_folds
from storage.spec import StudySpec, parse
from tests.pictures import make_data
from workers.device import preparation as devices
from workers.inputs.kept_inputs import KeptInputs
from workers.objective.study_data import StudyData
from workers.training.early_stopping import train_together

MODEL = {"backbone": "MobileNet", "weights": "none", "image_size": (32, 32), "head": (4,)}
THREADS = 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    devices.prepare(1, 2)
    folder = tmp_path_factory.mktemp("study-data")
    images, labels = make_data(folder, patients=6)
    return import_dataset(images, labels, folder / "data", cache=folder / "cache")


def make_study_data(dataset: Dataset, schedule: str, **model: Any) -> StudyData:
    spec = make_spec(schedule, **model)
    folds = make_folds(dataset.labels, dataset.groups, spec.cv.folds, seed=0)
    kept = KeptInputs(dataset, dataset.labels, dataset.folder.parent / "cache")
    return StudyData(spec, kept, dataset.labels, dataset.targets, dict(enumerate(folds)))


def make_spec(schedule: str, **model: Any) -> StudySpec:
    return parse(
        {
            "study": {"name": "x"},
            "model": MODEL | model,
            "training": {"threads": THREADS, "augmentation": "none"},
            "cv": {"folds": 2, "schedule": schedule},
        },
        source="a test",
    )


@pytest.mark.parametrize("stacks", [True, False])
def test_folds_on_features_in_lockstep_are_trained_together_where_the_device_stacks_them(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, stacks: bool
) -> None:
    monkeypatch.setattr(devices, "stacks_folds", lambda: stacks)
    lockstep = make_study_data(dataset, "lockstep")
    assert lockstep.train_together is (train_together if stacks else None)
    assert lockstep.folds_at_once == (THREADS if stacks else devices.count_at_once())
    assert make_study_data(dataset, "sequential").train_together is None
    on_images = make_study_data(dataset, "lockstep", kind="lenet")
    assert on_images.trains_images
    assert (on_images.train_together, on_images.folds_at_once) == (None, 1)
