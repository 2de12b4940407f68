"""What the values of a trial make of the spec of its study."""

from __future__ import annotations

from typing import Any

import pytest

from storage.spec import StudySpec, has_variants, list_variants, name_inputs, name_variant, parse


def make(search: dict[str, Any], **sections: Any) -> StudySpec:
    return parse({"study": {"name": "s", "trials": 8}, "search": search, **sections}, source="a test")


BACKBONES = {"backbone": {"type": "choice", "values": ["ResNet50", "VGG16"]}}


@pytest.mark.parametrize(
    ("params", "head"),
    [
        ({"head_depth": 1}, (8,)),
        ({"head_depth": 3}, (8, 4, 4)),
        ({"head_width_1": 16}, (16, 4)),
        ({"head_depth": 3, "head_width_2": 32}, (8, 32, 32)),
        ({"head_depth": 1, "head_width_1": 2}, (2,)),
        ({"head_width_3": 5}, (8, 4, 5)),
        ({}, (8, 4)),
    ],
)
def test_the_head_has_the_depth_and_the_widths_of_the_trial(
    params: dict[str, int], head: tuple[int, ...]
) -> None:
    search = {name: {"type": "int", "low": 1, "high": 20 if name == "head_depth" else 64} for name in params}
    assert make(search, model={"head": [8, 4]}).at(params).model.head == head


def test_at_puts_every_value_in_its_section_and_searches_nothing() -> None:
    search = {
        **BACKBONES,
        "image_size": {"type": "choice", "values": [75, [96, 64]]},
        "optimizer": {"type": "choice", "values": ["adam", "sgd"]},
        "rotation": {"type": "float", "low": 0, "high": 9},
    }
    trial = make(search).at({"backbone": "VGG16", "image_size": 75, "optimizer": "sgd", "rotation": 3.0})
    assert (trial.model.backbone, trial.model.image_size) == ("VGG16", (75, 75))
    assert (trial.training.optimizer, trial.augmentation.rotation, trial.search) == ("sgd", 3.0, {})


def test_each_backbone_brings_its_weights() -> None:
    model = {
        "weights": "imagenet",
        "weights_of": {"VGG16": "vgg.h5"},
        "weights_hashes": {"vgg.h5": "abc", "other.h5": "def"},
    }
    spec = make(BACKBONES, model=model)
    vgg, resnet = (spec.at({"backbone": name}).model for name in ("VGG16", "ResNet50"))
    assert (vgg.weights, vgg.weights_sha256) == ("vgg.h5", "abc")
    assert (resnet.weights, resnet.weights_sha256) == ("imagenet", "")
    both = make({**BACKBONES, "weights": {"type": "choice", "values": ["none", "other.h5"]}}, model=model)
    chosen = both.at({"backbone": "VGG16", "weights": "other.h5"}).model
    assert (chosen.weights, chosen.weights_sha256) == ("other.h5", "def")
    # A best.json is read again: what was resolved stays as it is.
    assert both.at({"backbone": "VGG16", "weights": "none"}).variant({}).model.weights == "none"


def test_a_study_of_settings_has_one_variant_which_is_its_spec() -> None:
    spec = make(
        {"batch_size": {"type": "int", "low": 1, "high": 9}, "zoom": {"type": "float", "low": 0, "high": 0.2}}
    )
    assert not has_variants(spec)
    assert spec.variant({"batch_size": 3, "zoom": 0.1}) is spec
    assert [variant.spec for variant in list_variants(spec, [{"batch_size": 1, "zoom": 0.0}])] == [spec]
    assert not spec.uses_features


def test_a_trial_learns_from_features_where_nothing_changes_its_images() -> None:
    search = {
        "trainable": {"type": "choice", "values": ["head", "all"]},
        "rotation": {"type": "float", "low": 0, "high": 9, "when": {"trainable": ["all"]}},
        "zoom": {"type": "choice", "values": [0, 0.1]},
    }
    spec = make(search)
    assert not spec.uses_features
    path = {
        (params["trainable"], params["zoom"]): spec.variant(params).uses_features
        for params in ({"trainable": "head", "zoom": 0}, {"trainable": "head", "zoom": 0.1}, {"trainable": "all", "rotation": 2.0, "zoom": 0})
    }  # fmt: skip
    assert path == {("head", 0): True, ("head", 0.1): False, ("all", 0): False}


def test_variants_that_differ_in_the_head_alone_share_their_inputs() -> None:
    search = {
        **BACKBONES,
        "head": {"type": "choice", "values": [[8], [4]]},
        "dropout_rate": {"type": "float", "low": 0, "high": 0.5},
    }
    spec = make(search)
    points = [
        {"backbone": backbone, "head": head, "dropout_rate": rate}
        for backbone in ("ResNet50", "VGG16")
        for head in ([8], [4])
        for rate in (0.1, 0.2)
    ]
    variants = list_variants(spec, points)
    assert [variant.share for variant in variants] == [0.25] * 4
    assert len({name_variant(variant.spec) for variant in variants}) == 4
    assert len({variant.inputs for variant in variants}) == 2
    assert {name_inputs(variant.spec) for variant in list_variants(spec, [None, None])} == {
        variant.inputs for variant in variants
    }


def test_what_a_sampler_may_draw_follows_the_conditions() -> None:
    search = {
        **BACKBONES,
        "weights": {"type": "choice", "values": ["none", "file.h5"], "when": {"backbone": ["VGG16"]}},
        "head_width_1": {"type": "int", "low": 2, "high": 9, "when": {"batch_size": [4]}},
        "batch_size": {"type": "int", "low": 1, "high": 9},
    }
    spec = make(search, sampler={"name": "tpe"})
    found = {
        (one.spec.model.backbone, one.spec.model.weights, one.spec.model.head[0])
        for one in list_variants(spec, [None])
    }
    assert found == {
        (backbone, weights, width)
        for backbone, weights in (("ResNet50", "imagenet"), ("VGG16", "none"), ("VGG16", "file.h5"))
        for width in (1024, 2, 9)
    }


def test_fixed_values_beside_a_trial_hold_what_its_conditions_left_out() -> None:
    search = {
        "optimizer": {"type": "choice", "values": ["adam", "sgd"]},
        "momentum": {"type": "float", "low": 0.5, "high": 0.9, "when": {"optimizer": ["sgd"]}},
        "learning_rate": {"type": "float", "low": 0.1, "high": 0.9, "when": {"optimizer": ["sgd"]}},
    }
    spec = make(search, training={"momentum": 0.7})
    assert "learning_rate" not in spec.hyperparameters
    fixed = spec.fixed_beside({"optimizer": "adam"})
    assert (fixed["learning_rate"], fixed["momentum"], "optimizer" in fixed) == (0.001, 0.7, False)
