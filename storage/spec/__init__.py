"""A study as data: its sections, its checks, its TOML. What others use of it is imported from here.

- `conditions`: Ranges that hang on each other: which of them act in a trial, in what order they are drawn, and the valid cells of a grid
- `distributions`: The search section of a spec in Optuna's words
- `further`: What else a study may be judged by besides its metric: further metrics, training time, model size; and which trials are on the front
- `guesses`: Hyperparameters that a person chose for one trial: whether the study searches them, and what fills the gaps
- `hyperparameters`: Which keys of a spec may be searched, in which section each stands, and how a trial's values are put there
- `messages`: What is said of a spec that is not valid: which key, what it should be, and the nearest valid one
- `packed_folds`: The fold of each image as a short text, so that a spec has the folds that somebody gave with it
- `ranges`: One searched hyperparameter: a range, a grid, or a choice, and what it hangs on
- `search_checks`: What a [search] section must be: known names, values that their sections take, and conditions that can hold
- `section`: What every section of a spec is: frozen, without unknown keys, and written so that the hash of an older spec stays
- `sections`: The sections of a study spec: each hyperparameter and setting, its type, its limits and its default
- `study`: A study as data: what is searched, on which data, with which model, and how it is judged
- `toml`: A study spec as a TOML file: read, and written so that it reads back equal
- `variants`: The different models and inputs that the trials of a study need: what is extracted, built and kept for each of them
"""

from storage.spec.conditions import acts, frozen, has_conditions, keep_acting, list_cells, order_of
from storage.spec.further import PARAMETERS, SECONDS, Further, find_front, find_further
from storage.spec.guesses import (
    check_values,
    complete_values,
    describe_range,
    describe_when,
    find_missing,
    require_whole,
)
from storage.spec.hyperparameters import (
    BUILDING,
    CLIPS,
    FUSED,
    IDLE_WITHOUT,
    KERAS_OPTIMIZERS,
    NOT_SEARCHED,
    SEARCHABLE,
    SETTINGS,
    TEXTS,
    WHOLE_NUMBERS,
    choose_options,
    is_known,
    is_option,
    is_whole,
    put_values,
)
from storage.spec.packed_folds import pack_folds, unpack_folds
from storage.spec.ranges import SearchRange, axis, plain
from storage.spec.search_checks import find_unknown_label
from storage.spec.sections import (
    CONTINUOUS_AUGMENTATION,
    PRUNER_PRESETS,
    AugmentationSection,
    CrossValidationSection,
    DataSection,
    ModelSection,
    Precision,
    PrunerRule,
    PrunerSection,
    SamplerSection,
    StudySection,
    TrainingSection,
)
from storage.spec.study import StudySpec, differing_keys, from_json, parse, valid_keys
from storage.spec.toml import from_toml, read_toml, to_toml
from storage.spec.variants import Variant, has_variants, list_variants, name_inputs, name_variant

__all__ = [
    "BUILDING",
    "CLIPS",
    "CONTINUOUS_AUGMENTATION",
    "FUSED",
    "IDLE_WITHOUT",
    "KERAS_OPTIMIZERS",
    "NOT_SEARCHED",
    "PARAMETERS",
    "PRUNER_PRESETS",
    "SEARCHABLE",
    "SECONDS",
    "SETTINGS",
    "TEXTS",
    "WHOLE_NUMBERS",
    "AugmentationSection",
    "CrossValidationSection",
    "DataSection",
    "Further",
    "ModelSection",
    "Precision",
    "PrunerRule",
    "PrunerSection",
    "SamplerSection",
    "SearchRange",
    "StudySection",
    "StudySpec",
    "TrainingSection",
    "Variant",
    "acts",
    "axis",
    "check_values",
    "choose_options",
    "complete_values",
    "describe_range",
    "describe_when",
    "differing_keys",
    "find_front",
    "find_further",
    "find_missing",
    "find_unknown_label",
    "from_json",
    "from_toml",
    "frozen",
    "has_conditions",
    "has_variants",
    "is_known",
    "is_option",
    "is_whole",
    "keep_acting",
    "list_cells",
    "list_variants",
    "name_inputs",
    "name_variant",
    "order_of",
    "pack_folds",
    "parse",
    "plain",
    "put_values",
    "read_toml",
    "require_whole",
    "to_toml",
    "unpack_folds",
    "valid_keys",
]
