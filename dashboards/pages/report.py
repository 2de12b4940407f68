"""One self-contained HTML page of one or several studies: opens from a file, asks the network for nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dashboards.figures.differences import draw_differences
from dashboards.figures.drawing import Picture
from dashboards.figures.evaluated import KINDS, name_part
from dashboards.figures.gallery import draw_studies
from dashboards.pages.chapter import Chapter, tells
from dashboards.pages.html import ShownFigure, ShownTable, prepare_figure, prepare_table, render_page
from dashboards.pages.remarks import EACH, RESULTS, note_examples, note_performance, note_table_one
from dashboards.tables.answer import (
    MOST_WARNINGS,
    ask,
    compare_without_anatomy,
    describe_progress,
    rank_warnings,
)
from dashboards.tables.checklist import HEADINGS, Item, fill_checklist
from dashboards.tables.examples import ShownExample
from dashboards.tables.methods import write_methods
from dashboards.tables.patients import list_populations, tabulate_patients, trace_patients
from dashboards.tables.performance import (
    RUST_TITLE,
    tabulate_overall,
    tabulate_performance,
    tabulate_rust,
    tabulate_subgroups,
)
from dashboards.tables.references import GUIDELINES, cite
from dashboards.tables.settings import list_commands, list_settings
from dashboards.tables.view import StudyView, Table, list_trials
from storage.metrics.objectives import Metric
from storage.results.evaluations import Evaluation
from storage.studies.study_records import GROWTH
from storage.wording import say_instant, say_times, show_params

TOP_TRIALS = 5
MOST_TRIALS = 500
PERFORMANCE = ("roc", "calibration", "decisions", "agreement", "differences", "confusion")
BESIDE_A_HOLD_OUT = ("roc", "agreement", "differences")
"""What stays in the body of out-of-fold predictions where a hold-out, or data from elsewhere, show the same of images that nothing was chosen on."""
LEARNING = ("choice", "best-curves", "learning-curve", "pruning", "search")
"""Figures of the body by name, in this order; all others are in the appendix."""
REFERENCES_OF_TABLE_ONE = ("yang2012",)


def write_page(
    chapters: Sequence[Chapter],
    versions: Mapping[str, str | None],
    differences: Mapping[str, Any] | None = None,
) -> str:
    """Return the page.

    Args:
        chapters: one per study, at least one.
        versions: of orch and its libraries, for the reader who repeats it.
        differences: of the studies, as `storage.trust.comparison.compare` gives them; None where they cannot be compared.
    """
    drawn: dict[str, Any] = {}
    names = [chapter.view.study.name for chapter in chapters]
    title = f"Study {names[0]}" if len(names) == 1 else f"Studies {', '.join(names)}"
    made = say_instant(datetime.now(UTC).timestamp(), UTC)
    return render_page(
        "report.html",
        title,
        f"Written {made} by orch {versions.get('orch')}. Everything on this page comes from the study database.",
        drawn,
        chapters=[_prepare(chapter, versions, f"s{place}", drawn) for place, chapter in enumerate(chapters)],
        comparison=_compare(chapters, drawn, differences) if len(chapters) > 1 else None,
    )


def _compare(
    chapters: Sequence[Chapter], drawn: dict[str, Any], differences: Mapping[str, Any] | None
) -> dict[str, Any]:
    answers = [{line.name: line.value for line in chapter.answer} for chapter in chapters]
    lines = ("corrected", "holdout", "external", "best")
    table = Table(
        ("study", "cross-validated, corrected", "hold-out", "external", "best trial, before correction"),
        [
            (chapter.view.study.name, *(said.get(name, "-") for name in lines))
            for chapter, said in zip(chapters, answers, strict=True)
        ],
    )
    pictures = [draw_studies([chapter.view for chapter in chapters])]
    pictures += [draw_differences(differences)] if differences is not None else []
    return {
        "answers": prepare_table(table),
        "figures": [prepare_figure(one, "all", drawn) for one in pictures if one.figure["data"]],
        "differences": prepare_table(pictures[1].table) if differences is not None else None,
        "warnings": differences["warnings"] if differences is not None else [],
    }


def _prepare(
    chapter: Chapter, versions: Mapping[str, str | None], place: str, drawn: dict[str, Any]
) -> dict[str, Any]:
    """Everything that the template of a chapter shows."""
    view = chapter.view
    warnings = rank_warnings(view, chapter.openings, chapter.evaluations, chapter.selection)
    pictures = chapter.draw()
    parts = list_populations(chapter.population, chapter.evaluations)
    measured = chapter.measure()
    methods = write_methods(
        view, chapter.data_summary, chapter.openings, chapter.evaluations, versions
    )  # fmt: skip
    references = [*methods.references]
    if len(parts) > 1:
        references += cite(REFERENCES_OF_TABLE_ONE)
    references += cite(GUIDELINES)
    trials = list_trials(view)
    table_one = tabulate_patients(parts, chapter.data_summary, with_labels=view.study.spec.task.has_probabilities) if parts else None  # fmt: skip
    subgroups = tabulate_subgroups(_latest(chapter.evaluations))
    performance = tabulate_performance(measured) if measured else None
    shown: dict[str, Any] = {
        "id": place,
        "name": view.study.name,
        "asked": ask(view),
        "lines": chapter.answer,
        "progress": describe_progress(view),
        "warnings": warnings[:MOST_WARNINGS],
        "more_warnings": warnings[MOST_WARNINGS:],
        "flow": trace_patients(view, chapter.data_summary, chapter.openings, chapter.evaluations),
        "table_one": _table(table_one),
        "table_one_note": note_table_one(len(parts), chapter),
        "performance": _table(_values_first(performance)) if performance else None,
        "performance_title": f"{EACH[view.study.spec.task.name]} on each set of images (95 % intervals)",
        "performance_note": note_performance(chapter),
        "overall": _table(tabulate_overall(measured)),
        "subgroups": _table(subgroups),
        "rust": _table(tabulate_rust(chapter.judged)),
        "rust_title": f"{RUST_TITLE[:1].upper()}{RUST_TITLE[1:]} (95 % intervals)",
        "figures": _place_figures(pictures, chapter.judged, place, drawn),
        "examples": [_prepare_example(one) for one in chapter.examples],
        "examples_note": note_examples(chapter),
        "not_drawn": "; ".join(_say_missing(one) for one in pictures if not one.figure["data"]),
        "selection": chapter.selection,
        "without_anatomy": compare_without_anatomy(view, chapter.selection)[0],
        "estimates": _table(_list_estimates(chapter.selection or {}, view.metric)),
        "nested": _table(_list_nested(chapter.selection or {}, view.metric)),
        "provenance": view.provenance,
        "top": prepare_table(_shorten(trials, TOP_TRIALS)),
        "best_trial": view.best.trial_number if view.best else None,
        "trials": prepare_table(_shorten(trials, MOST_TRIALS, without=("point",))),
        "trial_count": len(trials.rows),
        "methods": methods.paragraphs,
        "references": references,
        "numbers": {one.key: number for number, one in enumerate(references, start=1)},
        "reproduce": _reproduce(view, versions),
        "commands": "\n".join(list_commands(view)),
        "settings": [*_describe_plan(view), *list_settings(view)],
        "facts": _describe_data(chapter),
        "spec_text": chapter.spec_text,
    }
    shown["headings"] = HEADINGS | {"results": RESULTS.get(view.study.spec.task.name, HEADINGS["results"])}
    shown["sections"] = _list_sections(shown)
    shown["checklists"] = _checklists(chapter, shown)
    return shown


def _list_sections(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Anchors and headings of a chapter, as the list of contents has them."""
    place = shown["id"]
    has_results = bool(shown["performance"] or shown["figures"]["performance"] or shown["examples"])
    parts = [
        ("answer", "Question and answer", True),
        ("patients", "Patients", True),
        ("results", shown["headings"]["results"], has_results),
        ("subgroups", "Subgroups", bool(shown["subgroups"])),
        ("learning", "Learning and choice", True),
        ("methods", "Methods", True),
        ("reproduce", "How to reproduce", True),
        ("appendix", "Appendix", True),
    ]
    return [(f"{place}-{name}", heading) for name, heading, is_there in parts if is_there]


