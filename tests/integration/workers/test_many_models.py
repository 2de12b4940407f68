"""A search over backbones, image sizes, heads and optimizers with their own keys: every trial on the model that it asks for."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.planning.plan import plan_points
from orchestrator.planning.presets import size_to_data
from orchestrator.planning.regimes import build_spec
from orchestrator.planning.review import count_training
from orchestrator.studies.best import best_document
from orchestrator.studies.replay import replay_recorded
from orchestrator.studies.verify import verify_study
from storage.data.datasets import Dataset
from storage.data.folds import make_folds
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.spec import StudySpec, list_variants, parse
from storage.studies.points import list_points
from storage.studies.study import StudyRecord, create_study, read_canary
from tests.pictures import make_data
from workers.objective import study_variants
from workers.objective.study_variants import StudyVariants
from workers.process.circumstances import Circumstances
from workers.process.worker import run_worker

pytestmark = pytest.mark.thorough
"""Four extractions; what varies here, storage/spec and test_head_options hold one by one."""

SEARCH: dict[str, Any] = {
    "backbone": {"type": "choice", "values": ["MobileNet", "MobileNetV2"]},
    "image_size": {"type": "choice", "values": [32, [40, 48]]},
    "kind": {"type": "choice", "values": ["transfer", "lenet"]},
    "head": {"type": "choice", "values": [[8], [6, 4]], "when": {"kind": ["transfer"]}},
    "optimizer": {"type": "choice", "values": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.1, "high": 0.9, "when": {"optimizer": ["sgd"]}},
    "batch_size": {"type": "int", "low": 4, "high": 16, "step": 4},
}
SEARCH["backbone"]["when"] = {"kind": ["transfer"]}
TRIALS = 6


@dataclass(frozen=True)
class Finished:
    """A study that one worker has finished, and what it had."""

    database: Database
    study: StudyRecord
    dataset: Dataset
    cache: Path
    printed: list[str]


def make_spec(dataset: Dataset, **sections: Any) -> StudySpec:
    document: dict[str, Any] = {
        "study": {"name": "models", "trials": TRIALS, "seed": 1},
        "data": {"fingerprint": dataset.fingerprint, "targets": list(dataset.targets)},
        "model": {"weights": "none", "image_size": [32, 32]},
        "training": {"epochs": 2, "threads": 1, "augmentation": "none"},
        "cv": {"folds": 2},
        "search": SEARCH,
        "pruner": {"name": "none"},
    }
    return parse({**document, **sections}, source="a test")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("models")
    dataset = import_dataset(
        *make_data(folder), folder / "data", Choices(group_columns=("patient",), holdout=0.0)
    )
    spec, printed = make_spec(dataset), []
    with closing(open_database(f"sqlite:///{folder / 'orch.db'}", create=True)) as database:
        study = create_study(database, spec, plan_points(spec), data_folder=str(dataset.folder), facts={})
        here = Circumstances(database, tell=printed.append)
        run_worker(here, ["models"], [dataset.folder], folder / "cache")
        yield Finished(database, study, dataset, folder / "cache", printed)


def test_every_trial_is_complete_on_the_model_that_it_asks_for(finished: Finished) -> None:
    points = list_points(finished.database, finished.study.uuid)
    assert [point.outcome for point in points] == ["COMPLETE"] * TRIALS, finished.printed
    params = [point.params or {} for point in points]
    assert {one["kind"] for one in params} == {"transfer", "lenet"}
    assert {one.get("backbone") for one in params} == {"MobileNet", "MobileNetV2", None}
    assert all(("momentum" in one) == (one["optimizer"] == "sgd") for one in params)
    trained = {}
    for point in points:
        details = finished.database.optuna.get_trial(point.trial_id).user_attrs["details"]
        trained[point.point] = details["parameters_trained"]
    for number, one in enumerate(params):
        if one["kind"] == "transfer":
            width = {"MobileNet": 1024, "MobileNetV2": 1280}[one["backbone"]]
            widths = [width, *one["head"], len(finished.dataset.targets)]
            assert trained[number] == sum((a + 1) * b for a, b in itertools.pairwise(widths))
    canary = read_canary(finished.database, finished.study)
    assert canary is not None
    assert all(found["acts"] for found in canary.values()), canary


def test_features_are_extracted_once_for_each_model_and_size(finished: Finished) -> None:
    planned = [point.params for point in list_points(finished.database, finished.study.uuid)]
    sets = {one.inputs for one in list_variants(finished.study.spec, planned) if one.spec.uses_features}
    kept = [folder for folder in (finished.cache / "features").iterdir() if folder.is_dir()]
    # The canary tries both ends of every range, planned or not.
    assert 3 <= len(sets) <= len(kept) <= 4


def test_the_study_is_verified_and_its_trials_replayed(finished: Finished) -> None:
    found = verify_study(
        finished.database, finished.study, plan_points(finished.study.spec), finished.dataset
    )
    assert found["ok"], found["problems"]
    for number in (0, TRIALS - 1):
        replay = replay_recorded(
            finished.database, finished.study, number, [finished.dataset.folder], finished.cache
        )
        assert replay["identical"], replay


def test_the_winner_is_refitted_as_what_it_was(finished: Finished, tmp_path: Path) -> None:
    from orchestrator.models.training import TrainingRequest, train_model

    best = best_document(finished.database, finished.study)
    out = tmp_path / "model.keras"
    card = train_model(
        best, finished.dataset, finished.database, out, finished.cache, TrainingRequest(), say=lambda _: None
    )
    size = best["params"]["image_size"]
    assert card["image_size"] == ([size, size] if isinstance(size, int) else size)
    import keras

    model = keras.models.load_model(out)
    assert model.input_shape == (None, *card["image_size"], 3)
    assert np.isfinite(model.predict(np.zeros((1, *card["image_size"], 3)), verbose=0)).all()


SMALL = ("model.weights=none", "cv.folds=2", "training.epochs=1", "training.threads=1")
ON_FEATURES = ("model.backbone=MobileNet", "model.image_size=[32,32]")
ON_IMAGES = ("model.kind=lenet", "model.image_size=[28,28]", "study.trials=1")
PURPOSES = {
    "quick": ("study.trials=1", *ON_FEATURES),
    "backbones": (
        'search.backbone={type="choice", values=["MobileNet"]}',
        'search.image_size={type="choice", values=[32]}',
        "study.trials=2",
    ),
    "head": ("study.trials=2", 'search.head={type="choice", values=[[], [8]]}', *ON_FEATURES),
    "augmentation": ON_IMAGES,
}
"""All but `finetune`: a backbone that learns takes a minute of the processor, and test_image_training has one."""


@pytest.mark.parametrize("preset", PURPOSES)
def test_a_study_of_every_purpose_is_worked_off(finished: Finished, preset: str) -> None:
    data = {"data.fingerprint": finished.dataset.fingerprint, "data.targets": list(finished.dataset.targets)}
    spec = build_spec(preset, preset=preset, settings=[*SMALL, *PURPOSES[preset]]).with_values(data)
    spec = size_to_data(spec, preset, count_training(spec, finished.dataset))
    study = create_study(
        finished.database, spec, plan_points(spec), data_folder=str(finished.dataset.folder), facts={}
    )
    printed: list[str] = []
    here = Circumstances(finished.database, tell=printed.append)
    run_worker(here, [preset], [finished.dataset.folder], finished.cache)
    points = list_points(finished.database, study.uuid)
    assert [point.outcome for point in points] == ["COMPLETE"] * spec.point_count, printed


def test_models_of_many_shapes_are_built_again_when_they_are_asked_for(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_variants, "KEPT_MODELS", 2)
    spec = finished.study.spec
    folds = dict(enumerate(make_folds(finished.dataset.labels, finished.dataset.groups, **spec.fold_plan)))
    one = {"kind": "transfer", "backbone": "MobileNet", "image_size": 32}
    variants = StudyVariants(
        spec, finished.dataset, finished.dataset.labels, finished.dataset.targets, folds, finished.cache,
        points=[{**one, "head": [8]}, {**one, "head": [6, 4]}],
    )  # fmt: skip
    first = variants.of({**one, "head": [8]})
    variants.of({**one, "head": [6, 4]})
    assert variants.of({**one, "head": [8]}) is first
    variants.of({**one, "head": [8], "backbone": "MobileNetV2"})
    assert len(variants._built) == 2
    assert variants.of({**one, "head": [8]}) is first, "the one that was not asked for the longest goes first"


def test_features_leave_the_device_when_others_need_the_room(finished: Finished) -> None:
    from workers.inputs.kept_inputs import KeptInputs

    spec = finished.study.spec
    labels = finished.dataset.labels
    one, other = (
        spec.variant({"kind": "transfer", "backbone": name, "image_size": 32, "head": [8]})
        for name in ("MobileNet", "MobileNetV2")
    )
    roomy = KeptInputs(finished.dataset, labels, finished.cache)
    narrow = KeptInputs(finished.dataset, labels, finished.cache, limit=1)
    for kept in (roomy, narrow):
        (_, first), (_, second) = kept.features(one), kept.features(other)
        assert kept.features(one)[1] is first
        kept.make_room(one)
        before = np.asarray(first.resident("float32"))
        kept.make_room(other)
        second.resident("float32")
        assert bool(first.resident_bytes) == (kept is roomy)
        kept.make_room(one)
        assert (np.asarray(first.resident("float32")) == before).all()
