"""Model files of other makers, and networks trained as a whole: shown, refused, explained, put together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.cli import run
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.errors import DataError
from storage.files.model_files import inspect_model
from storage.files.writing import hash_file
from storage.spec import parse
from tests.pictures import make_data

SIZE = 20


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    from workers.device.preparation import prepare

    prepare(1, 2)


def build_stack(*, with_code: bool = False) -> Any:
    """A small network like the second study's, perhaps with the Lambda of older Keras versions."""
    import keras

    layers: list[Any] = [
        keras.Input((SIZE, SIZE, 3)),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
    ]
    if with_code:
        layers.append(keras.layers.Lambda(lambda maps: maps * 0.17, name="block_scale"))
    layers += [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1, activation="sigmoid", name="fracture"),
    ]
    return keras.Sequential(layers)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_a_file_that_needs_code_is_shown_and_not_loaded(tmp_path: Path, suffix: str, capsys: Any) -> None:
    from workers.final_model.assembly import load_model

    path = tmp_path / f"old.{suffix}"
    build_stack(with_code=True).save(path)
    assert run(["model", "show", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "Lambda" in document["needs_code"]
    assert [layer["name"] for layer in document["layers"] if layer["kind"] == "Lambda"] == ["block_scale"]
    assert document["parameters"] == 4 * 28 + 5
    assert document["input_shape"] == [SIZE, SIZE, 3]
    with pytest.raises(DataError, match=r"is not loaded: it holds a .*ambda"):
        load_model(path)


def test_a_model_of_another_maker_predicts_when_told_what_it_takes(tmp_path: Path, capsys: Any) -> None:
    from PIL import Image

    model = build_stack()
    path, images = tmp_path / "theirs.h5", tmp_path / "images"
    model.save(path)
    images.mkdir()
    grey = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    Image.fromarray(grey).save(images / "=1+1.png")
    out = tmp_path / "p.csv"
    command = ["model", "predict", str(path), str(images), "-o", str(out)]
    assert run(command) == 2
    assert "--pixels 0..1" in capsys.readouterr().err
    assert run([*command, "--targets", "fracture", "--pixels", "0..1"]) == 0
    name, raw = out.read_text().splitlines()[1].split(",")
    expected = model.predict(np.repeat(grey[None, :, :, None], 3, axis=3) / np.float32(255), verbose=0)
    assert name == "'=1+1.png"
    assert float(raw) == pytest.approx(float(expected[0, 0]), abs=2e-6)


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 cut off"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_damaged_file_is_one_clear_sentence(
    tmp_path: Path, content: bytes, suffix: str, capsys: Any
) -> None:
    path = tmp_path / f"model{suffix}"
    with pytest.raises(DataError, match="There is no model file"):
        inspect_model(path)
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a model"):
        inspect_model(path)
    for command in (
        ["evaluate", path, "--data", tmp_path],
        ["predict", path, tmp_path, "-o", tmp_path / "p.csv", "--tta", "2"],
        ["show", path],
    ):
        assert run(["model", *map(str, command)]) == 2
    said = capsys.readouterr().err
    assert "defect" not in said
    assert "Traceback" not in said


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "backbone.weights.h5"
    build_stack().save_weights(path)
    with pytest.raises(DataError, match="holds weights only"):
        inspect_model(path)


def test_heat_is_where_the_evidence_is() -> None:
    """One convolution that answers to a bright spot, and nothing else: the heat lies on the spot."""
    import keras

    from workers.final_model.explain import compute_heat
    from workers.models.feature_maps import find_last_maps

    inner = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(1, 1, name="spot"),
            keras.layers.AveragePooling2D(2),
            keras.layers.GlobalMaxPooling2D(),
        ]
    )
    nested = keras.Sequential([keras.Input((SIZE, SIZE, 3)), inner, keras.layers.Activation("sigmoid")])
    inner.get_layer("spot").set_weights(
        [np.full((1, 1, 3, 1), 1 / 3, np.float32), np.array([-0.5], np.float32)]
    )
    assert find_last_maps(nested).name == "spot"
    image = np.zeros((2, SIZE, SIZE, 3), np.float32)
    image[0, 4:6, 12:14] = 1
    heat, scores = compute_heat(nested, image, [0, 0])
    assert heat.shape == (2, SIZE, SIZE)
    assert np.unravel_index(heat[0].argmax(), heat[0].shape)[0] in (4, 5)
    assert heat[0].max() == 1
    assert heat[0, 10:].max() == 0
    assert not heat[1].any()
    assert scores[0, 0] > 0.5 > scores[1, 0]
    with pytest.raises(DataError, match="no layer of feature maps"):
        find_last_maps(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]))


