"""The sections of a study spec: each hyperparameter and setting, its type, its limits and its default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """One frozen section; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StudySection(Section):
    """What the study is called, how many points it has, and what counts as its value."""

    name: str = Field(min_length=1, max_length=200)
    regime: Literal["I", "II", "custom"] = "custom"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1337
    trials: Annotated[int, Field(ge=1, le=100_000)] = 100
    objective: Literal["max_of_mean", "mean_of_max", "last"] = "max_of_mean"
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    lease_seconds: Annotated[int, Field(ge=5, le=86_400)] = 60


class DataSection(Section):
    """Which data set, known by its fingerprint, and which of its labels count in the objective."""

    fingerprint: str = ""
    targets: tuple[str, ...] = ()


class ModelSection(Section):
    """The frozen backbone that makes the features, and the head that is trained on them."""

    backbone: str = "InceptionV3"
    weights: str = "imagenet"
    weights_sha256: str = ""
    weights_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    image_size: tuple[Count, Count] = (299, 299)
    pooling: Literal["max", "avg"] = "max"
    scale: Literal["auto", "none", "standardize"] = "auto"
    extraction_batch: Count = 32
    head: tuple[Count, ...] = (1024, 512, 256)
    dropout_rate: Fraction = 0.0

    @property
    def standardizes(self) -> bool:
        """Whether features are standardised on each fold's training part ("auto": for random weights)."""
        return self.scale == "standardize" or (self.scale == "auto" and self.weights == "none")


class TrainingSection(Section):
    """How one fold is trained. Adam as in Kingma and Ba (2015), Algorithm 1, with Keras's epsilon."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    batch_size: Count = 128
    learning_rate: Positive = 1e-3
    epsilon: Positive = 1e-7
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    augmentation: Literal["none", "flip"] = "flip"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: Count = 2


class CrossValidationSection(Section):
    """How many folds, and in which order they are trained."""

    folds: Annotated[int, Field(ge=2, le=100)] = 6
    schedule: Literal["auto", "lockstep", "sequential"] = "auto"


class SearchRange(Section):
    """One searched hyperparameter: a range (`low`, `high`, perhaps `log`) or a list of `values`."""

    type: Literal["int", "float", "grid"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    values: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> SearchRange:
        if self.type == "grid":
            if not self.values or self.low is not None or self.high is not None:
                raise ValueError('a "grid" has `values` (at least one) and neither `low` nor `high`')
            if len(set(self.values)) != len(self.values):
                raise ValueError("`values` of a grid must differ from each other")
            if self.log and min(self.values) <= 0:
                raise ValueError("`values` of a grid with `log` must be above 0")
            return self
        if self.values is not None or self.low is None or self.high is None:
            raise ValueError(f'a range of type "{self.type}" has `low` and `high` and no `values`')
        if self.low > self.high:
            raise ValueError(f"`low` ({self.low:g}) is above `high` ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError("`low` of a range with `log` must be above 0")
        if self.type == "int" and (self.low != int(self.low) or self.high != int(self.high)):
            raise ValueError('`low` and `high` of type "int" must be whole numbers')
        return self


class SamplerSection(Section):
    """Which Optuna sampler draws the points."""

    name: Literal["random", "grid", "tpe"] = "random"


class PrunerSection(Section):
    """Which rule stops a weak trial, always judged on last values (Li et al. 2018 for halving)."""

    name: Literal["halving", "none"] = "halving"
    min_resource: Count = 4
    reduction_factor: Annotated[int, Field(ge=2, le=100)] = 2


SEARCHABLE: dict[str, str] = {
    "batch_size": "training",
    "learning_rate": "training",
    "epsilon": "training",
    "beta_1": "training",
    "beta_2": "training",
    "dropout_rate": "model",
}
"""Hyperparameters that a search may vary, and the section that holds the fixed value of each."""

WHOLE_NUMBERS = frozenset({"batch_size"})
