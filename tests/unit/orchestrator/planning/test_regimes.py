import json
from pathlib import Path
from typing import Any, get_args

import pytest

from orchestrator.commands.study.costs import OBJECTIVES
from orchestrator.planning.regimes import build_spec, regime_one, regime_two, tell_defaults
from orchestrator.planning.settings import parse_settings
from orchestrator.studies.best import read_best
from storage.errors import SpecError
from storage.spec import StudySection, parse

BEST: dict[str, Any] = {
    "schema": "orch.best/1",
    "params": {"batch_size": 1599, "dropout_rate": 0.2045},
    "fixed": {"learning_rate": 1e-3, "epsilon": 1e-7, "beta_1": 0.9, "beta_2": 0.999},
    "spec": regime_one("one")
    .with_values({"model.weights": "none", "training.epochs": 7, "data.fingerprint": "sha256:ab"})
    .model_dump(mode="json"),
}


def test_regime_one_is_the_reference_study() -> None:
    spec = regime_one("one")
    assert spec.search["batch_size"].model_dump(exclude_none=True) == {
        "type": "int",
        "low": 16,
        "high": 2048,
        "log": False,
    }
    assert (spec.search["dropout_rate"].low, spec.search["dropout_rate"].high) == (0.0, 0.5)
    assert (spec.study.trials, spec.cv.folds, spec.training.epochs) == (100, 6, 20)
    assert spec.hyperparameters == {"learning_rate": 1e-3, "epsilon": 1e-7, "beta_1": 0.9, "beta_2": 0.999}
    assert (spec.model.backbone, spec.model.pooling, spec.model.head) == (
        "InceptionV3",
        "max",
        (1024, 512, 256),
    )
    assert (spec.study.objective, spec.sampler.name, spec.study.regime) == ("max_of_mean", "random", "I")
    assert spec.model.image_size == (299, 299)


def test_regime_two_keeps_what_regime_one_found() -> None:
    spec = regime_two("two", best=BEST)
    assert spec.point_count == 32
    assert spec.hyperparameters == {
        "batch_size": 1599,
        "dropout_rate": 0.2045,
        "beta_1": 0.9,
        "beta_2": 0.999,
    }
    assert (spec.model.weights, spec.training.epochs, spec.data.fingerprint) == ("none", 7, "sha256:ab")
    assert (spec.study.name, spec.study.regime, spec.study.trials) == ("two", "II", 32)
    assert sorted(spec.search) == ["epsilon", "learning_rate"]


def test_what_the_command_line_says_wins() -> None:
    spec = build_spec("x", regime="I", trials=5, seed=3, pruner="none", settings=["cv.folds=3"])
    assert (spec.study.trials, spec.study.seed, spec.pruner.name, spec.cv.folds) == (5, 3, "none", 3)


def test_a_spec_file_lies_over_the_regime(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('[training]\nepochs = 3\n[search.batch_size]\ntype = "grid"\nvalues = [8, 16]\n')
    spec = build_spec("x", regime="I", spec_file=file)
    assert spec.training.epochs == 3
    assert list(spec.search) == ["batch_size"]
    assert spec.study.name == "x"


def test_a_spec_file_alone_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('[search.dropout_rate]\ntype = "float"\nlow = 0\nhigh = 0.5\n')
    assert build_spec("x", spec_file=file).study.regime == "custom"
    file.write_text('[study]\nregime = "II"\n')
    assert build_spec("x", spec_file=file).point_count == 32


def test_nothing_searched_is_an_error() -> None:
    with pytest.raises(SpecError, match="--regime I or --regime II"):
        build_spec("x")
    with pytest.raises(SpecError, match="Nothing says what this study searches"):
        build_spec("x", best=BEST)


def test_the_size_of_a_grid_is_not_chosen() -> None:
    with pytest.raises(SpecError, match="--trials 10 does not fit a grid of 32 cells") as refused:
        build_spec("x", regime="II", trials=10)
    setting = "search.epsilon.values=[0.1, 1e-08]"
    assert f"--set '{setting}' leaves 8 cells." in str(refused.value)
    assert build_spec("x", regime="II", trials=8, settings=[setting]).study.trials == 8
    with pytest.raises(SpecError, match=r"--set sampler\.name=random\.$"):
        build_spec("x", regime="II", trials=33)
    grid = ['search.learning_rate={type="grid", values=[1, 2]}', 'search.epsilon={type="grid", values=[1]}']
    with pytest.raises(SpecError, match=r"values=\[1\]' leaves 1 cell\.$"):
        build_spec("x", regime="II", trials=1, settings=grid)
    assert build_spec("x", regime="II", trials=32).study.trials == 32


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("model.weights=none", "none"),
        ("model.weights=/a b/w.h5", "/a b/w.h5"),
        ("training.epochs=5", 5),
        ("training.learning_rate=1e-4", 1e-4),
        ("model.image_size=[96, 96]", [96, 96]),
        ('model.weights="x=y"', "x=y"),
        ("model.weights=x=y", "x=y"),
        (
            "search.batch_size={type = 'int', low = 8, high = 9}",
            {"type": "int", "low": 8, "high": 9},
        ),
        ("model.weights=1\nb = 2", "1\nb = 2"),
        ("model.weights=", ""),
    ],
)
def test_a_setting_is_toml_or_a_bare_word(text: str, value: object) -> None:
    assert list(parse_settings([text]).values()) == [value]


