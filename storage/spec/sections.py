"""The sections of a study spec: each hyperparameter and setting, its type, its limits and its default."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, field_serializer, field_validator, model_validator

from storage.metrics.objectives import AUC, find_metric
from storage.pictures.changes import CHANGES, MOST_COPIES, YOUNG
from storage.pictures.fitting import STRETCH, Resize
from storage.spec.further import find_further
from storage.spec.hyperparameters import OptimizerName
from storage.spec.packed_folds import MOST_FOLDS, unpack_folds
from storage.spec.section import Section
from storage.tasks.kinds import LABELS, find_task

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
Exponent = Annotated[float, Field(ge=0.0, le=20.0)]
Precision = Literal["float32", "tf32", "bfloat16"]
"""Of products: "tf32" is float32 with 10 bits of mantissa inside of products, as NVIDIA's tensor cores compute them."""


AUTO = "auto"
"""What follows from the data set."""


class StudySection(Section):
    """What the study is called, how many points it has, and what counts as its value.

    Attributes:
        also: further objectives, of which `metric` is the first: see `storage.spec.further`.
        part_of: the uuid of the study that this one is a part of; written by orch (`storage.growth.parts`).
    """

    later = frozenset({"also", "part_of"})

    name: str = Field(min_length=1, max_length=200)
    regime: Literal["I", "II", "custom"] = "custom"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1337
    trials: Annotated[int, Field(ge=1, le=100_000)] = 100
    metric: str = AUTO
    objective: Literal["max_of_mean", "mean_of_max", "last"] = "max_of_mean"
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    lease_seconds: Annotated[int, Field(ge=5, le=86_400)] = 60
    repeats_of: str = ""
    part_of: str = ""
    also: tuple[str, ...] = ()

    @field_validator("metric")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return value if value == AUTO else find_metric(value).name

    def __eq__(self, other: object) -> bool:
        """Whether both are written alike."""
        return isinstance(other, StudySection) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        """Equal sections have equal names."""
        return hash(self.name)

    @field_serializer("metric")
    def _write_down(self, value: str) -> str:
        """A spec that has no data set yet is written as one of labels, as ever."""
        return AUC.name if value == AUTO else value

    @model_validator(mode="after")
    def _has_further(self) -> StudySection:
        for name in self.also:
            find_further(name)
        if len(set(self.also)) < len(self.also):
            raise ValueError("`also` names each further objective once")
        return self


class DataSection(Section):
    """Which data set, known by its fingerprint, which of its labels count in the objective, and what kind they are of."""

    later = frozenset({"task"})

    fingerprint: str = ""
    targets: tuple[str, ...] = ()
    task: str = LABELS

    @field_validator("task")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return find_task(value).name


