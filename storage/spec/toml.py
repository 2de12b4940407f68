"""A study spec as a TOML file: read, and written so that it reads back equal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from storage.errors import SpecError
from storage.parsing import LARGEST_TOML, parse_toml, read_regular
from storage.spec.hyperparameters import NESTED
from storage.spec.study import StudySpec, parse

BARE = re.compile(r"[A-Za-z0-9_-]+")
"""Names that TOML takes without quotes."""


def from_toml(path: Path) -> StudySpec:
    """Read a spec file.

    Raises:
        SpecError: the file is missing, is no TOML, or does not describe a study.
    """
    return parse(read_toml(path), source=str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as plain data.

    Raises:
        SpecError: the file is missing or is no TOML.
    """
    try:
        return parse_toml(read_regular(path, LARGEST_TOML))
    except OSError as error:
        raise SpecError(
            f"The spec file {path} cannot be read: {error.strerror}.",
            next_step="`orch init` writes one to start from.",
        ) from error
    except ValueError as error:
        raise SpecError(f"The spec file {path} is not valid TOML: {error}.") from error


def to_toml(spec: StudySpec) -> str:
    """Return a spec as a TOML file that `--spec` reads back to an equal spec."""
    lines: list[str] = []
    for name, section in spec.model_dump(mode="json").items():
        if name == "search":
            for key, searched in sorted(section.items()):
                lines += [f"[search.{_toml_table(key)}]", *_toml_pairs(searched), ""]
        else:
            lines += [f"[{name}]", *_toml_pairs(section), ""]
    return "\n".join(lines)


def _toml_pairs(section: dict[str, Any]) -> list[str]:
    # JSON's texts, numbers, booleans and flat lists are TOML too; a None has no place in TOML.
    return [f"{key} = {_toml_value(value)}" for key, value in section.items() if value is not None]


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(key)} = {_toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return _toml_text(value)


def _toml_key(key: str) -> str:
    return key if BARE.fullmatch(key) else _toml_text(key)


def _toml_table(name: str) -> str:
    """The table of a searched hyperparameter: that of an own model's stands in `search.options`."""
    table, dot, option = name.partition(".")
    return f"{table}.{_toml_key(option)}" if dot and table in NESTED else _toml_key(name)


def _toml_text(value: Any) -> str:
    # TOML refuses one control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
