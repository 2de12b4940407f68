"""Hyperparameters that a model of the user's own declares, filled into a spec when a study is created."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from storage.errors import ModelError, SpecError
from workers.models.own import BUILT_IN, list_own_models, load_builder
from workers.models.own_options import Option, check_searched, complete_options, read_options

if TYPE_CHECKING:
    from storage.spec import StudySpec

DECLARED = "declared"
"""In the place of a range: the range that the model declares."""


def fill_in_options(spec: StudySpec) -> StudySpec:
    """Return the spec with a value for every hyperparameter that its model declares: a later version may have other defaults.

    A model that is not installed on this machine is left to the workers.

    Raises:
        ModelError: the model declares them wrongly.
        SpecError: what is set or searched is not declared, or lies outside of what is.
    """
    kind = spec.model.kind
    if kind in BUILT_IN or "kind" in spec.search or kind not in list_own_models():
        return spec
    declared = _read(kind)
    check_searched(spec, declared)
    options = complete_options(spec.model.options, declared, kind)
    return spec.with_values({"model.options": options}) if options else spec


def missing_models(spec: StudySpec) -> list[str]:
    """Warn of models of the user's own that are not installed on this machine: they may be misspelt."""
    missing = sorted(spec.possible("kind", spec.model.kind) - {*BUILT_IN, *list_own_models()})
    return [
        f"No model {kind!r} is installed on this machine (entry points orch.models), so it could not be looked at. Workers need it."
        for kind in missing
    ]


def fill_in_declared(
    document: dict[str, Any], values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put the declared range in the place of each `search.options.NAME = "declared"`.

    Args:
        document: a spec as plain data.
        values: dotted keys that are set on top of it.

    Returns:
        Both, changed.

    Raises:
        ModelError: the model is not installed here.
        SpecError: it declares no such hyperparameter.
    """
    search = document.get("search", {})
    inside = search.get("options", {}) if isinstance(search, dict) else {}
    named = (
        {name: f"search.options.{name}" for name, one in inside.items() if one == DECLARED}
        if isinstance(inside, dict)
        else {}
    )
    named |= {
        key.rpartition(".")[2]: key
        for key, one in values.items()
        if one == DECLARED and key.startswith("search.options.")
    }
    if not named:
        return document, dict(values)
    model = document.get("model", {})
    kind = str(
        values.get("model.kind", model.get("kind", "transfer") if isinstance(model, dict) else "transfer")
    )
    if kind in BUILT_IN:
        raise SpecError(
            f"search.options.{next(iter(named))} is declared by no model: model.kind is {kind!r}.",
            next_step="Name your own model: --set model.kind=NAME (docs/own-model.md).",
        )
    declared = _read(kind)
    # The same message as for a value of what is not declared.
    complete_options(
        {name: declared[name].default if name in declared else 0 for name in named}, declared, kind
    )
    ranges = {name: declared[name].range.model_dump(mode="json", exclude_none=True) for name in named}
    filled = (
        {
            **document,
            "search": {
                **search,
                "options": {**inside, **{name: ranges[name] for name in named if name in inside}},
            },
        }
        if inside
        else document
    )
    return filled, {
        key: ranges[key.rpartition(".")[2]] if one == DECLARED and key.startswith("search.options.") else one
        for key, one in values.items()
    }


def _read(kind: str) -> dict[str, Option]:
    try:
        return read_options(load_builder(kind), kind)
    except ModelError as error:
        if isinstance(error.__cause__, ImportError):
            raise ModelError(
                f"The model {kind!r} cannot be imported on this machine: {error.__cause__}.",
                next_step="Create the study where its package and Keras are installed.",
            ) from error
        raise