def test_the_level_of_a_map_that_the_head_never_sees_is_no_evidence() -> None:
    """Darkness is the evidence: the weight is negative, and so would be the whole map, the image called positive or not."""
    import keras

    from workers.final_model.explain import compute_heat
    from workers.models.feature_maps import CENTRING

    inputs = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    centred = keras.layers.Rescaling(1.0, -2.9, name=f"{CENTRING}features")(pooled)
    model = keras.Model(inputs, keras.layers.Activation("sigmoid")(keras.layers.Rescaling(-9.0)(centred)))
    image = np.ones((1, SIZE, SIZE, 3), np.float32)
    image[0, 4:8, 12:16] = 0
    heat, scores = compute_heat(model, image, [0])
    assert scores[0, 0] > 0.5
    assert heat[0, 4:8, 12:16].min() == 1
    assert np.count_nonzero(heat) == 16


def test_without_a_target_each_image_is_explained_by_its_likeliest() -> None:
    import keras

    from workers.final_model.explain import compute_heat

    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Conv2D(8, 3),
                              keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, "sigmoid")])  # fmt: skip
    images = np.random.default_rng(1).random((12, SIZE, SIZE, 3), np.float32)
    images[6:] *= -1  # all is linear before the sigmoid, so that the other output wins
    heat, scores = compute_heat(model, images, np.argmax)
    likeliest = scores.argmax(axis=1)
    assert set(likeliest) == {0, 1}
    assert np.array_equal(heat, compute_heat(model, images, likeliest.tolist())[0])
    assert not np.array_equal(heat, compute_heat(model, images, [0] * 12)[0])


def test_jet_and_the_overlay_are_the_formula() -> None:
    from workers.final_model.explain import colour, overlay

    expected = [[0, 0, 0.5], [0, 0.5, 1], [0.5, 1, 0.5], [1, 0.5, 0], [0.5, 0, 0]]
    assert colour(np.array([0, 0.25, 0.5, 0.75, 1])) == pytest.approx(np.array(expected))
    grey = np.full((4, 4, 3), 100, np.uint8)
    laid = overlay(grey, np.ones((2, 2), np.float32))
    assert laid[0, 0].tolist() == [round(70 + 0.3 * 127.5), 70, 70]
    assert np.array_equal(overlay(grey, np.ones((2, 2), np.float32), alpha=0), grey)


@pytest.mark.main_tier("True")
@pytest.mark.parametrize("ensemble", [False, True])
def test_a_network_trained_as_a_whole_becomes_one_model(tmp_path: Path, ensemble: bool) -> None:
    from workers.final_model.assembly import load_model, save_model
    from workers.final_model.predict import predict
    from workers.final_model.refit import Recipe, refit
    from workers.models.feature_maps import find_last_maps

    images, labels = make_data(tmp_path, patients=8)
    dataset = import_dataset(
        images, labels, tmp_path / "data", Choices(group_columns=("patient",), holdout=0)
    )
    spec = parse(
        {
            "study": {"name": "whole"},
            "data": {"fingerprint": dataset.fingerprint},
            "model": {"kind": "lenet", "image_size": [SIZE, SIZE]},
            "training": {"epochs": 2, "threads": 1, "batch_size": 8},
            "cv": {"folds": 2},
        },
        source="a test",
    )
    trained = refit(Recipe(spec, {}, point=0, epochs=2, ensemble=ensemble), dataset, tmp_path / "cache")
    assert len(trained.losses) == (2 if ensemble else 1)
    from storage.files.model_files import TrainingRecord

    record = TrainingRecord(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), frozenset())
    named, finished = tmp_path / "m.keras", []
    save_model(
        trained.model,
        named,
        {"schema": "orch.model/1"},
        record,
        beside=lambda model: finished.append((hash_file(model), named.exists())),
    )
    # What stands beside a model is written of the finished one, and before a kill could leave the model alone.
    assert finished == [(hash_file(named), False)]
    loaded = load_model(named)
    found = predict(loaded, dataset.files, dataset.sha256).raw
    assert found.shape == (len(dataset.files), 2)
    assert np.unique(found[:, 0]).size > 1
    # LeNet pools after its last convolution: the maps are those of the convolution.
    assert find_last_maps(loaded).name == "conv_2"