class ModelSection(Section):
    """The model: a backbone and the head on its pooled features, LeNet, or one of the user's own by name.

    Attributes:
        backbone: a name in `keras.applications`, or a preset of KerasHub, whose name stands in `weights`, too, when the study is created.
        weights_of: weights by backbone, where a search varies the backbone; `weights` for every other.
        weights_hashes: the SHA-256 of each weights file, where several are named; filled in when a study is created.
        options: values of hyperparameters that an own model declares.
        features: name of features from elsewhere, in the dataset folder, that take the place of the backbone's; "" for none.
        features_sha256, features_width: of their values, and how many an image has; filled in when a study is created.
    """

    later = frozenset(
        {"weights_of", "weights_hashes", "options", "features", "features_sha256", "features_width", "resize"}
    )

    kind: str = Field(default="transfer", min_length=1)
    trainable: str = Field(default="head", min_length=1)
    backbone: str = "InceptionV3"
    weights: str = "imagenet"
    weights_sha256: str = ""
    weights_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    image_size: tuple[Count, Count] = (299, 299)
    resize: Resize = STRETCH
    pooling: Literal["max", "avg"] = "max"
    scale: Literal["auto", "none", "standardize"] = "auto"
    extraction_batch: Count = 32
    extraction_precision: Precision = "float32"
    head: tuple[Count, ...] = (1024, 512, 256)
    head_normalization: bool = False
    dropout_rate: Fraction = 0.0
    weights_of: dict[str, str] = {}
    weights_hashes: dict[str, str] = {}
    features: str = ""
    features_sha256: str = ""
    features_width: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    options: dict[str, int | float | str | bool | tuple[int | float | str | bool, ...]] = {}

    @field_validator("image_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        sides = (value, value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(sides, list | tuple) or len(sides) != 2:
            raise ValueError("give height and width in pixels, as in [299, 299], or one number for a square")
        return sides

    @property
    def has_fixed_backbone(self) -> bool:
        """Whether only a head is trained, so that what the backbone makes of an image never changes."""
        return self.kind == "transfer" and self.trainable == "head"

    @property
    def is_preset(self) -> bool:
        """Whether the backbone is a preset of KerasHub, which brings its own weights."""
        return not self.features and self.weights == self.backbone

    @property
    def backbone_name(self) -> str:
        """The backbone, for people: of a preset in a folder the folder's own name, since it may lie under somebody's name."""
        return self.backbone if "://" in self.backbone else self.backbone.rpartition("/")[2]

    @property
    def standardizes(self) -> bool:
        """Whether features are standardised on each fold's training part ("auto": random weights, presets, features from elsewhere)."""
        is_unknown = self.weights == "none" or bool(self.features) or self.is_preset
        return self.scale == "standardize" or (self.scale == "auto" and is_unknown)


class TrainingSection(Section):
    """How one fold is trained: optimizer, loss, batches, rate schedule and early stopping.

    Attributes:
        optimizer_options: keys of an optimizer of Keras; what is not named has Keras's default.
        warmup_epochs, lowest_rate: the rate rises in the first, and "cosine" ends at this share of it.
        clipnorm, global_clipnorm, clipvalue, use_ema, ema_momentum: as Keras names them; 0 clips nothing.
        focal_gamma, focal_alpha: of "focal" loss (Lin et al. 2017), where an alpha of 0 weighs no side; the next three of "asymmetric" (Ridnik et al. 2021).
        soft_labels: teach the share of an image's readers who said yes, where the data set has it; metrics are of the labels.
    """

    later = frozenset(
        {"loss", "focal_gamma", "focal_alpha", "gamma_positive", "gamma_negative", "probability_margin"}
        | {"optimizer_options", "warmup_epochs", "lowest_rate", "use_ema", "ema_momentum"}
        | {"clipnorm", "global_clipnorm", "clipvalue", "soft_labels"}
    )

    loss: Literal["auto", "cross_entropy", "focal", "asymmetric", "squared", "absolute", "huber"] = "auto"
    focal_gamma: Exponent = 2.0
    focal_alpha: Fraction = 0.0
    gamma_positive: Exponent = 1.0
    gamma_negative: Exponent = 4.0
    probability_margin: Fraction = 0.05

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    batch_size: Count = 128
    optimizer: OptimizerName = "adam"
    optimizer_options: dict[str, float | int | bool] = {}
    learning_rate: Positive = 1e-3
    epsilon: Positive = 1e-7
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    momentum: Fraction = 0.9
    weight_decay: NotNegative = 0.004
    clipnorm: NotNegative = 0.0
    global_clipnorm: NotNegative = 0.0
    clipvalue: NotNegative = 0.0
    use_ema: bool = False
    ema_momentum: Fraction = 0.99
    rate_schedule: Literal["constant", "sgdr", "cosine"] = "constant"
    warmup_epochs: Annotated[int, Field(ge=0, le=10_000)] = 0
    lowest_rate: Fraction = 0.0
    cycle_epochs: Count = 10
    cycle_growth: Annotated[float, Field(ge=1.0, le=100.0)] = 2.0
    cycles: Annotated[int, Field(ge=0, le=10_000)] = 0
    patience: Annotated[int, Field(ge=0, le=10_000)] = 0
    label_smoothing: Fraction = 0.0
    soft_labels: bool = False
    positive_weight: Literal["none", "balanced"] = "none"
    oversampling: Annotated[float, Field(ge=1.0, le=1000.0)] = 1.0
    oversampled: tuple[str, ...] = ()
    augmentation: Literal["none", "flip", "horizontal", "vertical"] = "flip"
    precision: Precision = "float32"
    threads: Count = 2


def _limits(name: str) -> Any:
    change = CHANGES[name]
    return Field(ge=0.0, lt=change.highest) if change.is_open else Field(ge=0.0, le=change.highest)


class AugmentationSection(Section):
    """Random changes of training images beside flips; 0 is none. `storage.pictures.changes.CHANGES` says what each of them is.

    Attributes:
        copies: with a frozen backbone, how many changed copies of each image are drawn once and kept as features, of which every
            epoch draws one; 0 changes images in every epoch.
    """

    later = YOUNG | {"copies"}

    rotation: Annotated[float, _limits("rotation")] = 0.0
    zoom: Annotated[float, _limits("zoom")] = 0.0
    shift: Annotated[float, _limits("shift")] = 0.0
    shear: Annotated[float, _limits("shear")] = 0.0
    channel_shift: Annotated[float, _limits("channel_shift")] = 0.0
    crop: Annotated[float, _limits("crop")] = 0.0
    brightness: Annotated[float, _limits("brightness")] = 0.0
    contrast: Annotated[float, _limits("contrast")] = 0.0
    gamma: Annotated[float, _limits("gamma")] = 0.0
    blur: Annotated[float, _limits("blur")] = 0.0
    noise: Annotated[float, _limits("noise")] = 0.0
    cutout: Annotated[float, _limits("cutout")] = 0.0
    mixup: Annotated[float, _limits("mixup")] = 0.0
    cutmix: Annotated[float, _limits("cutmix")] = 0.0
    copies: Annotated[int, Field(ge=0, le=MOST_COPIES)] = 0


class CrossValidationSection(Section):
    """How many folds, how they are made, and in which order they are trained.

    Attributes:
        repeats: the k folds are drawn so many times, each time otherwise.
        by: what gives the folds instead: a column of the labels file, "site", or a file splits_final.json; "" for stratified folds.
        assigned: what `by` gave when the study was made; written by orch.
        repeats_of_winner: the winner is evaluated again so many times when the last trial is finished, each time with other folds and
            seeds; None where nobody said, which for a study that is there means not at all.
        nested: how many outer folds a nested cross-validation has: the whole search is made in each; 0 is none.
        outer: the outer fold, from 1, whose images a search leaves out; 0 for a study of all images. Written by orch.
        train_percent: the percentage of the patients of each training part that are trained on. Written by orch.
        is_test: train on all images of the search, and judge on the outer fold. Written by orch.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {"repeats", "by", "assigned", "repeats_of_winner", "nested", "outer", "is_test", "train_percent"}
    )

    folds: Annotated[int, Field(ge=2, le=100)] = 6
    schedule: Literal["auto", "lockstep", "sequential"] = "auto"
    repeats: Annotated[int, Field(ge=1, le=50)] = 1
    by: str = ""
    assigned: str = ""
    repeats_of_winner: Annotated[int, Field(ge=0, le=20)] | None = None
    nested: Annotated[int, Field(ge=0, le=20)] = 0
    outer: Annotated[int, Field(ge=0, le=20)] = 0
    is_test: bool = False
    train_percent: Annotated[int, Field(ge=1, le=100)] = 100

    @model_validator(mode="after")
    def _is_one_kind(self) -> CrossValidationSection:
        if self.by and self.repeats > 1:
            raise ValueError(
                "cv.repeats draws other folds each time, and cv.by gives the folds: leave one of them out"
            )
        if self.folds * self.repeats > MOST_FOLDS:
            raise ValueError(
                f"{self.repeats} repeats of {self.folds} folds are more than {MOST_FOLDS} models for each trial"
            )
        again = self.repeats_of_winner or 0
        if not self.by and self.folds * self.repeats * again > MOST_FOLDS:
            raise ValueError(
                f"cv.repeats_of_winner = {again} trains {self.folds * self.repeats * again} models for the winner, and the "
                f"most is {MOST_FOLDS}: choose fewer"
            )
        if self.nested == 1:
            raise ValueError("cv.nested needs at least 2 outer folds; 0 is none")
        if self.nested and self.by:
            raise ValueError(
                "cv.nested draws folds within each outer fold, and cv.by gives the folds: leave one of them out"
            )
        if self.outer > self.nested or (self.is_test and not self.outer):
            raise ValueError("cv.outer and cv.is_test are written by orch; leave them out")
        if self.assigned and not self.by:
            raise ValueError("cv.assigned is what cv.by gave, and there is no cv.by")
        return self

    @field_validator("assigned")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if value:
            unpack_folds(value)
        return value

    @property
    def given(self) -> list[int] | None:
        """The fold that each development image validates in, in the order of the data set; None where orch makes the folds."""
        return unpack_folds(self.assigned) if self.assigned else None


class SamplerSection(Section):
    """Which Optuna sampler draws the points; "listed" takes them from `points`, again and again."""

    name: Literal["random", "grid", "qmc", "tpe", "cmaes", "nsga2", "listed"] = "random"
    points: tuple[dict[str, int | float | str | bool | tuple[int | float | str | bool, ...]], ...] = ()


PrunerRule = Literal["forecast", "paired", "halving", "median", "race", "none"]
PRUNER_PRESETS: dict[str, dict[str, str | int | float]] = {
    "careful": {"name": "forecast", "warmup_steps": 1, "reduction_factor": 2, "confidence": 2.0, "confidence_growth": 0.0, "prior_sd": 0.01},
    "fast": {"name": "forecast", "warmup_steps": 0, "reduction_factor": 2, "confidence": 2.0, "confidence_growth": 0.5, "prior_sd": 0.01},
    "halving": {"name": "halving", "min_resource": 4, "reduction_factor": 2},
    "median": {"name": "median", "warmup_steps": 5},
    "paired": {"name": "paired", "warmup_steps": 1, "reduction_factor": 3, "confidence": 2.0, "remaining_gain": 0.0, "prior_sd": 0.02},
    "race": {"name": "race", "confidence": 1.0, "remaining_gain": 0.5, "prior_sd": 0.02},
}  # fmt: skip
"""Settings that a name stands for until keys beside it say otherwise; docs/pruning-evidence.md says what they save and lose.
A spec holds what they stand for."""


class PrunerSection(Section):
    """Which rule stops a weak trial; a rule reads only its own keys. `workers.pruning.rules` has the formulas.

    `prior_sd` is in units of the metric times `unit`, which follows from the data set: the spread of a number for an error in it.
    """

    later = frozenset({"unit"})

    name: PrunerRule = "forecast"
    min_resource: Count = 4
    reduction_factor: Annotated[int, Field(ge=2, le=100)] = 2
    startup_trials: Annotated[int, Field(ge=0, le=10_000)] = 5
    warmup_steps: Annotated[int, Field(ge=0, le=10_000)] = 1
    confidence: Annotated[float, Field(ge=0.0, le=100.0)] = 2.0
    confidence_growth: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    remaining_gain: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    prior_sd: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    unit: Positive = 1.0

    @property
    def spread(self) -> float:
        """The prior of the spread in units of the metric."""
        return self.prior_sd * self.unit

    @model_validator(mode="before")
    @classmethod
    def _spell_out_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and str(values.get("name")) in PRUNER_PRESETS:
            given = {key: value for key, value in values.items() if key != "name"}
            return {**PRUNER_PRESETS[values["name"]], **given}
        return values

    @field_validator("name", mode="before")
    @classmethod
    def _know_name(cls, value: Any) -> Any:
        known = [*PRUNER_PRESETS, *(rule for rule in get_args(PrunerRule) if rule not in PRUNER_PRESETS)]
        if value not in known:
            near = difflib.get_close_matches(str(value), known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"{value!r} is not one of {', '.join(known)}{hint}")
        return value


CONTINUOUS_AUGMENTATION = tuple(CHANGES)
"""Changes with more outcomes than can be computed once and kept."""

OF_COPIES = (*CONTINUOUS_AUGMENTATION, "augmentation")
"""What copies that are kept are made by."""
