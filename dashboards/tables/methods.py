"""The methods section of a paper, written from the spec and from what was recorded; `[@key]` cites a work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.tables.performance import has_tested_subgroups
from dashboards.tables.references import Reference, cite
from dashboards.tables.training import list_unusual
from dashboards.tables.view import StudyView
from storage.results.evaluations import Evaluation, EvaluationKind
from storage.tasks.contract import Task
from storage.tasks.naming import ORDERED, say_targets
from storage.wording import say_count, say_times, show_value

CITED = re.compile(r"\[@([a-z0-9]+)\]")
OBJECTIVES = {
    "max_of_mean": "the mean over folds at the epoch where that mean is highest",
    "mean_of_max": "the mean of each fold's best epoch",
    "last": "the mean over folds after the last epoch",
}


@dataclass(frozen=True)
class Methods:
    """Paragraphs by heading, and the works that they cite in order."""

    paragraphs: Sequence[tuple[str, str]]
    references: Sequence[Reference]


def write_methods(
    view: StudyView,
    summary: Mapping[str, Any] | None,
    openings: Sequence[str],
    evaluations: Sequence[Evaluation],
    versions: Mapping[str, str | None],
) -> Methods:
    """Write the section.

    Args:
        view: the study.
        summary: of its data set, where it is at hand.
        openings: of the hold-out.
        evaluations: that the study remembers.
        versions: of orch and its libraries.
    """
    paragraphs = [
        ("Data", " ".join(_data(view, summary))),
        ("Model and training", " ".join(_model(view))),
        ("Search and selection", " ".join(_search(view))),
        ("Evaluation and statistics", " ".join(_statistics(view, openings, evaluations))),
        ("Software", " ".join(_software(view, versions))),
    ]
    keys = [key for _, text in paragraphs for key in CITED.findall(text)]
    return Methods(paragraphs, cite(keys))


def _data(view: StudyView, summary: Mapping[str, Any] | None) -> list[str]:
    spec, facts = view.study.spec, view.study.facts
    grouped = facts.get("grouped", True)
    targets = [str(name) for name in spec.data.targets or facts.get("targets") or ()]
    said = []
    if isinstance(facts.get("images"), int):
        patients = f" of {say_count(facts['groups'], 'patient')}" if grouped and isinstance(facts.get("groups"), int) else ""  # fmt: skip
        said.append(f"Models were developed on {facts['images']:,} images{patients}.")
    held = (summary or {}).get("holdout")
    if held:
        said.append(
            f"Before any model was trained, {held['images']:,} further images"
            f"{' of ' + say_count(held['groups'], 'patient') if grouped else ''} were sealed as a hold-out."
        )
    if targets:
        said.append(_name_targets(spec.task, targets))
    said.append("A blank label means not assessed; it was left out of loss and metrics.")
    return said


def _name_targets(task: Task, targets: Sequence[str]) -> str:
    many = len(targets) > 1
    said = say_targets(task, targets, most=len(targets))
    if not task.has_probabilities:
        return f"The {'numbers' if many else 'number'} to predict {'were' if many else 'was'} {said}."
    if not task.excludes:
        return f"The {'labels were' if many else 'label was'} {said}."
    order = ", in this order" if task.name == ORDERED else ""
    return f"Each image was of one class{order}: {said}."


def describe_network(view: StudyView) -> str:
    """The network of the best trial and what of it was trained, in a sentence."""
    model = view.model
    height, width = model.image_size
    head = "-".join(map(str, model.head))
    if model.kind == "lenet":
        return f"The network was LeNet [@lecun1998] on images of {height} x {width} pixels, trained from random weights."  # fmt: skip
    if model.kind == "transfer" and not model.features:
        weights = "random weights" if model.weights == "none" else f"{_last_part(model.weights)} weights"
        backbone = f"{'KerasHub preset' if model.is_preset else 'backbone'} {model.backbone_name}"
        if model.is_preset:
            weights = f"its own weights (SHA-256 of its files {model.weights_sha256})"
        trained = {"head": "was frozen", "all": "was trained as a whole"}.get(model.trainable, f"was trained from layer {model.trainable} on")  # fmt: skip
        return (
            f"The {backbone} with {weights} saw images of {height} x {width} pixels and {trained}; "
            f"{model.pooling} pooling was followed by {'dense layers of ' + head + ' units' if head else 'one dense layer'}."
        )
    if model.features:
        return f"The network was {'dense layers of ' + head + ' units' if head else 'one dense layer'} on features from elsewhere ({model.features})."
    return f"The network was a model of the authors ({model.kind}) on images of {height} x {width} pixels."


def _model(view: StudyView) -> list[str]:
    training, searched = view.study.spec.training, set(view.searched)
    said = [describe_network(view)]
    fixed = [f"{say} {show_value(getattr(training, key))}" for key, say in (("batch_size", "batch size"), ("learning_rate", "learning rate")) if key not in searched]  # fmt: skip
    optimizer = {"adam": "Adam [@kingma2015]", "adamw": "AdamW", "sgd": "stochastic gradient descent"}.get(
        str(training.optimizer), str(training.optimizer)
    )
    if "optimizer" in searched:
        optimizer = "the optimizer named below"
    said.append(f"Training took {say_count(training.epochs, 'epoch')} with {optimizer}{' (' + ', '.join(fixed) + ')' if fixed else ''}.")  # fmt: skip
    said += list_unusual(view.study.spec)
    moved = [f"{name.replace('_', ' ')} {value:g}" for name, value in view.study.spec.augmentation if isinstance(value, int | float) and value]  # fmt: skip
    flips = {"none": [], "flip": ["flips"]}.get(
        str(training.augmentation), [f"{training.augmentation} flips"]
    )
    if flips or moved:
        said.append(f"Training images were changed at random: {', '.join([*flips, *moved])}.")  # fmt: skip
    return said


def _search(view: StudyView) -> list[str]:
    spec, counts = view.study.spec, view.counts
    way = {
        "random": "drawn at random [@bergstra2012]",
        "grid": "of a grid",
        "tpe": "chosen by the tree-structured Parzen estimator [@bergstra2011]",
    }.get(spec.sampler.name, f"chosen by {spec.sampler.name}")
    ranges = "; ".join(f"{name.replace('_', ' ')} {spec.search[name].describe()}" for name in view.searched)
    said = [
        f"{say_count(counts.planned, 'configuration')} {'was' if counts.planned == 1 else 'were'} {way}"
        + (f" ({ranges})" if ranges else "")
        + f" and evaluated by cross-validation: {spec.fold_words}, the same for all configurations"
        + ("" if spec.cv.by else ", stratified by label [@sechidis2011]")
        + (" and disjoint by patient." if view.study.facts.get("grouped", True) else ".")
    ]
    judged = OBJECTIVES[spec.study.objective].replace(
        "highest", "highest" if view.metric.sign > 0 else "lowest"
    )
    said.append(f"A configuration was judged by validation {view.metric.label}: {judged}.")  # fmt: skip
    if spec.pruner.name != "none":
        said.append(f"Weak trials were stopped early by the rule {spec.pruner.name} ({counts.pruned:,} of {counts.planned:,}).")  # fmt: skip
    if counts.failed:
        said.append(f"{say_count(counts.failed, 'trial')} failed.")
    if view.study.facts.get("plan"):
        said.append("A plan of analysis was fixed before the first trial.")
    return said


def _statistics(view: StudyView, openings: Sequence[str], evaluations: Sequence[Evaluation]) -> list[str]:
    kinds = {one.kind for one in evaluations}
    said = [
        "Because the best configuration was chosen by its value, that value is optimistic; it is reported with a correction for having been chosen wherever one can be computed. Configurations were compared by the corrected "
        "resampled t-test [@nadeau2003]."
    ]
    if EvaluationKind.HOLD_OUT in kinds or openings:
        times = max(len(openings), sum(one.kind == EvaluationKind.HOLD_OUT for one in evaluations))
        said.append(f"The hold-out was opened {say_times(times)}; each opening was recorded.")
    else:
        said.append("The hold-out was not opened.")
    if EvaluationKind.EXTERNAL in kinds:
        said.append("The final model was also evaluated on images from elsewhere that it had not seen.")
    if view.study.spec.task.has_probabilities:
        said.append("Intervals (95 %) count patients, not images; those of areas under the curve are by Obuchowski [@obuchowski1997].")  # fmt: skip
    else:
        said.append("Intervals (95 %) were obtained by leaving out patients one at a time (jackknife); agreement is shown by limits of agreement [@bland1986].")  # fmt: skip
    if has_tested_subgroups(evaluations):
        said.append("P-values of subgroups were corrected together [@holm1979].")
    return said


def _software(view: StudyView, versions: Mapping[str, str | None]) -> list[str]:
    named = {name.lower(): number for name, number in versions.items() if number}
    used = [f"{name} {named[name.lower()]}" for name in ("orch", "Keras", "TensorFlow", "JAX", "Optuna") if name.lower() in named]  # fmt: skip
    return [
        f"Studies were run with {', '.join(used)} [@keras] [@optuna]; all seeds derive from {view.study.spec.study.seed}."
        if used
        else f"All seeds derive from {view.study.spec.study.seed}."
    ]


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def to_markdown(methods: Methods) -> str:
    """The section as Markdown with citations as Pandoc reads them."""
    parts = [f"## {heading}\n\n{text}" for heading, text in methods.paragraphs]
    return "# Methods\n\n" + "\n\n".join(parts) + "\n"
