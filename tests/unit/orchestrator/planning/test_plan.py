import itertools
from pathlib import Path

import pytest

from orchestrator.planning.estimate import BACKBONES
from orchestrator.planning.plan import fold_epochs, plan_points, share_of_equal_batches, short_last_batch
from orchestrator.planning.regimes import regime_one, regime_two
from orchestrator.planning.review import (
    describe_model,
    describe_pruner,
    fill_in_data,
    review_study,
)
from storage.errors import SpecError
from storage.spec import StudySpec, parse
from storage.spec.distributions import distributions
from tests.labelled_studies import make_dataset
from workers.models.backbones import list_backbones

SEARCH = {"dropout_rate": {"type": "float", "low": 0, "high": 0.5}}


def spec_of(**sections: object) -> StudySpec:
    return parse({"study": {"name": "s", "trials": 10}, **sections}, source="test")


def test_random_points_are_distinct_and_in_range() -> None:
    points = plan_points(regime_one("one"))
    assert len(points) == 100
    assert len({tuple(sorted(point.items())) for point in points}) == 100
    assert all(list(point) == ["batch_size", "dropout_rate"] for point in points)
    assert all(isinstance(point["batch_size"], int) and 16 <= point["batch_size"] <= 2048 for point in points)
    assert all(0 <= point["dropout_rate"] <= 0.5 for point in points)


def test_random_points_fill_the_range() -> None:
    sizes = [point["batch_size"] for point in plan_points(regime_one("one"))]
    assert min(sizes) < 16 + 0.1 * 2032
    assert max(sizes) > 2048 - 0.1 * 2032


def test_a_random_point_depends_on_the_study_seed_and_its_number_alone() -> None:
    whole = plan_points(regime_one("one"))
    assert plan_points(regime_one("another")) == whole
    assert plan_points(regime_one("one").with_values({"study.trials": 7})) == whole[:7]
    other = plan_points(regime_one("one").with_values({"study.seed": 1338}))
    assert not any(left == right for left, right in zip(whole, other, strict=True))


def test_the_order_of_the_search_section_changes_nothing() -> None:
    search = {
        "dropout_rate": {"type": "float", "low": 0, "high": 0.5},
        "batch_size": {"type": "int", "low": 16, "high": 2048},
    }
    swapped = dict(reversed(search.items()))
    assert plan_points(spec_of(search=search)) == plan_points(spec_of(search=swapped))


def test_the_grid_covers_each_of_32_cells_exactly_once() -> None:
    points = plan_points(regime_two("two"))
    cells = [(point["learning_rate"], point["epsilon"]) for point in points]
    expected = set(itertools.product((1e-1, 1e-2, 1e-3, 1e-4), (float(f"1e-{n}") for n in range(1, 9))))
    assert len(cells) == 32
    assert set(cells) == expected


def test_the_grid_is_the_same_again_and_shuffled_by_the_seed() -> None:
    assert plan_points(regime_two("two")) == plan_points(regime_two("two"))
    assert plan_points(regime_two("two")) != plan_points(regime_two("two").with_values({"study.seed": 1}))


def test_a_grid_over_batch_sizes_holds_whole_numbers() -> None:
    spec = spec_of(
        search={
            "batch_size": {"type": "grid", "values": [16, 64]},
            "dropout_rate": {"type": "grid", "values": [0.0, 0.2]},
        },
        sampler={"name": "grid"},
    )
    points = plan_points(spec)
    assert sorted((p["batch_size"], p["dropout_rate"]) for p in points) == [
        (16, 0.0),
        (16, 0.2),
        (64, 0.0),
        (64, 0.2),
    ]
    assert all(type(point["batch_size"]) is int for point in points)


def test_a_random_draw_from_a_list_stays_on_the_list() -> None:
    spec = spec_of(search={"learning_rate": {"type": "grid", "values": [0.1, 0.001]}})
    assert {point["learning_rate"] for point in plan_points(spec)} == {0.1, 0.001}


def test_tpe_points_have_no_parameters_yet() -> None:
    assert plan_points(regime_one("one").with_values({"sampler.name": "tpe"})) == [None] * 100


