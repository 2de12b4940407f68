"""A study as data: what is searched, on which data, with which model, and how it is judged.

A spec is read from TOML, kept as JSON beside the study, and never holds code. Two specs are the same
study when their `spec_hash` is equal; the place of the data on this machine is not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError, field_validator, model_validator

from storage.errors import SpecError
from storage.metrics.objectives import METRICS, Metric
from storage.pictures.changes import OF_ONE_IMAGE
from storage.pictures.views import collect_views, name_copies
from storage.spec.further import Further, find_further
from storage.spec.hyperparameters import (
    ALWAYS_ACTING,
    NESTED,
    SEARCHABLE,
    SETTINGS,
    WIDTH,
    flatten_search,
    put_values,
)
from storage.spec.messages import describe_problems, unknown_key
from storage.spec.ranges import SearchRange
from storage.spec.search_checks import (
    check_augmentation,
    check_features,
    check_search,
    check_training,
    count_cells,
)
from storage.spec.section import Section, flatten
from storage.spec.sections import (
    AUTO,
    CONTINUOUS_AUGMENTATION,
    OF_COPIES,
    PRUNER_PRESETS,
    AugmentationSection,
    CrossValidationSection,
    DataSection,
    ModelSection,
    PrunerSection,
    SamplerSection,
    StudySection,
    TrainingSection,
)
from storage.tasks.contract import Task
from storage.tasks.kinds import TASKS


class StudySpec(Section):
    """A whole study. Build one with `storage.spec.from_toml`, `from_json` or the functions in `orchestrator.planning.regimes`."""

    study: StudySection
    data: DataSection = DataSection()
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    augmentation: AugmentationSection = AugmentationSection()
    cv: CrossValidationSection = CrossValidationSection()
    search: dict[str, SearchRange] = {}
    sampler: SamplerSection = SamplerSection()
    pruner: PrunerSection = PrunerSection()

    @field_validator("search", mode="before")
    @classmethod
    def _name_options(cls, search: Any) -> Any:
        return flatten_search(search) if isinstance(search, dict) else search

    @model_validator(mode="after")
    def _makes_sense(self) -> StudySpec:
        check_search(self)
        if self.study.also and self.sampler.name == "cmaes":
            raise ValueError(
                "the sampler cmaes has one objective; choose tpe or nsga2, or leave study.also out"
            )
        searched = self.search.keys()
        if not (self.training.oversampled or "oversampled" in searched) and (
            "oversampling" in searched or self.training.oversampling > 1
        ):
            raise ValueError(
                "training.oversampling needs training.oversampled: the labels whose images it repeats"
            )
        self._check_task()
        check_augmentation(self)
        check_training(self)
        if self.model.features:
            check_features(self)
        return self

    def _check_task(self) -> None:
        """Make sure that metric and loss are of what is predicted; from when the data set is known they are written down."""
        task, metric, loss = self.task, self.study.metric, self.training.loss
        if metric != AUTO and self.data.fingerprint and metric not in task.metrics:
            raise ValueError(
                f"study.metric = {metric} is not measured of {task.title} ({', '.join(task.metrics)})"
            )
        for name in self.study.also:
            if name == self.metric.name:
                raise ValueError(f"study.also names {name} again, which is study.metric")
            if find_further(name).is_maximised and self.data.fingerprint and name not in task.metrics:
                raise ValueError(
                    f"study.also = {name} is not measured of {task.title} ({', '.join(task.metrics)})"
                )
        if loss not in (AUTO, *task.losses) and self.data.fingerprint:
            valid = ", ".join((AUTO, *task.losses))
            raise ValueError(f"training.loss = {loss} is no loss of {task.title} ({valid})")
        if "loss" in self.search and self.data.fingerprint:
            if len(task.losses) < 2:
                raise ValueError(f"search.loss means nothing for {task.title}: there is one loss")
            for value in sorted(self.possible("loss", AUTO) - {AUTO, *task.losses}):
                raise ValueError(
                    f"search.loss holds {value}, which is no loss of {task.title} ({', '.join(task.losses)})"
                )
        for key in task.unheeded:
            default = TrainingSection.model_fields[key].default
            if getattr(self.training, key) != default or key in self.search:
                raise ValueError(f"training.{key} means nothing for {task.title}: leave it at {default}")
        if metric == AUTO and self.data.fingerprint:
            study = self.study.model_copy(update={"metric": self._default_metric})
            object.__setattr__(self, "study", study)

    @property
    def metric(self) -> Metric:
        """What the study maximises."""
        name = self.study.metric
        return METRICS[self._default_metric if name == AUTO else name]

    @property
    def task(self) -> Task:
        """What kind of label the study predicts."""
        return TASKS[self.data.task]

    @property
    def loss(self) -> str:
        """What is trained by; empty for a kind of label that has one loss only."""
        losses = self.task.losses
        return self.training.loss if self.training.loss != AUTO else losses[0] if losses else ""

    @property
    def _default_metric(self) -> str:
        return self.task.default_metric(max(len(self.data.targets), 1))

    @property
    def further(self) -> tuple[Further, ...]:
        """What else it is judged by; the metric comes first."""
        return tuple(map(find_further, self.study.also))

    @property
    def point_count(self) -> int:
        """How many points the study plans: every cell of a grid, else `study.trials`."""
        return count_cells(self) if self.sampler.name == "grid" else self.study.trials

    @property
    def fold_count(self) -> int:
        """How many models a trial trains: the folds of all repeats."""
        return 1 if self.cv.is_test else self.cv.folds * self.cv.repeats

    @property
    def fold_plan(self) -> dict[str, Any]:
        """What `storage.data.folds.make_folds` needs beside labels and groups."""
        return {
            "count": self.cv.folds,
            "seed": self.study.seed,
            "repeats": self.cv.repeats,
            "given": self.cv.given,
            **(
                {"outer": (self.cv.outer, self.cv.nested), "is_test": self.cv.is_test}
                if self.cv.outer
                else {}
            ),
            **({"train_percent": self.cv.train_percent} if self.cv.train_percent < 100 else {}),
        }

    @property
    def fold_words(self) -> str:
        """How many folds there are and where they come from, for people."""
        if self.cv.by:
            return f"{self.cv.folds} folds as given by {self.cv.by}"
        if self.cv.is_test:
            return f"outer fold {self.cv.outer} of {self.cv.nested}"
        folds = f"{self.cv.folds} folds"
        return folds if self.cv.repeats == 1 else f"{self.cv.repeats} repeats of {folds}"

    @property
    def all_hyperparameters(self) -> dict[str, float | int | str]:
        """The fixed value of every setting, whether it acts or not."""
        return {name: getattr(getattr(self, section), name) for name, section in SETTINGS.items()}

    @property
    def hyperparameters(self) -> dict[str, float | int | str]:
        """The fixed values that the search leaves alone; options only where they are not their default."""
        return self.fixed_beside(self.search)

    def fixed_beside(self, params: Collection[str]) -> dict[str, float | int | str]:
        """The fixed values that are in effect beside searched ones; options only where they are not their default.

        Args:
            params: names of what a trial searches: under conditions not everything in [search].
        """
        return {
            name: value
            for name, value in self.all_hyperparameters.items()
            if name not in params and (name in ALWAYS_ACTING or value != self._default(name))
        }

    def at(self, params: Mapping[str, Any]) -> StudySpec:
        """The spec of one trial: every searched value in its section, and nothing searched any more."""
        return self._with(params, {})

    def variant(self, params: Mapping[str, Any]) -> StudySpec:
        """The spec of the model and of the inputs that a trial needs; trials with equal ones share them.

        Building keys have the trial's values. Settings, which a trained model takes as inputs, stay searched: but for a
        change of images that does not act in the trial, so that the trial learns from features, and for what kept copies are made by.
        """
        made = OF_COPIES if params.get("copies", self.augmentation.copies) else ()
        building = {name: value for name, value in params.items() if name not in SETTINGS or name in made}
        kept = {
            name: searched
            for name, searched in self.search.items()
            if name in SETTINGS
            and name not in made
            and not (name in CONTINUOUS_AUGMENTATION and self._is_idle(name, params))
        }
        return (
            self
            if len(kept) == len(self.search) and not self.model.weights_of
            else self._with(building, kept)
        )

    def without_head(self) -> StudySpec:
        """This spec with the head of the default: what variants have in common that differ in their head alone."""
        plain = ModelSection()
        head = {name: getattr(plain, name) for name in ("head", "head_normalization")}
        return self.model_copy(update={"model": self.model.model_copy(update=head)})

    def _with(self, params: Mapping[str, Any], search: dict[str, SearchRange]) -> StudySpec:
        sections = {name: dict(getattr(self, name)) for name in ("model", "training", "augmentation")}
        put_values(sections, params)
        made = {name: type(getattr(self, name))(**values) for name, values in sections.items()}
        return self.model_copy(update={**made, "search": search, "sampler": SamplerSection()})

    def _is_idle(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a searched change of images does nothing in a trial, and the spec's own value nothing either."""
        if name in params:
            return self.search[name].type == "choice" and params[name] == 0
        return getattr(self.augmentation, name) == 0

    @property
    def views(self) -> tuple[str, ...]:
        """The flips of each image that trials of the study learn from, or its changed copies; the image itself comes first."""
        words = self.possible("augmentation", self.training.augmentation)
        changes = {name: getattr(self.augmentation, name) for name in OF_ONE_IMAGE}
        if self.augmentation.copies and any(changes.values()):
            return name_copies(self.augmentation.copies, self.study.seed, self.training.augmentation, changes)
        return collect_views(() if self.model.features else words)

    @property
    def uses_features(self) -> bool:
        """Whether all that reaches the head can be computed once and kept, in every trial; otherwise images are trained on."""
        changing = any(
            name in self.search or getattr(self.augmentation, name) > 0 for name in CONTINUOUS_AUGMENTATION
        )
        kinds = self.possible("kind", self.model.kind), self.possible("trainable", self.model.trainable)
        is_kept = all(self.possible("copies", self.augmentation.copies))
        return kinds == ({"transfer"}, {"head"}) and (is_kept or not changing)

    def possible(self, name: str, fixed: Any) -> set[Any]:
        """The values that a key may have in a trial: those listed in the search, of a range its ends, and the fixed one where it may stay."""
        searched = self.search.get(name)
        if searched is None:
            return {fixed}
        ends = (searched.low, searched.high)
        listed = (
            set(searched.values) if searched.values is not None else {end for end in ends if end is not None}
        )
        return listed | {fixed} if searched.when else listed

    @property
    def searches_head(self) -> bool:
        """Whether trials may differ in the widths of their heads."""
        return any(name in ("head", "head_depth") or WIDTH.fullmatch(name) for name in self.search)

    @staticmethod
    def _default(name: str) -> float | int | str:
        section = StudySpec.model_fields[SETTINGS[name]].annotation
        assert section is not None
        value: float | int | str = section.model_fields[name].default
        return value

    def with_values(self, values: dict[str, Any]) -> StudySpec:
        """Return this spec with dotted keys replaced, such as `{"training.epochs": 5}`.

        Raises:
            SpecError: a key does not exist or a value does not fit.
        """
        document = self.model_dump(mode="json")
        document["study"]["metric"] = self.study.metric
        for key, value in values.items():
            path, last = _split_key(key)
            place = _find_place(document, path, last)
            if place is None:
                raise unknown_key(key, valid_keys())
            if key == "pruner.name" and isinstance(value, str) and value in PRUNER_PRESETS:
                place.update(PRUNER_PRESETS[value])
            else:
                place[last] = value
        return parse(document, source="--set")

    def to_json(self) -> str:
        """The canonical text of this spec: sorted keys, no spaces; equal specs give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @property
    def spec_hash(self) -> str:
        """`sha256:` and the digest of the canonical text."""
        return "sha256:" + hashlib.sha256(self.to_json().encode()).hexdigest()


def from_json(text: str) -> StudySpec:
    """Read a spec as it is stored beside a study.

    Raises:
        SpecError: the text was written by an orch with other keys.
    """
    return parse(json.loads(text), source="the stored spec")


def parse(document: dict[str, Any], *, source: str) -> StudySpec:
    """Check plain data and make a spec of it; `source` names it in messages.

    Raises:
        SpecError: names every offending key, and the nearest valid one.
    """
    try:
        return StudySpec.model_validate(document)
    except ValidationError as error:
        problems = describe_problems(error.errors(), valid_keys())
        raise SpecError(
            f"The spec in {source} is not valid: {problems}.",
            next_step="`orch init` writes a spec with every key explained.",
        ) from error


OPEN = {"model": ("options", "weights_of", "weights_hashes"), "training": ("optimizer_options",)}
"""Keys of a section that hold names of their own."""


def differing_keys(one: StudySpec, other: StudySpec) -> list[str]:
    """The dotted keys in which two specs differ, sorted."""
    left, right = flatten(one.model_dump(mode="json")), flatten(other.model_dump(mode="json"))
    return sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))


def valid_keys() -> list[str]:
    """Every dotted key of a spec, for help texts and for naming the nearest one."""
    return [
        f"{name}.{key}"
        for name, field in StudySpec.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        for key in field.annotation.model_fields
    ] + [f"search.{name}" for name in (*SEARCHABLE, "head_width_1", "options.NAME", "optimizer_options.NAME")]


def _split_key(key: str) -> tuple[list[str], str]:
    """The path of a dotted key and its last name; an option of an own model is searched under one name with a dot in it."""
    parts = key.split(".")
    if parts[0] == "search" and parts[1:2] and parts[1] in NESTED and len(parts) > 2:
        parts[1:3] = [f"{parts[1]}.{parts[2]}"]
    return parts[:-1], parts[-1]


def _find_place(document: dict[str, Any], path: list[str], last: str) -> dict[str, Any] | None:
    """Where in a spec a key is set; None where there is no such key."""
    if not path or path[0] not in StudySpec.model_fields:
        return None
    fields: Any = StudySpec.model_fields[path[0]].annotation
    if path[0] == "search":
        if len(path) > 2 or (
            len(path) == 2 and (path[1] not in document["search"] or last not in SearchRange.model_fields)
        ):
            return None
    elif len(path) == 2 and path[1] in OPEN.get(path[0], ()):
        document[path[0]].setdefault(path[1], {})
    elif len(path) > 1 or last not in fields.model_fields:
        return None
    place = document
    for part in path:
        place = place[part]
    return place
