"""The settings of a study that act, and how to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.tables.view import StudyView
from storage.growth.provenance import reproduction_commands
from storage.spec import StudySpec
from storage.wording import say_command, show_value

ALWAYS = {
    "study": ("seed", "trials", "metric", "objective"),
    "model": ("kind", "backbone", "weights", "trainable", "image_size", "pooling", "head"),
    "training": ("epochs", "batch_size", "optimizer", "learning_rate", "augmentation"),
    "cv": ("folds",),
    "sampler": ("name",),
    "pruner": ("name",),
}
"""Settings that are shown whatever they are; any other only where it is not what it is by itself."""
OF_BACKBONES = ("backbone", "weights", "trainable", "pooling", "head")
NEVER = {
    ("cv", "assigned"),
    ("data", "targets"),
    ("data", "fingerprint"),
    ("study", "name"),
    ("pruner", "unit"),
}
"""What stands elsewhere on the page, or is derived."""


def list_settings(view: StudyView) -> list[tuple[str, str]]:
    """The settings that act in this study: what is searched, what was fixed, and nothing that has no effect."""
    spec = view.study.spec
    found = [(f"search.{name}", spec.search[name].describe()) for name in view.searched]
    for section, fields in StudySpec.model_fields.items():
        part = getattr(spec, section)
        if section == "search":
            continue
        defaults = fields.annotation.model_fields if fields.annotation is not None else {}
        for key, value in part:
            is_shown = key in ALWAYS.get(section, ()) or value != defaults[key].default
            if section == "model" and key in OF_BACKBONES and spec.model.kind != "transfer":
                is_shown = False
            if section == "pruner" and spec.pruner.name == "none" and key != "name":
                is_shown = False
            if (
                is_shown
                and key not in spec.search
                and (section, key) not in NEVER
                and value not in ("", (), [], None)
            ):
                found.append((f"{section}.{key}", _say(value)))
    return found


def list_commands(view: StudyView) -> list[str]:
    """The command lines that run the study again."""
    study = view.study
    return [
        f"# save the spec of the appendix as study.toml; DATA is the data set {study.fingerprint[:19]}..",
        say_command("study", "create", study.name, "--spec", "study.toml", "--data", "DATA"),
        *reproduction_commands(study, {point.point: point.params for point in view.points}),
        say_command("worker", study.name, "--data", "DATA"),
        say_command("report", study.name, "-o", "report.html"),
    ]


def _say(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_say(item)}" for key, item in value.items())
    return show_value(value)