def test_one_number_is_a_square_image() -> None:
    spec = regime_one("one")
    assert spec.with_values({"model.image_size": 96}) == spec.with_values({"model.image_size": [96, 96]})


@pytest.mark.parametrize("text", ["training.epochs", "epochs=5", "model.image_size=[96", 'model.weights="x'])
def test_a_setting_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(SpecError):
        parse_settings([text])


def test_a_misspelt_key_names_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"training\.epochs"):
        build_spec("x", regime="I", settings=["training.epoch=5"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a best.json"),
        ('{"schema": "orch.best/1"}', "incomplete"),
        (json.dumps({**BEST, "params": {"colour": 1}}), "colour"),
    ],
)
def test_a_best_json_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "best.json"
    file.write_text(content)
    with pytest.raises(SpecError, match=message):
        read_best(file)


def test_a_best_json_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_best(tmp_path / "best.json")


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("cv", "folds", "many", "cv.folds should be a whole number, not 'many'."),
        ("cv", "folds", 2.5, "cv.folds should be a whole number, not 2.5."),
        ("cv", "folds", 1, "cv.folds should be greater than or equal to 2, not 1."),
        ("study", "objective", "best", "should be 'max_of_mean', 'mean_of_max' or 'last', not 'best'."),
        ("search", "batch_size", 16, "search.batch_size should be a range or a choice, such as "),
        ("training", "learning_rate", "fast", "training.learning_rate should be a number, not 'fast'."),
    ],
)
def test_a_value_of_a_wrong_kind_is_named_in_plain_words(
    section: str, key: str, value: object, told: str
) -> None:
    document = {"study": {"name": "x"}}
    document.setdefault(section, {})[key] = value  # type: ignore[assignment]
    with pytest.raises(SpecError) as caught:
        parse(document, source="--set")
    assert told in caught.value.what


def test_every_objective_is_said_in_words() -> None:
    assert set(OBJECTIVES) == set(get_args(StudySection.model_fields["objective"].annotation))


def test_regime_two_names_only_the_defaults_that_were_left(tmp_path: Path) -> None:
    def tell(*settings: str, spec_file: Path | None = None) -> str | None:
        spec = build_spec("two", regime="II", spec_file=spec_file, settings=list(settings))
        return tell_defaults(spec, None, spec_file, list(settings))

    assert "batch size 128 and dropout rate 0 are defaults" in str(tell())
    assert "dropout rate 0 is a default" in str(tell("training.batch_size=1600"))
    assert "1600" not in str(tell("training.batch_size=1600"))
    assert tell("training.batch_size=1600", "model.dropout_rate=0.2") is None
    (tmp_path / "study.toml").write_text("[training]\nbatch_size = 1600\n")
    assert "dropout rate 0 is a default" in str(tell(spec_file=tmp_path / "study.toml"))
    assert tell_defaults(regime_one("one"), None, None, None) is None
    assert tell_defaults(regime_two("two"), {"params": {}}, None, None) is None
