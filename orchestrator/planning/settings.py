"""`--set section.key=value`: one value of a spec, from the command line."""

from __future__ import annotations

from typing import Any

from storage import parsing
from storage.errors import SpecError


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Read `section.key=value` texts; a value is TOML, and a bare word is a string.

    Raises:
        SpecError: a text has no `=`, or a value begins like TOML and is none.
    """
    return dict(_parse_setting(text) for text in settings)


def _parse_setting(text: str) -> tuple[str, Any]:
    key, equals, raw = text.partition("=")
    key, raw = key.strip(), raw.strip()
    if not equals or "." not in key:
        raise SpecError(
            f"--set {text} is not of the form section.key=value.",
            next_step="For example: --set training.epochs=5 or --set model.weights=none.",
        )
    try:
        document = parsing.parse_toml(f"value = {raw}")
    except ValueError as error:
        if raw[:1] in ("[", "{", '"', "'"):
            raise SpecError(f"The value of --set {text} is not valid TOML: {error}.") from error
        return key, raw
    return key, document["value"] if list(document) == ["value"] else raw
