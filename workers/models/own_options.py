"""Hyperparameters that a model of the user's own declares beside its builder: their ranges, their defaults, and what a spec may say of them.

def build_tiny(settings, target_count): ...

build_tiny.options = {"width": {"type": "int", "low": 4, "high": 64, "default": 8}}
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from storage.errors import ModelError, SpecError
from storage.spec import SearchRange, is_option, plain
from storage.wording import show_value

if TYPE_CHECKING:
    from storage.spec import ModelSection, StudySpec

PREFIX = "options."


@dataclass(frozen=True)
class Option:
    """One declared hyperparameter: what it may be, and what it is where nothing is said."""

    range: SearchRange
    default: object


def read_options(builder: object, kind: str) -> dict[str, Option]:
    """The hyperparameters that a builder declares in its attribute `options`; none without it.

    Args:
        builder: what the entry point names.
        kind: its name, for messages.

    Raises:
        ModelError: the declaration is not a range with a default that lies in it.
    """
    declared = getattr(builder, "options", None)
    if declared is None:
        return {}
    if not isinstance(declared, Mapping):
        raise _wrong(kind, "it is no dictionary of names")
    found = {}
    for name, one in declared.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise _wrong(kind, f"{name!r} is no name")
        if not isinstance(one, Mapping) or "default" not in one or "when" in one:
            raise _wrong(kind, f"{name} must have a range and a `default`, and no `when`")
        try:
            searched = SearchRange.model_validate(
                {key: value for key, value in one.items() if key != "default"}
            )
        except ValidationError as error:
            reason = str(error.errors()[0]["msg"])
            raise _wrong(kind, f"{name}: {reason.removeprefix('Value error, ')}") from error
        if not searched.may_be(one["default"]):
            raise _wrong(
                kind, f"{name} has the default {show_value(one['default'])}, which its range does not have"
            )
        found[name] = Option(searched, one["default"])
    return found


def complete_options(
    given: Mapping[str, object], declared: Mapping[str, Option], kind: str
) -> dict[str, object]:
    """The value of every declared hyperparameter: what is given, else its default.

    Raises:
        SpecError: one that is not declared, or a value outside of its range.
    """
    for name, value in given.items():
        option = _find(name, declared, kind)
        if not option.range.may_be(value):
            raise SpecError(
                f"model.options.{name} = {show_value(value)} is not in {option.range.describe()}, which the model {kind!r} declares."
            )
    return {name: plain(given.get(name, option.default)) for name, option in declared.items()}


def check_searched(spec: StudySpec, declared: Mapping[str, Option]) -> None:
    """Make sure that a search of declared hyperparameters stays within their ranges.

    Raises:
        SpecError: names what is not declared, or lies outside.
    """
    for name, searched in spec.search.items():
        if not is_option(name):
            continue
        option = _find(name.removeprefix(PREFIX), declared, spec.model.kind)
        ends = searched.values if searched.values is not None else (searched.low, searched.high)
        outside = [value for value in ends if not option.range.may_be(value)]
        if outside or (searched.type == "float" and option.range.type == "int"):
            raise SpecError(
                f"search.{name} {searched.describe()} is not within {option.range.describe()}, which the model {spec.model.kind!r} declares."
            )


def with_options(model: ModelSection, builder: object) -> ModelSection:
    """The [model] section that a builder is handed: with a value for each hyperparameter that it declares.

    Raises:
        ModelError, SpecError: as `read_options` and `complete_options`.
    """
    declared = read_options(builder, model.kind)
    return model.model_copy(update={"options": complete_options(model.options, declared, model.kind)})


def _find(name: str, declared: Mapping[str, Option], kind: str) -> Option:
    if name not in declared:
        near = difflib.get_close_matches(name, declared, n=1, cutoff=0.4)
        others = f"It declares {', '.join(sorted(declared))}." if declared else "It declares none."
        raise SpecError(
            f"The model {kind!r} declares no hyperparameter {name!r}.",
            next_step=f"Did you mean {near[0]}?" if near else others,
        )
    return declared[name]


def _wrong(kind: str, what: str) -> ModelError:
    return ModelError(
        f"The model {kind!r} declares its hyperparameters wrongly: {what}.",
        next_step='Beside the builder: build.options = {"width": {"type": "int", "low": 4, "high": 64, "default": 8}}.',
    )