def _place_figures(
    pictures: Sequence[Picture], judged: Sequence[Evaluation], place: str, drawn: dict[str, Any]
) -> dict[str, list[ShownFigure]]:
    """Figures that say something, by the section they stand in."""
    known = {one.name: one for one in pictures if tells(one)}
    shown: Sequence[str] = PERFORMANCE
    if judged:
        parts = [name_part(one) for one in judged]
        shown = [
            *BESIDE_A_HOLD_OUT,
            *(f"{parts[0]}-{kind}" for kind in KINDS),
            *(f"{part}-roc" for part in parts[1:]),
        ]
    body = {
        "performance": [known[name] for name in shown if name in known],
        "learning": [known[name] for name in LEARNING if name in known],
    }
    used = {id(one) for part in body.values() for one in part}
    body["appendix"] = [one for one in pictures if tells(one) and id(one) not in used]
    return {
        name: [prepare_figure(one, place, drawn) for one in part] for name, part in body.items()
    }  # fmt: skip


def _say_missing(picture: Picture) -> str:
    notes = picture.figure["layout"].get("annotations") or [{"text": "no data"}]
    return f"{picture.title.partition(': ')[2] or picture.title} ({notes[0]['text']})"


def _list_estimates(selection: Mapping[str, Any], metric: Metric) -> Table | None:
    """The estimates side by side where parts of the study gave some, with what each cost."""
    estimates = selection.get("estimates") or []
    if not any(one["fold_epochs"] for one in estimates[1:]):
        return None
    columns = ("estimate", "value", "low", "high", "fold_epochs")
    measured = [metric.measured_estimate(one) for one in estimates]
    return Table(columns, [tuple(one[name] for name in columns) for one in measured])


