"""A spec from the command line: `--spec FILE.toml`, and `--set section.key=value` for one value of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storage import parsing
from storage.errors import SpecError
from storage.spec import StudySpec, parse, read_toml


def read_spec(
    file: Path | None, settings: Sequence[str] | None, *, name: str, searches: bool = True
) -> StudySpec:
    """The spec of `--spec` and `--set`, for a command that makes no study.

    Args:
        file: a spec file; None for the defaults.
        settings: `section.key=value` texts.
        name: what stands for the name of a study.
        searches: whether the spec's [search] is kept.

    Raises:
        SpecError: the file or a text is no part of a spec.
    """
    document = read_toml(file) if file else {}
    document["study"] = {**document.get("study", {}), "name": name}
    if not searches:
        document["search"] = {}
    return parse(document, source=str(file or "--set")).with_values(parse_settings(settings or ()))


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Read `section.key=value` texts; a value is TOML, and a bare word is a string.

    Raises:
        SpecError: a text has no `=`, or a value begins like TOML and is none.
    """
    return dict(_parse_setting(text) for text in settings)


def parse_choices(settings: list[str]) -> dict[str, Any]:
    """Read `hyperparameter=value` texts, with or without the section before the name.

    Raises:
        SpecError: a text has no `=`, a value begins like TOML and is none, or a hyperparameter is named twice.
    """
    chosen: dict[str, Any] = {}
    for text in settings:
        name = text.partition("=")[0].strip().rpartition(".")[2]
        if not name or "=" not in text:
            raise SpecError(
                f"--set {text} is not of the form HYPERPARAMETER=VALUE.",
                next_step="For example: --set learning_rate=3e-4",
            )
        if name in chosen:
            raise SpecError(f"--set names {name} twice.")
        chosen[name] = _parse_setting(f"search.{name}={text.partition('=')[2]}")[1]
    return chosen


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
