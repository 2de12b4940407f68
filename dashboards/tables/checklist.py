"""What orch knows for the reporting guidelines CLAIM (2024 update), TRIPOD+AI (2024) and METRICS (2024).

An item is answered, partly answered, or left to the authors; nothing is claimed that the database does not hold.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dashboards.tables.answer import Line, ask
from dashboards.tables.guidelines import GUIDELINES
from dashboards.tables.methods import CITED, OBJECTIVES, describe_network
from dashboards.tables.training import describe_training
from dashboards.tables.view import StudyView
from storage.metrics.objectives import METRICS
from storage.pictures.fitting import SAID
from storage.results.evaluations import Evaluation, EvaluationKind
from storage.spec import AugmentationSection, StudySpec, has_variants
from storage.tasks.naming import say_targets
from storage.wording import say_times, show_params, show_value

TRANSFER = "transfer"
KNOWN, PARTLY, AUTHORS, NOT_HERE = "from orch", "partly", "for the authors", "does not apply"
FOR_AUTHORS = (AUTHORS, "")

HEADINGS = {
    "asked": "Question and answer",
    "corrected": "Question and answer",
    "holdout": "Question and answer",
    "external": "Question and answer",
    "patients": "Patients",
    "results": "Results per label",
    "images": "Images",
    "subgroups": "Subgroups",
    "sure": "Learning and choice",
    "methods": "Methods",
    "reproduce": "How to reproduce",
    "trials": "All trials",
    "settings": "Settings that act",
    "spec": "The whole spec",
    "warnings": "Warnings",
    "checklists": "Check lists",
}
"""Places of the page by the end of their anchor, and the heading that a reader finds each under."""
PLACES = {
    "question": "asked", "preprocessing": "methods", "subsets": "methods", "targets": "methods", "missing": "methods", "size": "patients",
    "partitions": "methods", "disjoint": "patients", "imbalance": "settings", "demographics": "patients", "model": "methods", "software": "reproduce",
    "initial": "methods", "training": "methods", "selection": "methods", "metrics": "results", "output": "results", "checklist": "checklists",
    "available": "spec", "flow": "patients", "performance": "corrected", "uncertainty": "corrected", "calibration": "results", "internal": "holdout",
    "external": "external", "fairness": "subgroups", "plan": "settings", "failures": "results", "explain": "images", "confounding": "warnings",
    "ensembling": "holdout",
}  # fmt: skip
"""Where the page gives the answer, by its name in `guidelines`; an answer that stands nowhere else is in its row alone."""


@dataclass(frozen=True)
class Item:
    """One item of a guideline: its number and short name, what orch says, and the place of the page that says more (of `HEADINGS`; may be empty)."""

    number: str
    topic: str
    status: str
    answer: str
    place: str = ""


def fill_checklist(
    view: StudyView,
    lines: Sequence[Line] = (),
    openings: Sequence[str] = (),
    evaluations: Sequence[Evaluation] = (),
    *,
    has_table_one: bool = False,
    has_examples: bool = False,
    places: Collection[str] = tuple(HEADINGS),
) -> dict[str, list[Item]]:
    """Fill in the items that a study can answer, by guideline; the others are listed for the authors.

    Args:
        view: the study.
        lines: the answer of the first screen.
        openings: of the hold-out.
        evaluations: that the study remembers.
        has_table_one: whether the page shows who the patients are.
        has_examples: whether it shows images.
        places: of `HEADINGS`, those that the page has.
    """
    answers = {
        **_data_answers(view, has_table_one),
        **_model_answers(view),
        **_result_answers(view, lines, openings, evaluations),
    }
    if has_examples:
        said = "Examples are shown, under heat maps (Grad-CAM) where the final model was at hand."
        answers |= {"explain": (PARTLY, said)}

    def fill(number: str, topic: str, key: str) -> Item:
        status, answer = answers.get(key, FOR_AUTHORS)
        place = PLACES.get(key, "") if status in (KNOWN, PARTLY) else ""
        return Item(number, topic, status, answer, place if place in places else "")

    return {guideline: [fill(*item) for item in items] for guideline, items in GUIDELINES.items()}


def _data_answers(view: StudyView, has_table_one: bool) -> dict[str, tuple[str, str]]:
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
    seeded = "" if spec.cv.by else f"Seeded ({spec.study.seed}) stratified folds: "
    balanced = [f"positive weight {spec.training.positive_weight}"] if spec.training.positive_weight != "none" else []  # fmt: skip
    balanced += [f"oversampling {spec.training.oversampling:g}"] if spec.training.oversampling != 1 else []
    return {
        "question": (PARTLY, ask(view)),
        "preprocessing": (
            KNOWN,
            f"Images resized to {height} x {width} pixels ({SAID[view.model.resize]}), {_describe_scaling(view)}; "
            f"augmentation: {_describe_augmentation(spec)}.",
        ),
        "subsets": (
            PARTLY,
            f"Whole images ({SAID[view.model.resize]}); what was cut out before the import is for the authors.",
        ),
        "targets": (
            PARTLY,
            f"{spec.task.title.capitalize()}: {_say_all(view) or 'all of the data set'}. How they were found is for the authors.",
        ),
        "identifiers": (
            PARTLY,
            "No patient identifier, hashed or not, is in the database or the fingerprint; the images themselves are for the authors.",
        ),
        "missing": (
            KNOWN,
            "A blank label means not assessed: it is masked from loss and metrics. A label with one class in a fold is left out of that fold's mean.",
        ),
        "size": (PARTLY, f"{size}; the reasons for this size are for the authors."),
        "partitions": (
            KNOWN,
            f"{seeded}{spec.fold_words}; hold-out sealed at import and never read by cross-validation.",
        ),
        "disjoint": (KNOWN, disjoint),
        "imbalance": (
            KNOWN,
            f"{', '.join(balanced) or 'No weighting and no oversampling'}; folds are stratified by label.",
        ),
        "demographics": (PARTLY, "Table 1 shows the columns of the labels file.")
        if has_table_one
        else FOR_AUTHORS,
        "segmentation": (NOT_HERE, "Nothing is segmented."),
        "handcrafted": (NOT_HERE, "No hand-crafted features are used.")
        if not view.model.features
        else FOR_AUTHORS,
        "confounding": (
            PARTLY,
            "`orch data audit` looks for columns, views and pixel ranges that give the label away; what it found is among the warnings.",
        ),
        "baselines": (PARTLY, "`orch data audit` compares with models of metadata and of image size."),
    }


def _say_all(view: StudyView) -> str:
    spec, facts = view.study.spec, view.study.facts
    targets = [str(name) for name in spec.data.targets or facts.get("targets") or ()]
    return say_targets(spec.task, targets, most=len(targets))


def _describe_scaling(view: StudyView) -> str:
    model = view.model
    if model.kind == TRANSFER and not model.features:
        return f"three channels, scaled as {model.backbone_name} expects"
    return (
        "three channels, scaled to -1 to 1" if model.kind == "lenet" else "scaled as the authors' model does"
    )


def _describe_augmentation(spec: StudySpec) -> str:
    """Flips and changes of training images, and which of them are searched."""
    flips = {"flip": "flips in both directions", "none": "no flips"}.get(
        spec.training.augmentation, f"{spec.training.augmentation} flips"
    )
    changes = {
        name: value for name, value in dict(spec.augmentation).items() if value and name not in spec.search
    }
    searched = [
        name for name in spec.search if name == "augmentation" or name in AugmentationSection.model_fields
    ]
    said = ", ".join([flips, *(f"{name} {show_value(value)}" for name, value in changes.items())])
    return f"{said}; searched: {', '.join(searched)}" if searched else said


def _model_answers(view: StudyView) -> dict[str, tuple[str, str]]:
    spec = view.study.spec
    searched = ", ".join(f"{name} ({_range(view, name)})" for name in view.searched)
    model = view.model
    chosen = " This is the network of the best trial." if has_variants(spec) else ""
    weights = f"those of the preset, SHA-256 {model.weights_sha256}" if model.is_preset else model.weights
    return {
        "model": (KNOWN, CITED.sub("", describe_network(view)).replace("  ", " ") + chosen),
        "software": (KNOWN, "Versions are listed under How to reproduce."),
        "initial": (KNOWN, f"{f'Backbone: {weights}; head: s' if model.kind == TRANSFER and not model.features else 'S'}eeded by (study seed, trial, fold)."),
        "training": (KNOWN, f"{spec.training.epochs} epochs; searched: {searched or 'nothing'}; fixed: {show_params(spec.hyperparameters)}. {describe_training(spec)}"),
        "selection": (
            KNOWN,
            f"Objective: validation {view.metric.label}, {OBJECTIVES[spec.study.objective]} ({spec.fold_words}); "
            f"{view.counts.planned} trials by {spec.sampler.name} search; pruner: {spec.pruner.name}.",
        ),
        "metrics": (KNOWN, f"Of {spec.task.title}: {', '.join(METRICS[name].label for name in spec.task.metrics)}; docs/metrics.md has the formulas."),
        "output": (KNOWN, "Probabilities." if spec.task.has_probabilities else "Numbers."),
        "checklist": (KNOWN, "CLAIM 2024, TRIPOD+AI and METRICS are filled in on this page."),
        "available": (
            PARTLY,
            f"The protocol is the spec below ({view.study.spec_hash[:19]}..), fixed before the first trial; the data are known by "
            f"{view.study.fingerprint[:19]}... Who may have them is for the authors.",
        ),
    }  # fmt: skip


def _result_answers(
    view: StudyView, lines: Sequence[Line], openings: Sequence[str], evaluations: Sequence[Evaluation]
) -> dict[str, tuple[str, str]]:
    counts = view.counts
    said = {line.name: f"{line.what}: {line.value}" for line in lines}
    kinds = {one.kind for one in evaluations}
    told = ". ".join(said[name] for name in ("corrected", "holdout", "external") if name in said)
    is_split = any(one.document.get("subgroups") for one in evaluations)
    plan = view.study.facts.get("plan")
    internal = f"The hold-out was opened {say_times(len(openings))}." if openings else "Cross-validation only; the hold-out was not opened."  # fmt: skip
    final = {str((one.document.get("model") or {}).get("kind") or "") for one in evaluations} - {""}
    return {
        "failures": (PARTLY, "Confusion tables are shown; why single images fail is for the authors.")
        if view.study.spec.task.has_probabilities
        else (PARTLY, "The differences from the true numbers are shown; why single images fail is for the authors."),
        "ensembling": (KNOWN, f"The final model: {', '.join(sorted(final))}.") if final else FOR_AUTHORS,
        "flow": (
            PARTLY,
            f"Of trials: {counts.planned} planned, {counts.complete} complete, {counts.pruned} pruned, {counts.failed} failed, "
            f"{counts.open + counts.running} not finished. Flow of patients: see Patients; who was not imported is for the authors.",
        ),
        "performance": (KNOWN if told else PARTLY, told or "See the answer."),
        "uncertainty": (KNOWN, "95 % intervals that count patients; the value of the best trial is corrected for having been chosen."),
        "calibration": (KNOWN, "See the figure of calibration.") if view.study.spec.task.has_probabilities else (NOT_HERE, "Numbers have no calibration."),
        "internal": (KNOWN, internal),
        "external": (KNOWN, said.get("external", "Evaluated.")) if EvaluationKind.EXTERNAL in kinds else (PARTLY, "No data from elsewhere were evaluated."),
        "fairness": (PARTLY, "Results by subgroup are shown.") if is_split else (AUTHORS, "`orch study evaluate --subgroup COLUMN` shows results by subgroup."),
        "plan": (PARTLY, f"Plan of analysis {plan['hash'][:19]}.., fixed before the first trial.") if plan else (PARTLY, "No plan was sealed with --plan."),
    }  # fmt: skip


def _range(view: StudyView, name: str) -> str:
    searched = view.study.spec.search[name]
    if searched.values:
        return ", ".join(show_value(value) for value in searched.values) + searched.describe_when()
    step = f", in steps of {searched.step:g}" if searched.step else ""
    return f"{searched.low:g} to {searched.high:g}{', log' if searched.log else ''}{step}{searched.describe_when()}"