def _list_nested(selection: Mapping[str, Any], metric: Metric) -> Table | None:
    """What the search within each outer fold chose, and what that scored on the fold."""
    nested = selection.get("nested")
    if not nested or not nested["finished"]:
        return None
    columns = ("fold", "value", "inner_value", "epochs", "params")

    def cell(name: str, value: Any) -> Any:
        if name == "params":
            return show_params(value or {})
        return metric.measured(value) if name.endswith("value") and value is not None else value

    rows = [tuple(cell(name, one[name]) for name in columns) for one in nested["outer"]]
    return Table(("outer fold", "value", "value in its search", "epochs", "hyperparameters"), rows)


def _latest(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Of each set of images the last evaluation that looked at subgroups."""
    found = {
        (one.kind, one.fingerprint): one for one in evaluations if one.document.get("subgroups")
    }  # fmt: skip
    return list(found.values())


def _table(table: Table | None) -> ShownTable | None:
    return prepare_table(table) if table is not None and table.rows else None


def _shorten(trials: Table, count: int, without: Sequence[str] = ("point", "worker", "error")) -> Table:
    """The first trials without what a reader of results does not need, and without columns that hold nothing."""
    rows = trials.rows[:count]
    kept = [
        place
        for place, name in enumerate(trials.columns)
        if name not in without and (name != "error" or any(row[place] for row in rows))
    ]
    return Table(
        tuple(trials.columns[place] for place in kept), [tuple(row[place] for place in kept) for row in rows]
    )


def _values_first(performance: Table) -> Table:
    """Results beside what they are of, also on a phone; counts and thresholds behind them."""
    last = [
        place
        for place, name in enumerate(performance.columns)
        if name in ("positive / assessed", "assessed", "threshold")
    ]
    order = [*(place for place in range(len(performance.columns)) if place not in last), *last]
    return Table(
        tuple(performance.columns[place] for place in order),
        [tuple(row[place] for place in order) for row in performance.rows],
    )


def _prepare_example(shown: ShownExample) -> dict[str, Any]:
    """An example as the template shows it: what is seen, in words, and the pictures as texts that need no network."""
    pictures = [("image", shown.image), *([("heat map", shown.heat)] if shown.heat is not None else [])]
    return {
        "kind": shown.example.kind,
        "said": shown.example.said,
        "pictures": [
            (f"{shown.example.kind}, {what}", f"data:image/jpeg;base64,{b64encode(content).decode()}")
            for what, content in pictures
        ],
    }


def _describe_plan(view: StudyView) -> list[tuple[str, Any]]:
    """The plan that was fixed before the first trial, with its hash; nothing where there is none."""
    sealed = view.study.facts.get("plan")
    if not sealed:
        return []
    return [
        ("plan", f"{sealed['hash']}, fixed {say_instant(sealed['at'], UTC)}"),
        *((f"plan.{key}", value) for key, value in sealed["plan"].items()),
    ]


HIDDEN = frozenset(
    {"warnings", "findings", "plan", GROWTH, "class_balance", "folds_digest", "without_anatomy"}
)
"""Facts that stand elsewhere on the page, or that only programs read."""


def _describe_data(chapter: Chapter) -> list[tuple[str, Any]]:
    study = chapter.view.study
    known: dict[str, Any] = {"data fingerprint": study.fingerprint, "spec hash": study.spec_hash}
    known |= {
        key.replace("_", " "): value
        for key, value in study.facts.items()
        if key not in HIDDEN and value not in (None, [], {})
    }
    for target, folds in study.facts.get("class_balance", {}).items():
        known[f"{target}: positive in the validation part of each fold"] = ", ".join(
            f"{positive} of {assessed}" for *_, positive, assessed in folds
        )
    known["hold-out evaluations on record"] = (
        say_times(len(chapter.openings)) if chapter.openings else "none"
    )  # fmt: skip
    known |= {f"opening {number}": line for number, line in enumerate(chapter.openings, start=1)}
    known |= {
        f"evaluation {number}": f"{one.title}, {one.document['data']['images']} images, {say_instant(one.evaluated_at, UTC)} "
        f"with orch {one.orch}, model {(one.model_sha256 or f'folds of trial {one.trial_number}')[:19]}"
        for number, one in enumerate(chapter.evaluations, start=1)
    }
    return list(known.items())


def _reproduce(view: StudyView, versions: Mapping[str, str | None]) -> str:
    study = view.study
    used = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    return (
        f"Seed {study.spec.study.seed}; spec {study.spec_hash}; data {study.fingerprint}. Libraries where this page was written: {used}. "
        "Equal hardware, versions and threads give equal values; otherwise they agree up to rounding."
    )


def _checklists(chapter: Chapter, shown: Mapping[str, Any]) -> dict[str, list[Item]]:
    """The check lists, each item with the place of the page that answers it."""
    absent = {
        "results": not (shown["performance"] or shown["figures"]["performance"]),
        "subgroups": not shown["subgroups"],
        "images": not shown["examples"],
        "sure": not shown["selection"],
        "warnings": not shown["warnings"],
    }
    return fill_checklist(
        chapter.view,
        chapter.answer,
        chapter.openings,
        chapter.evaluations,
        has_table_one=shown["table_one"] is not None,
        has_examples=bool(shown["examples"]),
        places=[name for name in HEADINGS if not absent.get(name)],
    )