def test_a_grid_is_drawn_on_a_proper_axis() -> None:
    found = distributions(regime_two("two"))
    assert list(found) == ["epsilon", "learning_rate"]
    assert (found["learning_rate"].low, found["learning_rate"].high) == (1e-4, 1e-1)
    assert found["learning_rate"].log


def test_fold_epochs_of_the_reference_study() -> None:
    assert fold_epochs(regime_one("one")) == 12_000
    assert fold_epochs(regime_two("two")) == 3_840


@pytest.mark.parametrize(
    ("search", "n_train", "share"),
    [
        ({"type": "int", "low": 16, "high": 2048}, 435, (2048 - 435 + 1) / 2033),
        ({"type": "int", "low": 16, "high": 2048}, 2048, 0.0),
        ({"type": "int", "low": 16, "high": 2048}, 10, 1.0),
        ({"type": "grid", "values": [16, 64, 500, 1000]}, 435, 0.5),
    ],
)
def test_share_of_equal_batches(search: dict[str, object], n_train: int, share: float) -> None:
    assert share_of_equal_batches(spec_of(search={"batch_size": search}), n_train) == pytest.approx(share)


def test_share_of_equal_batches_on_a_log_scale_is_what_optuna_draws() -> None:
    spec = spec_of(
        study={"name": "s", "trials": 1500},
        search={"batch_size": {"type": "int", "low": 16, "high": 2048, "log": True}},
    )
    drawn = [point["batch_size"] >= 435 for point in plan_points(spec)]
    assert share_of_equal_batches(spec, 435) == pytest.approx(sum(drawn) / len(drawn), abs=0.04)


def test_no_search_over_batch_sizes_has_no_equal_ones() -> None:
    assert share_of_equal_batches(regime_two("two"), 10) == 0.0


@pytest.mark.parametrize(
    ("batch_size", "sizes", "left"),
    [(64, [129, 200], 1), (64, [128, 192], None), (64, [150, 160], None), (500, [435], None), (5, [9], None)],
)
def test_short_last_batch(batch_size: int, sizes: list[int], left: int | None) -> None:
    assert short_last_batch(batch_size, sizes) == left


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({}, "InceptionV3, weights imagenet, 299 x 299 pixels; head 1024-512-256, only the head is trained"),
        (
            {
                "backbone": "VGG16",
                "weights": "none",
                "image_size": [96, 64],
                "trainable": "all",
                "head": [32],
            },
            "VGG16, weights none (random), 96 x 64 pixels; head 32, all of it is trained",
        ),
        (
            {"extraction_precision": "bfloat16", "head": [32]},
            "InceptionV3, weights imagenet, 299 x 299 pixels; head 32, only the head is trained; features in bfloat16",
        ),
        ({"kind": "lenet", "trainable": "all"}, "LeNet, 299 x 299 pixels"),
        ({"kind": "mine", "trainable": "all"}, "mine, 299 x 299 pixels"),
    ],
)
def test_what_is_trained_is_said(model: dict[str, object], words: str) -> None:
    assert describe_model(spec_of(search=SEARCH, model=model)) == words


@pytest.mark.parametrize(
    ("pruner", "words"),
    [
        ({}, "careful (the rule 'forecast')"),
        ({"name": "fast"}, "fast (the rule 'forecast')"),
        ({"name": "halving"}, "halving"),
        ({"name": "forecast", "confidence": 3.0}, "forecast, with settings of this study's own"),
        ({"name": "none"}, "none: every trial is trained to its end"),
    ],
)
def test_the_rule_that_stops_trials_is_named(pruner: dict[str, object], words: str) -> None:
    assert describe_pruner(spec_of(search=SEARCH, pruner=pruner)) == words


def test_the_cost_of_every_backbone_of_keras_is_known() -> None:
    assert set(list_backbones()) == set(BACKBONES)
    assert all(features >= 512 and cost > 0 for features, cost in BACKBONES.values())


def test_a_search_that_changes_nothing_is_refused_before_the_study_is_made(tmp_path: Path) -> None:
    lenet = spec_of(search=SEARCH, model={"kind": "lenet"})
    dataset = make_dataset(tmp_path / "data", patients=12, targets=1)
    planned = fill_in_data(lenet, dataset)
    with pytest.raises(SpecError, match="LeNet has no dropout"):
        review_study(planned, plan_points(planned), dataset)
