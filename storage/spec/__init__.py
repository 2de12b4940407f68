"""A study as data: its sections, its checks, its TOML. What others use of it is imported from here.

- `distributions`: The search section of a spec in Optuna's words
- `messages`: What is said of a spec that is not valid: which key, what it should be, and the nearest valid one
- `sections`: The sections of a study spec: each hyperparameter and setting, its type, its limits and its default
- `study`: A study as data: what is searched, on which data, with which model, and how it is judged
- `toml`: A study spec as a TOML file: read, and written so that it reads back equal
"""

from storage.spec.sections import (
    CONTINUOUS_AUGMENTATION,
    PRUNER_PRESETS,
    SEARCHABLE,
    TEXTS,
    WHOLE_NUMBERS,
    AugmentationSection,
    CrossValidationSection,
    DataSection,
    ModelSection,
    Precision,
    PrunerRule,
    PrunerSection,
    SamplerSection,
    SearchRange,
    StudySection,
    TrainingSection,
)
from storage.spec.study import StudySpec, differing_keys, from_json, parse, valid_keys
from storage.spec.toml import from_toml, read_toml, to_toml

__all__ = [
    "CONTINUOUS_AUGMENTATION",
    "PRUNER_PRESETS",
    "SEARCHABLE",
    "TEXTS",
    "WHOLE_NUMBERS",
    "AugmentationSection",
    "CrossValidationSection",
    "DataSection",
    "ModelSection",
    "Precision",
    "PrunerRule",
    "PrunerSection",
    "SamplerSection",
    "SearchRange",
    "StudySection",
    "StudySpec",
    "TrainingSection",
    "differing_keys",
    "from_json",
    "from_toml",
    "parse",
    "read_toml",
    "to_toml",
    "valid_keys",
]
