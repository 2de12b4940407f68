"""What a [search] section may say, and what it may not, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.errors import SpecError
from storage.spec import (
    BUILDING,
    NOT_SEARCHED,
    SETTINGS,
    AugmentationSection,
    ModelSection,
    StudySpec,
    TrainingSection,
    find_unknown_label,
    from_json,
    from_toml,
    is_option,
    order_of,
    parse,
    put_values,
    to_toml,
)
from storage.spec.distributions import distributions, from_optuna, to_optuna

SGD = {"optimizer": {"type": "choice", "values": ["adam", "sgd"]}}
EVERYTHING: dict[str, Any] = {
    "backbone": {"type": "choice", "values": ["InceptionV3", "ResNet50", "MobileNetV2"]},
    "weights": {"type": "choice", "values": ["imagenet", "none"], "when": {"backbone": ["ResNet50"]}},
    "image_size": {"type": "choice", "values": [[75, 75], [96, 128]]},
    "pooling": {"type": "choice", "values": ["max", "avg"]},
    "scale": {"type": "choice", "values": ["none", "standardize"]},
    "head_depth": {"type": "int", "low": 1, "high": 3},
    "head_width_1": {"type": "int", "low": 16, "high": 512, "log": True},
    "head_width_2": {"type": "int", "low": 32, "high": 512, "step": 32, "when": {"head_depth": [2, 3]}},
    "head_normalization": {"type": "choice", "values": [True, False]},
    "trainable": {"type": "choice", "values": ["head", "all"]},
    "precision": {"type": "choice", "values": ["float32", "bfloat16"]},
    "optimizer": {"type": "choice", "values": ["adam", "sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "weight_decay": {"type": "float", "low": 1e-5, "high": 0.1, "log": True, "when": {"optimizer": ["adamw"]}},
    "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1},
}  # fmt: skip


def make(search: dict[str, Any], sampler: str = "random", **sections: Any) -> StudySpec:
    document = {"study": {"name": "s"}, "search": search, "sampler": {"name": sampler}, **sections}
    return parse(document, source="a test")


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "nsga2"])
def test_everything_is_searched_and_kept(sampler: str, tmp_path: Path) -> None:
    spec = make(EVERYTHING, sampler)
    assert from_json(spec.to_json()) == spec
    (tmp_path / "study.toml").write_text(to_toml(spec))
    assert from_toml(tmp_path / "study.toml") == spec
    assert set(distributions(spec)) == set(EVERYTHING)


def test_a_trial_shapes_the_head_only_where_it_searches_it() -> None:
    document: dict[str, Any] = {}
    put_values(document, {"batch_size": 8})
    assert document == {"model": {}, "training": {"batch_size": 8}}
    for params, head in (
        ({"head_depth": 1}, [64]),
        ({"head_depth": 3}, [64, 32, 32]),
        ({"head_width_2": 8}, [64, 8]),
        ({"head_depth": 3, "head_width_3": 4}, [64, 32, 4]),
        ({"head_width_3": 4}, [64, 32, 4]),
        ({"head_depth": 0}, []),
    ):
        document = {"model": {"head": [64, 32]}}
        put_values(document, params)
        assert document["model"]["head"] == head
    with pytest.raises(
        ValueError, match=r"how wide layer 1 of the head is: give model\.head, or search\.head_width_1"
    ):
        put_values({"model": {"head": []}}, {"head_depth": 2})


def test_hyperparameters_come_by_name_and_after_those_that_they_hang_on() -> None:
    search = make(EVERYTHING).search
    backwards = {name: search[name] for name in sorted(search, reverse=True)}
    order = order_of(backwards)
    assert order == order_of(search)
    free = [name for name in order if not search[name].when]
    assert free == sorted(free)
    assert all(
        order.index(parent) < order.index(name) for name in order for parent in search[name].when or ()
    )


def test_an_option_of_a_model_has_a_name() -> None:
    assert [is_option(name) for name in ("options.a", "options.", "options", "option.a")] == [
        True,
        False,
        False,
        False,
    ]


def test_every_key_of_the_searched_sections_may_be_searched_or_it_is_said_why_not() -> None:
    keys = {
        key
        for section in (ModelSection, TrainingSection, AugmentationSection)
        for key in section.model_fields
    }
    known = SETTINGS.keys() | BUILDING.keys() | NOT_SEARCHED.keys()
    assert keys <= known
    assert known - keys == {"head_depth"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"backbones": {"type": "choice", "values": ["a"]}}, "not a hyperparameter .did you mean backbone"),
    ({"lr": {"type": "float", "low": 1e-4, "high": 1e-2}}, "not a hyperparameter .did you mean learning_rate"),
    ({"learning_rate": [0.1, 0.2]}, r"search.learning_rate should be a range or a choice, such as .*, not \[0.1, 0.2\]"),
    ({"epochs": {"type": "int", "low": 1, "high": 9}}, "search.epochs cannot be searched: the objective already takes"),
    ({"head": {"type": "choice", "values": [512]}}, "with lists"),
    ({"head": {"type": "choice", "values": [[0]]}}, r"search.head holds \[0\]"),
    ({"head_normalization": {"type": "choice", "values": ["yes"]}}, "true and false"),
    ({"image_size": {"type": "choice", "values": [[75, 75, 3]]}}, "height and width"),
    ({"pooling": {"type": "choice", "values": ["mean"]}}, "search.pooling holds mean: input should be 'max' or 'avg'"),
    ({"dropout_rate": {"type": "choice", "values": [[0.1]]}}, "must hold numbers"),
    ({"dropout_rate": {"type": "choice", "values": [True]}}, "must hold numbers"),
    ({"dropout_rate": {"type": "choice", "values": [0.1, 0.1]}}, "must differ"),
    ({"dropout_rate": {"type": "choice", "values": [0.1], "log": True}}, "no order"),
    ({"dropout_rate": {"type": "choice"}}, "has `values`"),
    ({"dropout_rate": {"type": "choice", "values": "many"}}, "must be a list"),
    ({"dropout_rate": {"type": "choice", "values": [{"a": 1}]}}, "numbers, words"),
    ({"dropout_rate": {"type": "choice", "values": [float("nan")]}}, "finite"),
    ({"image_size": {"type": "choice", "values": [[75, None]]}}, "a list among the values holds numbers or words"),
    ({"dropout_rate": {"type": "float", "low": 0, "high": 1}}, "search.dropout_rate holds 1"),
    ({"batch_size": {"type": "choice", "values": [1.5]}}, "whole numbers: it counts images"),
    ({"head_width_0": {"type": "int", "low": 1, "high": 2}}, "not a hyperparameter"),
    ({"head_width_1": {"type": "float", "low": 1, "high": 2}}, 'of type "int"'),
    ({"head_width_1": {"type": "int", "low": 0, "high": 2}}, "between 1 and"),
    ({"head_depth": {"type": "int", "low": 1, "high": 99}}, "20 layers"),
    ({"head_depth": {"type": "int", "low": 1, "high": 2}, "head_width_3": {"type": "int", "low": 4, "high": 8}}, "head_width_3 acts in no trial"),
    ({"head": {"type": "choice", "values": [[1]]}, "head_depth": {"type": "int", "low": 1, "high": 2}}, "do not go with it"),
    ({"batch_size": {"type": "int", "low": 16, "high": 100, "step": 32}}, "the last one below it is 80"),
    ({"batch_size": {"type": "int", "low": 16, "high": 64, "step": 1.5}}, "whole number"),
    ({"batch_size": {"type": "int", "low": 16, "high": 64, "step": 0}}, "above 0"),
    ({"batch_size": {"type": "int", "low": 16, "high": 64, "step": 16, "log": True}}, "exclude each other"),
    ({"options.width": {"type": "int", "low": 1, "high": 2}}, "of an own model"),
    ({**SGD, "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"optimiser": ["sgd"]}}}, "not searched .did you mean optimizer"),
    ({**SGD, "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"opt": ["sgd"]}}}, "not searched .did you mean optimizer"),
    ({"momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"optimizer": ["sgd"]}}}, "not searched .add it"),
    ({**SGD, "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"optimizer": ["rmsprop"]}}}, "which search.optimizer never is"),
    ({**SGD, "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"optimizer": []}}}, "gives no value"),
    ({**SGD, "momentum": {"type": "float", "low": 0, "high": 0.9, "when": ["sgd"]}}, "names hyperparameters"),
    ({"momentum": {"type": "choice", "values": [0.1], "when": {"momentum": [0.1]}}}, "momentum -> momentum"),
    ({"dropout_rate": {"type": "float", "low": 0, "high": 0.5}, "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"dropout_rate": [0.25]}}}, "a range without steps, which hardly ever"),
    ({**SGD, "momentum": {"type": "float", "low": 0, "high": 0.9, "whn": {"optimizer": ["sgd"]}}}, "did you mean search.momentum.when"),
    ({"image_size": {"type": "choice", "values": [224, [224, 224]]}}, "has one size twice"),
    (
        {
            "beta_1": {"type": "choice", "values": [0.1], "when": {"beta_2": [0.2]}},
            "beta_2": {"type": "choice", "values": [0.2], "when": {"epsilon": [0.3]}},
            "epsilon": {"type": "choice", "values": [0.3], "when": {"beta_1": [0.1]}},
        },
        "beta_1 -> beta_2 -> epsilon -> beta_1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("search", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_searched_is_refused_in_words(search: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words) as refused:
        make(search)
    assert "validation error" not in str(refused.value)


def test_labels_to_be_oversampled_must_be_there() -> None:
    searched = {"oversampled": {"type": "choice", "values": [["a"], ["a", "c"]]}}
    assert find_unknown_label(make(searched), ["a", "b"]) == "c"
    assert find_unknown_label(make({}, training={"oversampled": ["b"]}), ["a", "b"]) is None


def test_cmaes_refuses_conditions_and_the_grid_what_cannot_be_listed() -> None:
    search = {**SGD, "momentum": {"type": "float", "low": 0.5, "high": 0.9, "when": {"optimizer": ["sgd"]}}}
    with pytest.raises(SpecError, match=r"cmaes cannot follow search\.momentum\.when"):
        make(search, "cmaes")
    with pytest.raises(SpecError, match="have a `step`"):
        make(search, "grid")
    steps = {**search, "momentum": {**search["momentum"], "step": 0.1}}
    assert make(steps, "grid").point_count == 1 + 5


def test_a_grid_without_end_is_refused() -> None:
    axis = {"type": "int", "low": 1, "high": 1000, "step": 1}
    with pytest.raises(SpecError, match="more than 100,000 cells"):
        make({"batch_size": axis, "patience": axis, "cycle_epochs": axis}, "grid")


def test_lists_are_texts_in_optuna_and_lists_everywhere_else() -> None:
    spec = make({"head": {"type": "choice", "values": [[512], [512, 256]]}, **SGD})
    params = {"head": [512, 256], "optimizer": "sgd"}
    kept = to_optuna(params)
    assert kept == {"head": "[512, 256]", "optimizer": "sgd"}
    assert from_optuna(spec, kept) == params
    assert distributions(spec)["head"].choices == ("[512]", "[512, 256]")  # type: ignore[attr-defined]


def test_set_reaches_every_key_of_a_search() -> None:
    spec = make(EVERYTHING).with_values(
        {
            "search.dropout_rate.high": 0.4,
            "search.head_width_2.when": {"head_depth": [3]},
            "search.batch_size": {"type": "int", "low": 16, "high": 64, "step": 16},
            "search.batch_size.step": 8,
            "model.weights_of.MobileNetV2": "none",
        }
    )
    assert spec.search["dropout_rate"].high == 0.4
    assert spec.search["head_width_2"].when == {"head_depth": (3,)}
    assert spec.search["batch_size"].step == 8
    assert spec.model.weights_of == {"MobileNetV2": "none"}
    for key in ("search.dropout_rate.hihg", "search.nothing.low", "model.head.0", "model.optoins.x", "x.y.z"):
        with pytest.raises(SpecError, match="is not a key"):
            make(EVERYTHING).with_values({key: 1})


def test_own_options_are_searched_by_their_names(tmp_path: Path) -> None:
    own = {"kind": "tiny", "options": {"depth": 2}}
    search = {
        "options": {"width": {"type": "int", "low": 4, "high": 16, "when": {"options": {"depth": [2]}}}, "depth": {"type": "choice", "values": [1, 2]}}
    }  # fmt: skip
    spec = make(search, model=own)
    assert sorted(spec.search) == ["options.depth", "options.width"]
    assert spec.search["options.width"].when == {"options.depth": (2,)}
    (tmp_path / "study.toml").write_text(to_toml(spec))
    assert from_toml(tmp_path / "study.toml") == spec
    assert spec.at({"options.depth": 1}).model.options == {"depth": 1}
    changed = spec.with_values(
        {"search.options.width.high": 8, "search.options.kernel": {"type": "choice", "values": [3, 5]}}
    )
    assert changed.search["options.width"].high == 8
    assert json.loads(changed.to_json())["search"]["options.kernel"]["values"] == [3, 5]


def test_a_spec_without_the_new_keys_is_written_as_before() -> None:
    written = json.loads(make(SGD).to_json())
    assert not {"options", "weights_of", "weights_hashes"} & written["model"].keys()
    assert set(written["search"]["optimizer"]) == {"type", "low", "high", "log", "values"}
