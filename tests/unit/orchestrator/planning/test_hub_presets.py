"""Presets of KerasHub as backbones: which names mean one, what is refused, and what every worker must have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.planning.regimes import build_spec
from orchestrator.planning.review import describe_model, fill_in_weights
from storage.errors import SpecError, WeightsError
from storage.spec import StudySpec, list_variants
from workers.models import hub
from workers.models.backbones import is_preset
from workers.models.transfer import identify_weights


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A preset's files; KerasHub itself is not needed until its backbone is built."""
    monkeypatch.setattr(hub, "is_installed", lambda _: True)
    return make_preset(tmp_path / "some body" / "dinov2")


def make_preset(folder: Path) -> Path:
    folder.mkdir(parents=True)
    config = {"module": "keras_hub.src.models.vit.vit_backbone", "class_name": "ViTBackbone"}
    config["registered_name"] = "keras_hub>ViTBackbone"
    whole = {**config, "config": {"image_shape": [32, 32, 3]}}
    (folder / "config.json").write_text(json.dumps(whole))
    (folder / "model.weights.h5").write_bytes(b"weights")
    (folder / "metadata.json").write_text("{}")
    return folder


def spec_of(backbone: object, *settings: str, size: int = 32) -> StudySpec:
    told = f'model.backbone="{backbone}"' if isinstance(backbone, Path | str) else ""
    return build_spec(
        "x", regime="I", settings=[*([told] if told else []), f"model.image_size={size}", *settings]
    )


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("InceptionV3", False),
        ("ResNet50V2", False),
        ("Incepton", False),
        ("hf://owner/name", True),
        ("kaggle://keras/resnetv1/keras/resnet_50_imagenet", True),
        ("resnet_50_imagenet", True),
        ("/data/dinov2", True),
        ("./Folder", True),
    ],
)
def test_a_preset_is_known_by_its_name(name: str, is_one: bool) -> None:
    assert is_preset(name) == is_one


def test_a_study_keeps_the_hash_of_the_files_of_its_preset(preset: Path) -> None:
    spec = fill_in_weights(spec_of(preset))
    model = spec.model
    assert (model.backbone, model.weights, model.weights_sha256) == (
        str(preset),
        str(preset),
        hub.hash_preset(preset),
    )
    assert model.is_preset
    assert model.standardizes
    assert model.backbone_name == "dinov2"
    assert "its own" in describe_model(spec)
    assert identify_weights(model) == f"sha256:{hub.hash_preset(preset)}"
    assert fill_in_weights(spec) == spec
    (preset / "metadata.json").write_text('{"date_saved": "later"}')
    assert hub.hash_preset(preset) == model.weights_sha256
    (preset / "model.weights.h5").write_bytes(b"other weights")
    with pytest.raises(WeightsError, match="not the one that the study was made with"):
        hub.load_for_study(model)
    (preset / "config.json").unlink()
    with pytest.raises(WeightsError, match="no preset of KerasHub"):
        hub.load_for_study(model)


def test_presets_are_searched_among_built_in_backbones(preset: Path) -> None:
    searched = f'search.backbone={{type="choice", values=["MobileNet", "{preset}"]}}'
    spec = fill_in_weights(
        spec_of(
            None,
            searched,
            'search.trainable={type="choice", values=["head", "all"], when={backbone=["MobileNet"]}}',
            f'search.head={{type="choice", values=[[8], [4]], when={{backbone=["{preset}"]}}}}',
            "model.weights=none",
        )
    )
    trials = {
        name: spec.at({"backbone": name, "dropout_rate": 0.1, "batch_size": 8}).model
        for name in ("MobileNet", str(preset))
    }
    assert (trials["MobileNet"].weights, trials["MobileNet"].is_preset) == ("none", False)
    made = trials[str(preset)]
    assert (made.is_preset, made.weights_sha256) == (True, hub.hash_preset(preset))
    inputs = {variant.inputs for variant in list_variants(spec)}
    assert len(inputs) >= 2
    assert fill_in_weights(spec) == spec


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["model.trainable=all"], "model.trainable does not go with"),
        (["model.weights=none"], "brings its own weights"),
        (['model.resize="pad"'], "model.resize does not go with"),
        (["model.extraction_precision=bfloat16"], "model.extraction_precision does not go with"),
        (["augmentation.rotation=5.0"], "augmentation.rotation does not go with"),
        (
            ['search.zoom={type="float", low=0.0, high=0.2}'],
            "search.zoom does not go with",
        ),
        (
            ['search.weights={type="choice", values=["imagenet", "none"]}'],
            "search.weights does not go with",
        ),
        (["model.image_size=[32, 40]"], "takes images of 32 x 32 pixels"),
    ],
)
def test_what_a_frozen_preset_cannot_do_is_refused(preset: Path, settings: list[str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        fill_in_weights(spec_of(preset, *settings))


def test_a_preset_that_is_not_here_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"Did you mean MobileNet\?"):
        fill_in_weights(spec_of("mobilenet"))
    monkeypatch.setattr(hub, "is_installed", lambda _: False)
    with pytest.raises(SpecError, match="KerasHub is not installed"):
        fill_in_weights(spec_of("hf://owner/name"))
    monkeypatch.setattr(hub, "is_installed", lambda name: name != "huggingface_hub")
    with pytest.raises(SpecError, match="Hugging Face's client, which is not installed"):
        fill_in_weights(spec_of("hf://owner/name"))
    with pytest.raises(SpecError, match="is not on this machine"):
        fill_in_weights(spec_of("kaggle://keras/vit/keras/nowhere"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    for version in ("9", "10"):
        make_preset(tmp_path / "models" / "keras" / "vit" / "keras" / "vit_tiny" / version)
    newest = tmp_path / "models" / "keras" / "vit" / "keras" / "vit_tiny" / "10"
    for name in ("vit_tiny", "kaggle://keras/vit/keras/vit_tiny", "kaggle://keras/vit/keras/vit_tiny/10"):
        assert hub.find_preset(name) == newest
        assert fill_in_weights(spec_of(name)).model.backbone == name
