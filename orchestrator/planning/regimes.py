"""The two regimes of the reference study as specs, and the ways to change one from the command line.

Regime I: random search over batch size and dropout; Regime II: a grid over Adam's learning rate and
epsilon, with batch size and dropout fixed from the winner of Regime I. Both: k=6, 20 epochs, the maximum
over epochs of the mean over folds of the validation AUC.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.planning.own_models import fill_in_declared
from orchestrator.planning.presets import PRESETS
from orchestrator.planning.settings import parse_settings
from storage.errors import SpecError, UsageError
from storage.metrics.objectives import AUC
from storage.spec import StudySpec, parse, put_values, read_toml
from storage.wording import say_count

REGIME_ONE_SEARCH: dict[str, Any] = {
    "batch_size": {"type": "int", "low": 16, "high": 2048},
    "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5},
}
REGIME_TWO_SEARCH: dict[str, Any] = {
    "learning_rate": {"type": "grid", "values": [1e-1, 1e-2, 1e-3, 1e-4], "log": True},
    "epsilon": {"type": "grid", "values": [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8], "log": True},
}
REGIME_TWO_POINTS = 32


def regime_one(name: str, *, best: dict[str, Any] | None = None) -> StudySpec:
    """Return Regime I: 100 random points over batch size [16, 2048] and dropout [0, 0.5].

    Args:
        best: the document of a best.json whose model, data and other hyperparameters are kept.
    """
    return parse(_document("I", name, best), source="Regime I")


def regime_two(name: str, *, best: dict[str, Any] | None = None) -> StudySpec:
    """Return Regime II: all 32 cells of learning rate {1e-1..1e-4} x epsilon {1e-1..1e-8}.

    Args:
        best: the document of a best.json whose params and fixed hyperparameters, model and data are kept.
    """
    return parse(_document("II", name, best), source="Regime II")


def build_spec(
    name: str,
    *,
    regime: str | None = None,
    best: dict[str, Any] | None = None,
    spec_file: Path | None = None,
    trials: int | None = None,
    seed: int | None = None,
    pruner: str | None = None,
    settings: list[str] | Mapping[str, Any] | None = None,
    preset: str | None = None,
) -> StudySpec:
    """Return a spec from what the command line names; later sources win: regime or preset, best, file, flags, --set.

    Args:
        settings: "section.key=value" as `--set` takes it, or values by dotted keys.

    Raises:
        SpecError: nothing says what is searched, or a value does not fit.
        UsageError: a preset beside a regime or a spec file.
    """
    if preset is not None and (regime is not None or spec_file is not None):
        raise UsageError(
            "--preset goes without --regime and --spec.",
            why="Each of them says what is searched.",
            next_step="Change single keys of the preset with --set.",
        )
    document = read_toml(spec_file) if spec_file else PRESETS[preset] if preset else {}
    regime = regime or _regime_of(document)
    merged = _overlay(_document(regime or "custom", name, best), document)
    merged["study"] = {**_section(merged, "study"), "name": name}
    source = (
        str(spec_file)
        if spec_file
        else f"Regime {regime}"
        if regime
        else f"the preset {preset}"
        if preset
        else "--from"
    )
    flags = {"study.trials": trials, "study.seed": seed, "pruner.name": pruner}
    values = {key: value for key, value in flags.items() if value is not None}
    values.update(settings if isinstance(settings, Mapping) else parse_settings(settings or []))
    values["study.name"] = name
    merged, values = fill_in_declared(merged, values)
    spec = parse(merged, source=source).with_values(values)
    if not spec.search:
        raise SpecError(
            "Nothing says what this study searches.",
            next_step="Name a regime (--regime I or --regime II), a preset (--preset quick) or a spec file with a [search] section "
            "(--spec study.toml; `orch init` writes one).",
        )
    if spec.sampler.name == "grid":
        # A grid's size is its budget; a count beside it could only contradict it.
        if trials is not None and trials != spec.point_count:
            raise SpecError(
                f"--trials {trials} does not fit a grid of {say_count(spec.point_count, 'cell')}.",
                why="A grid evaluates every cell once.",
                next_step="Leave --trials out, or choose the random sampler: --set sampler.name=random"
                f"{_smaller_grid(spec) if trials < spec.point_count else ''}.",
            )
        spec = spec.with_values({"study.trials": spec.point_count})
    return spec


def _smaller_grid(spec: StudySpec) -> str:
    """The end of a sentence: an option that shortens the longest axis, and how many cells there are then."""
    name, values = max(
        ((name, searched.values or ()) for name, searched in spec.search.items()),
        key=lambda axis: len(axis[1]),
    )
    kept = (values[0], values[-1]) if len(values) > 2 else values[:1]
    cells = say_count(spec.point_count // len(values) * len(kept), "cell")
    listed = ", ".join(json.dumps(_whole(value)) for value in kept)
    return f", or a smaller grid: --set 'search.{name}.values=[{listed}]' leaves {cells}"


def _whole(value: float | str) -> float | int | str:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def repeat_finalists(name: str, best: dict[str, Any], *, repeats: int, finalists: int) -> StudySpec:
    """Return a study that evaluates the winner, and the best of those that cannot be told from it, again.

    Same data, model and search; new folds and new seeds; no pruning; every finalist `repeats` times.

    Args:
        best: the document of a best.json.

    Raises:
        SpecError: the best.json names no study, or nothing was searched.
    """
    equals = (best.get("selection") or {}).get("indistinguishable") or []
    listed = [best["params"], *(one["params"] for one in equals if one["params"] != best["params"])]
    listed = listed[:finalists]
    if not best.get("study_uuid") or not best["params"]:
        raise SpecError(
            "This best.json does not say which study it comes from, or nothing was searched in it.",
            next_step="Export it again: `orch study export NAME -o best.json`.",
        )
    document = parse(best["spec"], source="the best.json").model_dump(mode="json")
    document["study"] |= {
        "name": name,
        "regime": "custom",
        "seed": (document["study"]["seed"] + 1) % 2**32,
        "trials": repeats * len(listed),
        "repeats_of": best["study_uuid"],
    }
    document["sampler"] = {"name": "listed", "points": listed}
    document["pruner"] = {"name": "none"}
    _forget_parts(document)
    return parse(document, source="--repeats")


def tell_metric(spec: StudySpec, best: dict[str, Any] | None) -> str | None:
    """What to say of the metric of a study that goes on from a best.json; None where it needs no word."""
    metric, theirs = spec.metric.name, (best or {}).get("metric", AUC.name)
    if best is None or metric == theirs == AUC.name:
        return None
    if metric == theirs:
        return f"The study maximises {metric}, as the one of the best.json did; --set study.metric=NAME changes that."
    return f"The study maximises {metric}; the winner in the best.json was chosen by {theirs}."


def tell_defaults(
    spec: StudySpec,
    best: dict[str, Any] | None,
    spec_file: Path | None,
    settings: list[str] | Mapping[str, Any] | None,
) -> str | None:
    """What to say of a Regime II whose batch size or dropout rate is left at its default; None where both were chosen.

    Args:
        spec: as it was built.
        best: the document of a best.json, which has both.
        spec_file, settings: where else they may have been named.
    """
    if spec.study.regime != "II" or best is not None:
        return None
    document = read_toml(spec_file) if spec_file else {}
    named = {
        f"{section}.{key}" for section, keys in document.items() if isinstance(keys, dict) for key in keys
    }
    named |= set(settings if isinstance(settings, Mapping) else parse_settings(settings or []))
    left = [
        f"{words} {value:g}"
        for key, words, value in (
            ("training.batch_size", "batch size", spec.training.batch_size),
            ("model.dropout_rate", "dropout rate", spec.model.dropout_rate),
        )
        if key not in named
    ]
    if not left:
        return None
    return (
        f"Regime II without --from best.json: {' and '.join(left)} {'are defaults' if len(left) > 1 else 'is a default'}, "
        "not what Regime I found."
    )


def _document(regime: str, name: str, best: dict[str, Any] | None) -> dict[str, Any]:
    document: dict[str, Any] = _fixed_from(best) if best else {"study": {}}
    study = {**document["study"], "name": name}
    if regime != "custom":
        study.update(regime=regime, objective="max_of_mean")
        document["search"] = REGIME_ONE_SEARCH if regime == "I" else REGIME_TWO_SEARCH
        document["sampler"] = {"name": "random" if regime == "I" else "grid"}
        study["trials"] = 100 if regime == "I" else REGIME_TWO_POINTS
    return {**document, "study": study}


def _fixed_from(best: dict[str, Any]) -> dict[str, Any]:
    """The spec that found the best trial, with its hyperparameters as fixed values and nothing searched."""
    document = {name: dict(section) for name, section in best["spec"].items()}
    put_values(document, {**best["fixed"], **best["params"]})
    document["search"] = {}
    study = document.setdefault("study", {})
    study["regime"] = "custom"
    study["repeats_of"] = ""
    _forget_parts(document)
    if document.get("sampler", {}).get("name") == "listed":
        document["sampler"] = {}
    return document


def _forget_parts(document: dict[str, Any]) -> None:
    """The parts of a study are its own: another one that goes on from it plans its own."""
    document.get("study", {}).pop("part_of", None)
    for key in ("repeats_of_winner", "nested", "outer", "is_test", "train_percent"):
        document.get("cv", {}).pop(key, None)


def _regime_of(document: dict[str, Any]) -> str | None:
    regime = _section(document, "study").get("regime")
    return regime if regime in ("I", "II") else None


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, section in above.items():
        replaces = name == "search" or not isinstance(section, dict)
        merged[name] = section if replaces else {**below.get(name, {}), **section}
    return merged


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name, {})
    return section if isinstance(section, dict) else {}
