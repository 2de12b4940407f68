"""What a planned study holds and costs: as JSON, and as facts on the screen."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.terminal import console
from storage.wording import say_count, say_duration, say_times, show_params

if TYPE_CHECKING:
    from orchestrator.planning.estimate import Estimate
    from orchestrator.planning.review import Review
    from storage.spec import StudySpec

OBJECTIVES = {
    "max_of_mean": "mean validation {metric} over folds, at the epoch where that mean is best",
    "mean_of_max": "mean over folds of the best validation {metric} of each fold",
    "last": "mean validation {metric} over folds after the last epoch",
}
"""The value of a trial, in words: `study.objective`."""


def describe_plan(spec: StudySpec, review: Review, estimate: Estimate) -> dict[str, Any]:
    """What a study would hold, and what its trials and features would cost, as `--json` prints it."""
    from dashboards.tables.training import describe_training
    from orchestrator.planning.parts import describe_cost, describe_nested
    from orchestrator.planning.plan import fold_epochs
    from orchestrator.planning.review import describe_model, describe_pruner

    return {
        "study": spec.study.name,
        "regime": spec.study.regime,
        "model": describe_model(spec),
        "training": describe_training(spec),
        "pruner": describe_pruner(spec),
        "points": spec.point_count,
        "folds": spec.fold_count,
        "folds_are": spec.fold_words,
        "epochs": spec.training.epochs,
        "fold_epochs": fold_epochs(spec),
        "repeats_of_winner": describe_cost(spec),
        "nested": describe_nested(spec),
        "metric": spec.metric.name,
        "objective": spec.study.objective,
        "also": list(spec.study.also),
        "images": review.facts["images"],
        "groups": review.facts["groups"],
        "targets": len(review.facts["targets"]),
        "train_images": review.facts["train_images"],
        "schedule": estimate.schedule,
        "search": {name: searched.model_dump(exclude_none=True) for name, searched in spec.search.items()},
        "fixed": spec.hyperparameters,
        "estimate": {
            "extraction_seconds": estimate.extraction_seconds,
            "fold_epoch_seconds": estimate.fold_epoch_seconds,
            "total_seconds": estimate.total_seconds,
            "least_seconds": estimate.least_seconds,
            "start_seconds": estimate.start_seconds,
            "compilation_seconds": estimate.compilation_seconds,
            "basis": estimate.basis,
            "models": estimate.models,
            "extractions": [asdict(one) for one in estimate.extractions],
        },
        "fingerprint": spec.data.fingerprint,
        "spec_hash": spec.spec_hash,
    }


def _features_facts(estimate: dict[str, Any]) -> list[tuple[str, str]]:
    """What the extractions cost, where trials learn from several sets of features."""
    sets = estimate["extractions"]
    if len(sets) < 2:
        return []
    size = sum(one["bytes"] for one in sets)
    slowest = max(sets, key=lambda one: float(one["seconds"]))
    sides = " x ".join(map(str, slowest["image_size"]))
    return [
        ("models", f"{estimate['models']} different ones among the trials"),
        (
            "features",
            f"{len(sets)} sets, each extracted once per machine: {say_duration(estimate['extraction_seconds'])} and "
            f"{size / 1e9:.2g} GB in all; the slowest is {slowest['backbone']} at {sides}, {say_duration(slowest['seconds'])}",
        ),
    ]


def _tell_repeats(cost: dict[str, Any] | None, fold_epoch_seconds: float) -> str | None:
    if cost is None:
        return None
    return (
        f"evaluated again {say_times(cost['repeats'])} when the last trial is finished, with other folds and seeds: "
        f"{cost['fold_epochs']} fold-epochs more (about {say_duration(cost['fold_epochs'] * fold_epoch_seconds)}), "
        f"at most {cost['share_at_most']:.0%} of those of the study"
    )


def _tell_nested(cost: dict[str, Any] | None, own: int, fold_epoch_seconds: float) -> str | None:
    if cost is None:
        return None
    return (
        f"the whole search in each of {cost['folds']} outer folds: {cost['fold_epochs']} fold-epochs more if no trial is pruned, "
        f"{cost['fold_epochs'] / own:.1f} times those of the study (about {say_duration(cost['fold_epochs'] * fold_epoch_seconds)})"
    )


def _say_time(estimate: dict[str, Any], *, has_parts: bool) -> str:
    least, most = (say_duration(estimate[name]) for name in ("least_seconds", "total_seconds"))
    of = f"with one worker{', without what is evaluated again' if has_parts else ''}"
    return (
        f"about {most} {of}" if least == most else f"{least} to {most} {of}: less when more trials are pruned"
    )


def print_warnings(review: Review, *, in_full: bool) -> bool:
    """Print the warnings of a review, and return whether one was shortened; an error that was accepted never is."""
    from orchestrator.audit.admission import ACCEPTED

    shortened = False
    for warning in review.warnings:
        if in_full or warning.startswith(ACCEPTED):
            console.warn(warning)
        else:
            shortened |= console.warn_briefly(warning)
    return shortened


def print_plan(spec: StudySpec, report: dict[str, Any]) -> None:
    """`report` is of `describe_plan`."""
    low, high = min(report["train_images"]), max(report["train_images"])
    estimate = report["estimate"]
    console.print_facts(
        [
            ("study", report["study"]),
            (
                "data",
                f"{say_count(report['images'], 'image')} of {say_count(report['groups'], 'group')}, {say_count(report['targets'], 'label')}",
            ),
            ("model", report["model"]),
            ("training", report["training"]),
            (
                "search",
                ", ".join(f"{name} {how.describe()}" for name, how in sorted(spec.search.items())),
            ),
            ("fixed", show_params(report["fixed"])),
            *_features_facts(estimate),
            ("trials", report["points"]),
            (
                "folds",
                f"{report['folds_are']} of {low if low == high else f'{low} to {high}'} training images",
            ),
            ("schedule", report["schedule"]),
            ("epochs", report["epochs"]),
            ("objective", OBJECTIVES[report["objective"]].format(metric=spec.metric.label)),
            ("also", ", ".join(one.label for one in spec.further) or None),
            ("pruner", report["pruner"]),
            ("fold-epochs", f"{report['fold_epochs']} (trials x folds x epochs) if no trial is pruned"),
            ("winner", _tell_repeats(report["repeats_of_winner"], estimate["fold_epoch_seconds"])),
            (
                "nested",
                _tell_nested(report["nested"], report["fold_epochs"], estimate["fold_epoch_seconds"]),
            ),
            (
                "time",
                f"{_say_time(estimate, has_parts=bool(report['repeats_of_winner'] or report['nested']))}; "
                f"{say_duration(estimate['start_seconds'] + estimate['compilation_seconds'])} of that to start and compile, "
                f"{say_duration(estimate['extraction_seconds'])} for the features (basis: {estimate['basis']})",
            ),
        ]
    )
