"""What a spec can say of training options, and what it means for the rest of a study."""

import itertools
import re
import shlex

import pytest

from orchestrator.planning.plan import plan_points
from orchestrator.planning.protocols import PROTOCOLS, build_protocol
from orchestrator.planning.review import describe_model
from orchestrator.planning.settings import read_spec
from storage.errors import SpecError, UsageError
from storage.pictures.changes import CHANGES
from storage.pictures.views import VIEWS
from storage.spec import AugmentationSection, StudySpec, list_variants, parse
from storage.spec.distributions import distributions
from tests.conftest import REPOSITORY


def make(search: dict | None = None, **sections: dict) -> StudySpec:
    return parse({"study": {"name": "x", "trials": 6}, "search": search or {}, **sections}, source="a test")


def test_words_are_searched_as_a_grid() -> None:
    search = {
        "optimizer": {"type": "grid", "values": ["adam", "sgd"]},
        "augmentation": {"type": "grid", "values": ["none", "flip"]},
    }
    points = plan_points(make(search, sampler={"name": "grid"}))
    assert len({tuple(point.items()) for point in points if point}) == 4
    drawn = [point["optimizer"] for point in plan_points(make(search)) if point]
    assert set(drawn) == {"adam", "sgd"}
    assert distributions(make(search))["optimizer"].choices == ("adam", "sgd")


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"optimizer": {"type": "grid", "values": ["adam", "adagard"]}}, "adam.*sgd.*adamw"),
        ({"optimizer": {"type": "float", "low": 0, "high": 1}}, "with texts"),
        ({"momentum": {"type": "grid", "values": ["much"]}}, "must hold numbers"),
        ({"momentum": {"type": "grid", "values": ["0.5", 0.9]}}, "all numbers or all texts"),
        ({"cycle_epochs": {"type": "float", "low": 1, "high": 5}}, "counts epochs"),
        ({"oversampling": {"type": "float", "low": 1, "high": 5}}, "training.oversampled"),
        ({"shift": {"type": "float", "low": 0, "high": 2}}, "less than 1"),
    ],
)
def test_what_makes_no_sense_is_refused(search: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make(search)


def test_what_cannot_be_kept_takes_the_image_path() -> None:
    assert make().uses_features
    assert make(training={"optimizer": "sgd", "positive_weight": "balanced"}).uses_features
    assert not make(model={"kind": "lenet"}).uses_features
    assert not make(model={"trainable": "all"}).uses_features
    assert not make(augmentation={"rotation": 5}).uses_features
    assert not make({"zoom": {"type": "float", "low": 0, "high": 0.2}}).uses_features


def test_flips_are_extracted_when_any_point_flips() -> None:
    assert make().views == VIEWS
    assert make(training={"augmentation": "none"}).views == VIEWS[:1]
    assert make({"augmentation": {"type": "grid", "values": ["none", "flip"]}}).views == VIEWS
    assert make(training={"augmentation": "vertical"}).views == ("identity", "vertical")
    both = {"augmentation": {"type": "choice", "values": ["vertical", "horizontal"]}}
    assert make(both).views == ("identity", "horizontal", "vertical")


def test_options_are_recorded_where_they_act() -> None:
    assert "momentum" not in make().hyperparameters
    assert make(training={"momentum": 0.5}).hyperparameters["momentum"] == 0.5
    assert "optimizer" not in make({"optimizer": {"type": "grid", "values": ["adam", "sgd"]}}).hyperparameters
    assert make().all_hyperparameters["momentum"] == 0.9


def test_a_sobol_sequence_is_even_and_does_not_depend_on_its_length() -> None:
    search = {
        "dropout_rate": {"type": "float", "low": 0, "high": 0.5},
        "batch_size": {"type": "int", "low": 16, "high": 2048},
    }
    spec = make(search, sampler={"name": "qmc"}).with_values({"study.trials": 64})
    points = plan_points(spec)
    eighths = [int(point["dropout_rate"] / 0.5 * 8) for point in points if point]
    assert [eighths.count(place) for place in range(8)] == [8] * 8
    assert plan_points(spec.with_values({"study.trials": 10})) == points[:10]
    assert plan_points(spec.with_values({"study.seed": 1})) != points


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_samplers_that_learn_fill_points_later(sampler: str) -> None:
    search = {"dropout_rate": {"type": "float", "low": 0, "high": 0.5}}
    assert plan_points(make(search, sampler={"name": sampler})) == [None] * 6


@pytest.mark.parametrize("protocol", sorted(set(PROTOCOLS) - {"radimagenet"}))
def test_a_protocol_is_one_point_of_ten_folds(protocol: str) -> None:
    spec = build_protocol("baseline", protocol)
    assert plan_points(spec) == [{}]
    assert (spec.cv.folds, spec.training.epochs, spec.pruner.name) == (10, 50, "none")
    assert spec.uses_features == (protocol == "imagenet")


def test_the_protocols_differ_in_their_model() -> None:
    assert build_protocol("x", "lenet").model.kind == "lenet"
    trained = build_protocol("x", "end-to-end").model
    assert (trained.backbone, trained.weights, trained.trainable) == ("InceptionV3", "none", "all")
    assert build_protocol("x", "imagenet").model.weights == "imagenet"
    vertebral = build_protocol("x", "vertebral", settings=["training.rate_schedule=sgdr"])
    assert (vertebral.model.image_size, vertebral.training.rate_schedule) == ((600, 360), "sgdr")
    assert vertebral.augmentation.rotation == 30


def test_radimagenet_needs_its_file() -> None:
    with pytest.raises(SpecError, match=r"--set model\.weights="):
        build_protocol("x", "radimagenet")
    assert build_protocol("x", "radimagenet", settings=["model.weights=rad.h5"]).model.weights == "rad.h5"


def test_a_protocol_stands_alone() -> None:
    with pytest.raises(UsageError, match="--protocol goes without"):
        build_protocol("x", "lenet", alone=False)


@pytest.mark.parametrize(
    ("task", "refused"),
    [
        ("labels", ()),
        ("two-classes", ()),
        ("classes", ()),
        ("ordered", ("mixup", "cutmix")),
        ("number", ("cutmix",)),
    ],
)
def test_images_are_mixed_where_the_kind_of_label_allows_it(task: str, refused: tuple[str, ...]) -> None:
    data = {"task": task, "fingerprint": "sha256:1", "targets": ["a", "b"]}
    for name in ("mixup", "cutmix"):
        searched = {name: {"type": "float", "low": 0.0, "high": 1.0}}
        for sections in ({"augmentation": {name: 0.2}}, {"search": searched}):
            if name in refused:
                with pytest.raises(SpecError, match=f"augmentation.{name} does not go with"):
                    make(data=data, **sections)
            else:
                assert not make(data=data, **sections).uses_features


COPIES = {"copies": 5, "rotation": 10.0}


def test_copies_that_are_kept_make_one_set_of_features_for_each_augmentation() -> None:
    spec = make(augmentation=COPIES)
    assert spec.uses_features
    assert "5 changed copies of each image" in describe_model(spec)
    assert "in their own shape" in describe_model(make(model={"resize": "pad"}))
    assert len(spec.views) == 6
    assert spec.views[0] == "identity"
    assert spec.views != make(augmentation={**COPIES, "rotation": 11.0}).views
    assert spec.views != make(augmentation=COPIES, training={"augmentation": "none"}).views
    assert not make(augmentation={"rotation": 10.0}).uses_features
    searched = make(
        {
            "rotation": {"type": "choice", "values": [0.0, 10.0]},
            "augmentation": {"type": "choice", "values": ["none", "flip"]},
            "batch_size": {"type": "int", "low": 8, "high": 64},
        },
        augmentation={"copies": 5},
    )
    found = list_variants(searched)
    assert len(found) == len({variant.inputs for variant in found}) == 4
    assert sorted(len(variant.spec.views) for variant in found) == [1, 4, 6, 6]
    assert all(
        variant.spec.uses_features and list(variant.spec.search) == ["batch_size"] for variant in found
    )
    # Whether copies are kept can be searched, too: without them such a trial learns from images.
    either = make({"copies": {"type": "choice", "values": [0, 5]}}, augmentation={"rotation": 10.0})
    assert sorted(variant.spec.uses_features for variant in list_variants(either)) == [False, True]


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"augmentation": {"copies": 5}}, "nothing in .augmentation. changes them"),
        ({"augmentation": {**COPIES, "mixup": 0.2}}, "mixup mixes others"),
        ({"augmentation": COPIES, "model": {"trainable": "all"}}, "only a frozen backbone"),
        ({"augmentation": COPIES, "model": {"kind": "lenet"}}, "only a frozen backbone"),
        (
            {"augmentation": COPIES, "search": {"zoom": {"type": "float", "low": 0.0, "high": 0.2}}},
            "a set of features for each value of search.zoom",
        ),
    ],
)
def test_copies_are_refused_where_they_mean_nothing(sections: dict, why: str) -> None:
    with pytest.raises(SpecError, match=f"augmentation.copies .*{why}"):
        make(**sections)


def test_every_study_in_the_docs_of_augmentation_is_one() -> None:
    """With the settings of each command, on a data set of labels side by side."""
    page = (REPOSITORY / "docs" / "augmentation.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^    orch (?:study create|data preview) .*", page, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        words = shlex.split(command)
        settings = [after for word, after in itertools.pairwise(words) if word == "--set"]
        spec = read_spec(None, settings, name="x")
        assert spec.augmentation != AugmentationSection() or "resize" in spec.search
    table = re.findall(r"^\| `(\w+)` \| [^|]+\| ([^|]+) \|", page, re.MULTILINE)
    assert [name for name, _ in table] == list(CHANGES)
    for name, drawn in table:
        assert drawn.startswith(CHANGES[name].drawn)
