"""What orch knows for the reporting guidelines CLAIM (2020, item numbers) and TRIPOD+AI (2024, sections).

An item is answered, partly answered, or left to the authors; nothing is claimed that the database does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.tables.view import StudyView
from storage.pictures.fitting import SAID
from storage.spec import AugmentationSection, StudySpec, has_variants
from storage.wording import show_params, show_value

KNOWN, PARTLY, AUTHORS = "from orch", "partly", "for the authors"


@dataclass(frozen=True)
class Item:
    """One item of a guideline."""

    claim: str
    tripod: str
    topic: str
    status: str
    answer: str


def fill_checklist(view: StudyView) -> list[Item]:
    """Fill in the items that a study can answer; the others are listed for the authors."""
    return [*_data_items(view), *_model_items(view), *_result_items(view)]


def _data_items(view: StudyView) -> list[Item]:
    spec, facts = view.study.spec, view.study.facts
    images, groups = facts.get("images"), facts.get("groups")
    size = f"{images:,} development images" if isinstance(images, int) else "development images"
    size += f" of {groups:,} groups (patients)" if isinstance(groups, int) else ""
    grouped = facts.get("grouped", isinstance(groups, int) and groups != images)
    disjoint = (
        "Folds and hold-out are disjoint by group (patient)."
        if grouped
        else "No group column was named: folds are disjoint by image, and images of one patient may be on both sides."
    )
    height, width = view.model.image_size
    return [
        Item("1-4", "Title, introduction", "Title, abstract, background, objectives", AUTHORS, ""),
        Item("5-6", "Source of data", "Study design and goal", AUTHORS,
             "Model development with internal cross-validation; whether data were collected prospectively is not known."),
        Item("7-8", "Source of data, participants", "Data sources and eligibility", AUTHORS, ""),
        Item("9", "Data preparation", "Pre-processing", KNOWN,
             f"Images resized to {height} x {width} pixels ({SAID[view.model.resize]}), three channels, scaled as {view.model.backbone} "
             f"expects; augmentation: {_describe_augmentation(spec)}."),
        Item("10-11", "Predictors", "Data subsets and data elements", PARTLY,
             f"Targets: {', '.join(spec.data.targets or facts.get('targets') or ['all labels'])}."),
        Item("12", "Data preparation", "De-identification", PARTLY,
             "No patient identifier, hashed or not, is in the database or the fingerprint; the images themselves are "
             "for the authors."),
        Item("13", "Missing data", "Missing data", KNOWN,
             "A blank label means not assessed: it is masked from loss and metrics. A label with one class in a fold "
             "is left out of that fold's mean."),
        Item("14-18", "Outcome", "Reference standard, annotators, variability", AUTHORS, ""),
        Item("19", "Sample size", "Sample size", PARTLY, f"{size}; the reasons for this size are for the authors."),
        Item("20", "Data preparation", "How data were assigned to partitions", KNOWN,
             f"{'' if spec.cv.by else f'Seeded ({spec.study.seed}) stratified folds: '}{spec.fold_words}; hold-out sealed at import and never "
             "read by cross-validation."),
        Item("21", "Data preparation", "Level at which partitions are disjoint", KNOWN, disjoint),
    ]  # fmt: skip


def _describe_augmentation(spec: StudySpec) -> str:
    """Flips and changes of training images, and which of them are searched."""
    values = {"flips": spec.training.augmentation} | {
        name: value for name, value in dict(spec.augmentation).items() if value and name not in spec.search
    }
    searched = [
        name for name in spec.search if name == "augmentation" or name in AugmentationSection.model_fields
    ]
    said = ", ".join(f"{name} {show_value(value)}" for name, value in values.items())
    return f"{said}; searched: {', '.join(searched)}" if searched else said


def _model_items(view: StudyView) -> list[Item]:
    spec = view.study.spec
    fixed = show_params(spec.hyperparameters)
    searched = ", ".join(f"{name} ({_range(view, name)})" for name in view.searched)
    model = view.model
    head = "-".join(str(width) for width in model.head)
    chosen = " (of the best trial)" if has_variants(spec) else ""
    return [
        Item("22", "Analytical methods", "Model", KNOWN,
             f"{model.backbone}, weights {model.weights}, pooling {model.pooling}, dense head {head}{chosen}."),
        Item("23", "Open science", "Software", KNOWN, "Versions are listed under How to reproduce."),
        Item("24", "Analytical methods", "Initialisation of parameters", KNOWN,
             f"Backbone: {model.weights}; head: seeded by (study seed, trial, fold)."),
        Item("25", "Analytical methods", "Training", KNOWN,
             f"{spec.training.epochs} epochs; searched: {searched or 'nothing'}; fixed: {fixed}."),
        Item("26", "Analytical methods", "Selection of the final model", KNOWN,
             f"Objective: {spec.study.objective} of the validation {view.metric.label} ({view.metric.name}) over {spec.fold_words}; "
             f"{view.counts.planned} trials by {spec.sampler.name} search; pruner: {spec.pruner.name}."),
        Item("27", "Analytical methods", "Ensembling", AUTHORS, ""),
        Item("28", "Model performance", "Metrics", KNOWN,
             f"Of {spec.task.title}: {', '.join(spec.task.metrics)}; docs/metrics.md has the formulas."),
        Item("29", "Model performance", "Uncertainty", PARTLY,
             "Spread over folds is given. The best of many is optimistic: its value is not an estimate for new data."),
        Item("30-31", "Model performance", "Robustness and explanations", AUTHORS, ""),
        Item("32", "Model evaluation", "External validation", AUTHORS,
             "Not part of a study. `orch` keeps a sealed hold-out for one internal test."),
    ]  # fmt: skip


def _result_items(view: StudyView) -> list[Item]:
    counts, best = view.counts, view.best
    flow = (
        f"{counts.planned} trials: {counts.complete} complete, {counts.pruned} pruned, {counts.failed} failed, "
        f"{counts.open + counts.running} not finished."
    )
    answer = "No trial is complete."
    if best is not None:
        answer = f"Best cross-validated {view.metric.label} {best.value:.4f} ({show_params(best.params)})."
    return [
        Item("33", "Participants", "Flow", PARTLY, f"Of trials: {flow} Of participants: for the authors."),
        Item("34", "Participants", "Demographics", AUTHORS, ""),
        Item("35-36", "Model performance", "Performance and its precision", PARTLY, answer),
        Item("37", "Model performance", "Failure analysis", AUTHORS, ""),
        Item("38-39", "Discussion", "Limitations and implications", AUTHORS, ""),
        Item("40-42", "Open science", "Registration, protocol, data and code, funding", PARTLY,
             f"The protocol is the spec below ({view.study.spec_hash[:19]}..), fixed before the first trial; the data "
             f"are known by {view.study.fingerprint[:19]}.."),
    ]  # fmt: skip


def _range(view: StudyView, name: str) -> str:
    searched = view.study.spec.search[name]
    if searched.values:
        return ", ".join(show_value(value) for value in searched.values) + searched.describe_when()
    step = f", in steps of {searched.step:g}" if searched.step else ""
    return f"{searched.low:g} to {searched.high:g}{', log' if searched.log else ''}{step}{searched.describe_when()}"
