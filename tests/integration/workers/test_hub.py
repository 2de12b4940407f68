"""Backbones of KerasHub, where it is installed: presets without pretrained weights, saved here and loaded from their folder."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.database.opening import open_database
from storage.errors import DataError, UsageError, WeightsError
from storage.studies.points import list_points
from storage.studies.study import load_study
from tests.pictures import make_data
from workers.device import preparation as devices

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="KerasHub is not installed"),
    pytest.mark.platform_impossible("KerasHub is not among the locked packages: it brings tensorflow-text"),
]


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """The device, as a worker prepares it before anything computes."""
    devices.prepare(1, 2)


def test_presets_make_embeddings_that_are_imported(
    run_here: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    import keras_hub

    from workers.models.hub import load_backbone

    maps = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[3], stackwise_num_filters=[64],
        stackwise_num_blocks=[1], stackwise_num_strides=[1], block_type="basic_block", image_shape=(None, None, 3),
    )  # fmt: skip
    maps.save_to_preset(str(tmp_path / "maps"))
    converter = keras_hub.layers.ResNetImageConverter(
        image_size=(32, 32), scale=[1 / 128] * 3, offset=[-1.0, -0.5, 0.0]
    )
    converter.save_to_preset(str(tmp_path / "maps"))
    tokens = keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16
    )
    tokens.save_to_preset(str(tmp_path / "tokens"))
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    loaded = load_backbone(str(tmp_path / "maps"))
    assert (loaded.size, loaded.remarks) == ((32, 32), ())
    expected = maps.predict_on_batch(pixels / 128 + np.array([-1.0, -0.5, 0.0], np.float32))
    np.testing.assert_allclose(loaded.embed(pixels), np.asarray(expected).mean(axis=(1, 2)), atol=1e-5)
    written = (tmp_path / "maps" / "image_converter.json").read_text()
    hostile = json.dumps({**json.loads(written), "module": "os", "class_name": "system"})
    unfit = written.replace('"scale": [', '"scale": ["x", ')
    for text, error, words in (
        (written[:40], DataError, "cannot be read"),
        (hostile, DataError, "os.system"),
        (unfit, WeightsError, "cannot be loaded"),
    ):
        (tmp_path / "maps" / "image_converter.json").write_text(text)
        with pytest.raises(error, match=words):
            load_backbone(str(tmp_path / "maps"))
    (tmp_path / "maps" / "image_converter.json").write_text(written)
    with pytest.raises(UsageError, match="takes images of 32 x 32"):
        load_backbone(str(tmp_path / "tokens"), 64)

    words = keras_hub.models.BertBackbone(
        vocabulary_size=10, num_layers=1, num_heads=2, hidden_dim=4, intermediate_dim=4, max_sequence_length=8
    )
    words.save_to_preset(str(tmp_path / "words"))
    with pytest.raises(DataError, match="no backbone for images alone"):
        load_backbone(str(tmp_path / "words"))

    dataset = import_dataset(
        *make_data(tmp_path), tmp_path / "data", Choices(group_columns=("patient",), holdout=0.0)
    )
    for preset, width, images in (("maps", 64, "data"), ("tokens", 16, "images")):
        done = run_here(
            "features", "extract", preset, images, "--data", "data", "-o", f"{preset}.npz", "--json"
        )
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert (document["images"], document["width"]) == (len(dataset.files), width)
        assert bool(document["remarks"]) == (preset == "tokens")
        kept = run_here("features", "import", f"{preset}.npz", "--data", "data", "--name", preset)
        assert kept.returncode == 0, kept.stderr


def test_a_study_searches_a_preset_among_backbones_of_keras(
    run_here: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    import keras_hub

    tokens = keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16
    )
    tokens.save_to_preset(str(tmp_path / "tokens"))
    import_dataset(*make_data(tmp_path), tmp_path / "data", Choices(group_columns=("patient",), holdout=0.0))

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        done = run_here(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    plain = """[model]
weights = "none"
image_size = 32
head = [4]
[training]
epochs = 2
[cv]
folds = 2
repeats_of_winner = 0
[pruner]
name = "none"
"""
    search = """[sampler]
name = "grid"
[search.backbone]
type = "choice"
values = ["MobileNet", "./tokens"]
"""
    (tmp_path / "study.toml").write_text(plain + search)
    (tmp_path / "alone.toml").write_text(
        plain.replace('weights = "none"', 'backbone = "./tokens"')
        + '[search.dropout_rate]\ntype = "grid"\nvalues = [0.1]\n[sampler]\nname = "grid"\n'
    )
    run("study", "create", "hub", "--data", "data", "--spec", "study.toml", "--trials", 2)
    run("worker", "hub", "--gpus", "none")
    verified = json.loads(run("study", "verify", "hub", "--json").stdout)
    assert verified["problems"] == []
    with closing(open_database(f"sqlite:///{tmp_path / 'orch.db'}")) as database:
        trials = list_points(database, load_study(database, "hub").uuid)
    number = {Path((one.params or {})["backbone"]).name: one.trial_number for one in trials}
    assert set(number) == {"MobileNet", "tokens"}
    run("trial", "replay", "hub", number["tokens"])
    # A model of the preset itself: it takes what `orch features extract` makes.
    run("study", "create", "alone", "--data", "data", "--spec", "alone.toml", "--trials", 1)
    run("worker", "alone", "--gpus", "none")
    run("study", "export", "alone", "-o", "best.json")
    run("report", "alone", "-o", "report.html")
    assert "KerasHub preset tokens" in (tmp_path / "report.html").read_text()
    run("model", "train", "--from", "best.json", "--data", "data", "-o", "model.keras")
    refused = run_here("model", "predict", "model.keras", "images", "-o", "p.csv")
    assert refused.returncode == 2
    assert "orch features extract" in refused.stderr
    run("features", "extract", "./tokens", "data", "-o", "f.npz", "--size", 32, "--pooling", "max")
    run("model", "predict", "model.keras", "images", "-o", "p.csv", "--features", "f.npz")
