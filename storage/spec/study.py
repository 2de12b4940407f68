"""A study as data: what is searched, on which data, with which model, and how it is judged.

A spec is read from TOML, kept as JSON beside the study, and never holds code. Two specs are the same
study when their `spec_hash` is equal; the place of the data on this machine is not part of it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ValidationError, model_validator

from storage.errors import SpecError
from storage.metrics.objectives import METRICS, Metric
from storage.spec.messages import describe_problem, name_nearest, unknown_key
from storage.spec.sections import (
    ALWAYS_ACTING,
    CONTINUOUS_AUGMENTATION,
    PRUNER_PRESETS,
    SEARCHABLE,
    TEXTS,
    WHOLE_NUMBERS,
    AugmentationSection,
    CrossValidationSection,
    DataSection,
    ModelSection,
    PrunerSection,
    SamplerSection,
    SearchRange,
    Section,
    StudySection,
    TrainingSection,
)


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

    @model_validator(mode="after")
    def _makes_sense(self) -> StudySpec:
        for name, searched in self.search.items():
            if name not in SEARCHABLE:
                raise ValueError(f"search.{name} is not a hyperparameter{name_nearest(name, SEARCHABLE)}")
            check_kind_of_values(name, searched)
            if self.sampler.name == "grid" and searched.type != "grid":
                raise ValueError(f'search.{name} must be of type "grid" for the grid sampler')
            ends = searched.values or (searched.low, searched.high)
            for end in ends:
                section = type(getattr(self, SEARCHABLE[name]))
                section(**{name: int(end) if name in WHOLE_NUMBERS else end})  # type: ignore[arg-type]
        if not self.training.oversampled and (
            "oversampling" in self.search or self.training.oversampling > 1
        ):
            raise ValueError(
                "training.oversampling needs training.oversampled: the labels whose images it repeats"
            )
        if (self.sampler.name == "listed") != bool(self.sampler.points):
            raise ValueError('sampler.points and the sampler "listed" go together')
        if any(listed.keys() != self.search.keys() for listed in self.sampler.points):
            raise ValueError("every one of sampler.points must name exactly what [search] names")
        if self.sampler.name == "grid" and not self.search:
            raise ValueError("the grid sampler needs a [search] section with at least one grid")
        return self

    @property
    def metric(self) -> Metric:
        """What the study maximises."""
        return METRICS[self.study.metric]

    @property
    def point_count(self) -> int:
        """How many points the study plans: every cell of a grid, else `study.trials`."""
        if self.sampler.name != "grid":
            return self.study.trials
        count = 1
        for searched in self.search.values():
            count *= len(searched.values or ())
        return count

    @property
    def all_hyperparameters(self) -> dict[str, float | int | str]:
        """The fixed value of every searchable hyperparameter, whether it acts or not."""
        return {name: getattr(getattr(self, section), name) for name, section in SEARCHABLE.items()}

    @property
    def hyperparameters(self) -> dict[str, float | int | str]:
        """The fixed values that the search leaves alone; options only where they are not their default."""
        return {
            name: value
            for name, value in self.all_hyperparameters.items()
            if name not in self.search and (name in ALWAYS_ACTING or value != self._default(name))
        }

    @property
    def flips(self) -> bool:
        """Whether any point of the study flips its training images."""
        searched = self.search.get("augmentation")
        return "flip" in (searched.values or () if searched else (self.training.augmentation,))

    @property
    def uses_features(self) -> bool:
        """Whether all that reaches the head can be computed once and kept; otherwise images are trained on."""
        changing = any(
            name in self.search or getattr(self.augmentation, name) > 0 for name in CONTINUOUS_AUGMENTATION
        )
        return self.model.has_fixed_backbone and not changing

    @staticmethod
    def _default(name: str) -> float | int | str:
        section = StudySpec.model_fields[SEARCHABLE[name]].annotation
        assert section is not None
        value: float | int | str = section.model_fields[name].default
        return value

    def with_values(self, values: dict[str, Any]) -> StudySpec:
        """Return this spec with dotted keys replaced, such as `{"training.epochs": 5}`.

        Raises:
            SpecError: a key does not exist or a value does not fit.
        """
        document = self.model_dump(mode="json")
        for key, value in values.items():
            *path, last = key.split(".")
            place: Any = document
            for part in path:
                if not isinstance(place, dict) or part not in place:
                    raise unknown_key(key, valid_keys())
                place = place[part]
            if not path or not isinstance(place, dict) or (last not in place and path != ["search"]):
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
        valid = valid_keys()
        problems = "; ".join(describe_problem(problem, valid) for problem in error.errors())
        raise SpecError(
            f"The spec in {source} is not valid: {problems}.",
            next_step="`orch init` writes a spec with every key explained.",
        ) from error


def check_kind_of_values(name: str, searched: SearchRange) -> None:
    """Make sure that a search holds what the hyperparameter is made of: numbers, whole numbers or words.

    Raises:
        ValueError: says what it must be.
    """
    if name in TEXTS:
        if not all(isinstance(value, str) for value in searched.values or (0,)):
            raise ValueError(f'search.{name} must be of type "grid" with texts')
        return
    if any(isinstance(value, str) for value in searched.values or ()):
        raise ValueError(f"search.{name} must hold numbers")
    if name not in WHOLE_NUMBERS:
        return
    counted = "images" if name == "batch_size" else "epochs"
    if searched.type == "float":
        raise ValueError(f'search.{name} must be of type "int" or "grid": it counts {counted}')
    if any(value != int(value) for value in searched.values or ()):
        raise ValueError(f"search.{name} must hold whole numbers: it counts {counted}")


def differing_keys(one: StudySpec, other: StudySpec) -> list[str]:
    """The dotted keys in which two specs differ, sorted."""
    left, right = _flatten(one.model_dump(mode="json")), _flatten(other.model_dump(mode="json"))
    return sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))


def valid_keys() -> list[str]:
    """Every dotted key of a spec, for help texts and for naming the nearest one."""
    return [
        f"{name}.{key}"
        for name, field in StudySpec.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        for key in field.annotation.model_fields
    ] + [f"search.{name}" for name in SEARCHABLE]


def _flatten(document: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(document, dict):
        return {prefix: document}
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat.update(_flatten(value, f"{prefix}.{key}" if prefix else key))
    return flat
