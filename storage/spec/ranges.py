"""One searched hyperparameter: a range, a grid, or a choice, and what it hangs on."""

from __future__ import annotations

import json
import math
from typing import Any, Literal, TypeAlias

from pydantic import (
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)

from storage.spec.conditions import frozen
from storage.spec.hyperparameters import TEXTS, flatten_search, is_option, is_whole
from storage.spec.section import Section
from storage.wording import show_value

Value: TypeAlias = Any
"""A number, a word, true or false, or a flat list of these."""

LARGEST_AXIS = 10_000
"""Values of one axis of a grid."""


class SearchRange(Section):
    """One searched hyperparameter: a range (`low`, `high`, perhaps `log` or `step`), or a list of `values`.

    Attributes:
        type: "int" and "float" are ranges; "grid" is a list of numbers or of words, "choice" one of anything, without an order.
        low, high: the ends, both included.
        log: drawn evenly on a logarithmic scale.
        values: of a grid or a choice.
        step: between two values of a range, from `low` on.
        when: it acts only where each of these other hyperparameters has one of the values given; always where None.
    """

    later = frozenset({"step", "when"})

    type: Literal["int", "float", "grid", "choice"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    values: tuple[float | str, ...] | None = None
    step: float | None = None
    when: dict[str, tuple[Value, ...]] | None = None

    @field_validator("values", mode="wrap")
    @classmethod
    def _keep_choices(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: Any) -> Any:
        if info.data.get("type") != "choice" or value is None:
            return handler(value)
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list")
        return tuple(_check_value(one) for one in value)

    @field_serializer("values", mode="wrap")
    def _write_values(self, value: Any, handler: SerializerFunctionWrapHandler) -> Any:
        if self.type != "choice" or value is None:
            return handler(value)
        return [list(one) if isinstance(one, tuple) else one for one in value]

    @field_validator("when", mode="before")
    @classmethod
    def _read_when(cls, value: Any) -> Any:
        if value is None or value == {}:
            return None
        if not isinstance(value, dict):
            raise ValueError('names hyperparameters and their values, as in when = { optimizer = ["sgd"] }')
        read = {}
        for name, allowed in flatten_search(value).items():
            listed = allowed if isinstance(allowed, list | tuple) else [allowed]
            if not listed:
                raise ValueError(f"gives no value for {name}")
            read[str(name)] = tuple(_check_value(one) for one in listed)
        return read

    @model_validator(mode="after")
    def _is_one_kind(self) -> SearchRange:
        if self.type in ("grid", "choice"):
            self._check_list()
            return self
        if self.values is not None or self.low is None or self.high is None:
            raise ValueError(f'a range of type "{self.type}" has `low` and `high` and no `values`')
        if self.low > self.high:
            raise ValueError(f"`low` ({self.low:g}) is above `high` ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError("`low` of a range with `log` must be above 0")
        if self.type == "int" and (self.low != int(self.low) or self.high != int(self.high)):
            raise ValueError('`low` and `high` of type "int" must be whole numbers')
        if self.step is not None:
            self._check_step(self.low, self.high, self.step)
        return self

    def _check_list(self) -> None:
        if not self.values or self.low is not None or self.high is not None or self.step is not None:
            raise ValueError(f'a "{self.type}" has `values` (at least one) and neither `low` nor `high`')
        if len({_name(value) for value in self.values}) != len(self.values):
            raise ValueError(f"`values` of a {self.type} must differ from each other")
        if self.type == "choice":
            if self.log:
                raise ValueError("the `values` of a choice have no order, and so no `log`")
            return
        texts = sum(isinstance(value, str) for value in self.values)
        if texts and (self.log or texts < len(self.values)):
            raise ValueError("`values` of a grid are all numbers or all texts, and texts have no `log`")
        if self.log and min(float(value) for value in self.values) <= 0:
            raise ValueError("`values` of a grid with `log` must be above 0")

    def _check_step(self, low: float, high: float, step: float) -> None:
        if step <= 0:
            raise ValueError("`step` must be above 0")
        if self.type == "int" and step != int(step):
            raise ValueError('`step` of type "int" must be a whole number')
        if self.log:
            raise ValueError(
                "`log` and `step` exclude each other: equal steps are not even on a logarithmic scale; "
                'list the values instead, as in {type="grid", log=true, values=[16, 32, 64]}'
            )
        count = round((high - low) / step, 9)
        if count != int(count):
            last = low + math.floor(count) * step
            raise ValueError(
                f"`high` ({high:g}) is not `low` ({low:g}) and a whole number of steps of {step:g}; the last one below it is {last:g}"
            )

    def may_be(self, value: Any) -> bool:
        """Whether it can have this value."""
        if self.values is not None:
            return frozen(value) in {frozen(one) for one in self.values}
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        assert self.low is not None
        assert self.high is not None
        if not self.low <= value <= self.high or (self.type == "int" and value != int(value)):
            return False
        if self.step is None:
            return True
        steps = round((value - self.low) / self.step, 9)
        return steps == int(steps)

    @property
    def is_continuous(self) -> bool:
        """Whether it has endless values between two ends, so that none of them ever occurs twice."""
        return self.type == "float" and self.step is None and self.low != self.high

    @property
    def steps(self) -> list[float] | None:
        """Every value of a range with a `step`; None where they cannot be listed."""
        if self.step is None or self.low is None or self.high is None:
            return None
        count = round((self.high - self.low) / self.step)
        if count >= LARGEST_AXIS:
            return None
        # Optuna rounds so, too: 0.1 + 2 * 0.1 is to be 0.3.
        return [round(self.low + place * self.step, 12) for place in range(count + 1)]

    def describe(self) -> str:
        """What is searched, for people: "[16, 2048] log", "{adam, sgd}", "[0.5, 0.99], when optimizer is sgd"."""
        if self.values is not None:
            text = "{" + ", ".join(show_value(value) for value in self.values) + "}"
        else:
            text = f"[{self.low:g}, {self.high:g}]" + (f" in steps of {self.step:g}" if self.step else "")
        text += " log" if self.log else ""
        return text + self.describe_when()

    def describe_when(self) -> str:
        """The condition, for people, from a comma on; empty where there is none."""
        parts = [
            f"{name} is {' or '.join(show_value(value) for value in allowed)}"
            for name, allowed in (self.when or {}).items()
        ]
        return f", when {' and '.join(parts)}" if parts else ""


def axis(name: str, searched: SearchRange) -> list[Any]:
    """The values of one axis of a grid, as a trial has them: lists as lists, whole numbers where something is counted."""
    values = searched.values if searched.values is not None else searched.steps or ()
    if searched.type == "int":
        return [int(value) for value in values]
    return [number(name, value) if searched.type != "choice" else plain(value) for value in values]


def number(name: str, value: Any) -> Any:
    """A value of a grid as a trial has it."""
    if isinstance(value, str) or name in TEXTS:
        return value
    whole = is_whole(name) or (is_option(name) and float(value).is_integer())
    return int(value) if whole else float(value)


def plain(value: Any) -> Any:
    """A value of a choice as a trial has it, and as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _name(value: Any) -> tuple[bool, str]:
    """Distinguishes values as Optuna's record does, where a list is a text."""
    return isinstance(value, bool), json.dumps(value) if isinstance(value, list | tuple) else str(value)


def _check_value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if not all(isinstance(item, bool | int | float | str) for item in value):
            raise ValueError("a list among the values holds numbers or words")
        return tuple(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("values must be finite numbers")
    if not isinstance(value, bool | int | float | str):
        raise ValueError("values are numbers, words, true or false, or lists of these")
    return value
