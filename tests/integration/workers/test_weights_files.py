"""Weights files as RadImageNet hands them out: `.h5` of a whole model without its top."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from storage.errors import DataError, WeightsError
from storage.spec import ModelSection
from workers.device import preparation as devices

SIZE = (32, 32)


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


def save(path: Path, alpha: float = 1.0) -> list[np.ndarray]:
    """Save a MobileNet with random weights in the form of Keras 2; returns its weights."""
    import keras

    keras.utils.set_random_seed(7)
    model = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(*SIZE, 3), alpha=alpha)
    model.save(path)
    weights: list[np.ndarray] = model.get_weights()
    return weights


def build(path: Path) -> list[np.ndarray]:
    from workers.models.transfer import build_backbone

    model = ModelSection(backbone="MobileNet", weights=str(path), image_size=SIZE)
    weights: list[np.ndarray] = build_backbone(model).get_weights()
    return weights


def test_a_file_of_a_whole_model_loads(tmp_path: Path) -> None:
    saved = save(tmp_path / "RadImageNet-MobileNet_notop.h5")
    loaded = build(tmp_path / "RadImageNet-MobileNet_notop.h5")
    for expected, found in zip(saved, loaded, strict=True):
        assert (expected == found).all()


def test_a_wrong_file_is_refused_by_the_layer_that_does_not_fit(tmp_path: Path) -> None:
    save(tmp_path / "wrong.h5", alpha=0.5)
    with pytest.raises(
        WeightsError, match="layer 'conv1' has 3 x 3 x 3 x 32, the file's 'conv1' has 3 x 3 x 3 x 16"
    ):
        build(tmp_path / "wrong.h5")


def test_a_file_that_ends_early_or_goes_on_is_refused_by_layer(tmp_path: Path) -> None:
    import keras

    from workers.models.weights import describe_misfit

    layers = [keras.layers.Dense(width, name=f"layer_{width}") for width in (3, 4, 5)]
    long, short = (
        keras.Sequential([keras.Input((2,)), *layers]),
        keras.Sequential([keras.Input((2,)), *layers[:2]]),
    )
    long.save(tmp_path / "long.h5")
    short.save(tmp_path / "short.h5")
    assert describe_misfit(short, tmp_path / "long.h5").startswith("the file goes on with layer 'layer_5'")
    assert describe_misfit(long, tmp_path / "short.h5") == "the file ends before layer 'layer_5'"
    assert describe_misfit(long, tmp_path / "long.h5") == ""


def test_layers_of_which_keras_only_warns_that_the_file_lacks_them_are_refused(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    import h5py
    import keras

    from workers.models.transfer import load_weights

    class Blocks(keras.layers.Layer):
        """Its layers are in a list of lists, of which older versions of Keras saved nothing."""

        def __init__(self) -> None:
            super().__init__()
            self.blocks = [[keras.layers.Dense(2)]]

        def call(self, values: object) -> object:
            return self.blocks[0][0](values)

    model, path = keras.Sequential([keras.Input((3,)), Blocks()], name="ours"), tmp_path / "ours.weights.h5"
    model.save_weights(path)
    load_weights(model, path)
    with h5py.File(path, "a") as file:
        del file["layers/blocks/blocks/container"]
    with pytest.raises(WeightsError, match="do not fit ours: it has no weights for some layers"):
        load_weights(model, path)
    assert not [one for one in recwarn if one.category is UserWarning]


def test_a_model_file_that_lacks_the_weights_of_a_layer_is_refused_in_words(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    import h5py
    import keras

    from workers.final_model.assembly import load_model

    whole, part = tmp_path / "whole.keras", tmp_path / "part.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="last")]).save(whole)
    load_model(whole)
    with zipfile.ZipFile(whole) as read, zipfile.ZipFile(part, "w") as written:
        for name in read.namelist():
            content = io.BytesIO(read.read(name))
            if name.endswith(".h5"):
                with h5py.File(content, "a") as file:
                    del file["layers/dense"]
            written.writestr(name, content.getvalue())
    with pytest.raises(DataError, match="it has no weights that fit 1 layer of the model, 'last' among them"):
        load_model(part)
    assert not [one for one in recwarn if one.category is UserWarning]
