"""One self-contained HTML page of one or several studies: opens from a file, asks the network for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboards.figures.differences import draw_differences
from dashboards.figures.gallery import draw_studies, draw_study
from dashboards.pages.html import (
    escape,
    show_facts,
    show_figure,
    show_prose,
    show_table,
    wrap_page,
)
from dashboards.tables.checklist import fill_checklist
from dashboards.tables.outcomes import Outcomes
from dashboards.tables.view import StudyView, Table, compare_studies, fold_spread, list_trials
from dashboards.tables.warnings import list_warnings
from storage.growth.provenance import reproduction_commands
from storage.studies.study_records import GROWTH
from storage.wording import say_command, say_instant, show_params

SHOWN_TRIALS = 20
MOST_TRIALS = 1000


@dataclass(frozen=True)
class Chapter:
    """What the report says of one study.

    Attributes:
        view: the study, read with its curves.
        outcomes: out-of-fold predictions of the best trial, where labels and predictions are at hand.
        spec_text: the spec as TOML.
        data_summary: counts of the data set by name, where it is at hand.
        selection: how sure the choice of the best is, as `storage.trust.selection.judge_selection` gives it.
        openings: of the hold-out of this data, oldest first: when, by whom and for what, one line each.
    """

    view: StudyView
    outcomes: Outcomes | None
    spec_text: str
    data_summary: Mapping[str, Any] | None = None
    selection: Mapping[str, Any] | None = None
    openings: Sequence[str] = ()


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
    views = [chapter.view for chapter in chapters]
    parts = [_write_comparison(views, drawn, differences)] if len(chapters) > 1 else []
    for place, chapter in enumerate(chapters):
        parts.append(_write_chapter(chapter, versions, f"s{place}", drawn))
    names = [view.study.name for view in views]
    title = f"Study {names[0]}" if len(names) == 1 else f"Studies {', '.join(names)}"
    made = say_instant(datetime.now(UTC).timestamp(), UTC)
    links = "".join(f'<a href="#s{place}">{escape(name)}</a>' for place, name in enumerate(names))
    said = f"Written {made} by orch {versions.get('orch')}. Everything on this page comes from the study database."
    return wrap_page(title, said, parts, drawn, links if len(names) > 1 else "")


def _write_comparison(
    views: Sequence[StudyView], drawn: dict[str, Any], differences: Mapping[str, Any] | None
) -> str:
    shown = [show_table(compare_studies(views)), show_figure(draw_studies(views), "all", drawn)]
    if differences is not None:
        picture = draw_differences(differences)
        shown += [show_figure(picture, "all", drawn), show_table(picture.table)]
        shown += [f"<p>{escape(warning)}</p>" for warning in differences["warnings"]]
    return f"<section><h2>Comparison</h2>{''.join(shown)}</section>"


def _write_chapter(
    chapter: Chapter, versions: Mapping[str, str | None], place: str, drawn: dict[str, Any]
) -> str:
    view = chapter.view
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in list_warnings(view))
    pictures = "".join(
        show_figure(picture, place, drawn)
        for picture in draw_study(view, chapter.outcomes, chapter.selection)
    )
    checklist = Table(
        ("CLAIM", "TRIPOD+AI", "topic", "status", "answer"),
        [(item.claim, item.tripod, item.topic, item.status, item.answer) for item in fill_checklist(view)],
    )
    return "".join(
        [
            f'<section id="{place}"><h2>{escape(view.study.name)}</h2>',
            _cards(view),
            f'<h3>Warnings</h3><ul class="warnings">{warnings}</ul>' if warnings else "",
            "<h3>Data</h3>",
            show_facts(_describe_data(chapter)),
            "<h3>Results</h3>",
            _choice(chapter.selection),
            "".join(f"<p>{escape(sentence)}</p>" for sentence in view.provenance),
            _results(view),
            "<h3>Figures</h3>",
            pictures,
            "<h3>Spec</h3>",
            show_facts([*_describe_plan(view), *_describe_spec(view)]),
            f"<details><summary>The whole spec as TOML</summary><pre>{escape(chapter.spec_text)}</pre></details>",
            "<h3>How to reproduce</h3>",
            _reproduction(view, versions),
            "<h3>Reporting checklist</h3><p class='soft'>CLAIM: Mongan, Moy, Kahn, Radiology: AI 2020. TRIPOD+AI: "
            "Collins et al., BMJ 2024. What orch cannot know is left to the authors.</p>",
            show_table(checklist, look="wide checklist"),
            "</section>",
        ]
    )


def _cards(view: StudyView) -> str:
    counts, best = view.counts, view.best
    attempt = view.attempt_of.get(best.point) if best else None
    spread = fold_spread(attempt.fold_values) if attempt else None
    cards = [
        (f"{best.value:.4f}" if best else "none", f"best {view.metric.long_label}"),
        (f"± {spread:.4f}" if spread is not None else "-", "standard deviation over folds"),
        (show_params(best.params) if best else "-", "best hyperparameters"),
        (f"{counts.complete:,} / {counts.planned:,}", "trials complete / planned"),
        (f"{counts.pruned:,}", "pruned"),
        (f"{counts.failed:,}", "failed"),
    ]
    drawn = "".join(
        f'<div class="card"><b{" class=small" if len(value) > 14 else ""}>{escape(value)}</b><span>{name}</span></div>'
        for value, name in cards
    )
    return f'<div class="cards">{drawn}</div>'


def _describe_data(chapter: Chapter) -> list[tuple[str, Any]]:
    study = chapter.view.study
    known: dict[str, Any] = {"fingerprint": study.fingerprint}
    known |= {
        key: value for key, value in study.facts.items() if key != "warnings" and value not in (None, [], {})
    }
    known.pop("findings", None)  # they stand among the warnings
    known.pop("plan", None)  # it stands above the spec
    known.pop(GROWTH, None)  # it stands with the results
    for target, folds in known.pop("class_balance", {}).items():
        shares = ", ".join(f"{positive} of {assessed}" for *_, positive, assessed in folds)
        known[f"{target}: positive in the validation part of each fold"] = shares
    known |= {f"data set: {key}": value for key, value in (chapter.data_summary or {}).items()}
    known["hold-out evaluations on record"] = (
        {1: "once"}.get(len(chapter.openings), f"{len(chapter.openings)} times")
        if chapter.openings
        else "none"
    )
    known |= {f"opening {number}": line for number, line in enumerate(chapter.openings, start=1)}
    return [(key.replace("_", " "), value) for key, value in known.items()]


def _describe_plan(view: StudyView) -> list[tuple[str, Any]]:
    """The plan that was fixed before the first trial, with its hash; nothing where there is none."""
    sealed = view.study.facts.get("plan")
    if not sealed:
        return []
    return [
        ("plan", f"{sealed['hash']}, fixed {say_instant(sealed['at'], UTC)}"),
        *((f"plan.{key}", value) for key, value in sealed["plan"].items()),
    ]


def _describe_spec(view: StudyView) -> list[tuple[str, Any]]:
    document = view.study.spec.model_dump(mode="json")
    return [
        (f"{section}.{key}", _without_unset(value))
        for section, values in document.items()
        for key, value in values.items()
        if value not in ("", [], None) and (section, key) != ("cv", "assigned")
    ]


def _without_unset(value: Any) -> Any:
    """A range to search without the keys that say nothing of it."""
    if not isinstance(value, Mapping):
        return value
    return {key: item for key, item in value.items() if item is not None and item is not False}


def _results(view: StudyView) -> str:
    table = list_trials(view)
    shown = Table(table.columns, table.rows[:SHOWN_TRIALS])
    best = view.best.point if view.best else None
    text = show_table(shown, best=best)
    more = table.rows[SHOWN_TRIALS:MOST_TRIALS]
    if more:
        left = len(table.rows) - MOST_TRIALS
        rest = f" {left:,} more are in `orch study export --trials-csv`." if left > 0 else ""
        summary = f"{len(more):,} more trials.{rest}"
        text += (
            f"<details><summary>{escape(summary)}</summary>{show_table(Table(table.columns, more))}</details>"
        )
    return text


def _choice(selection: Mapping[str, Any] | None) -> str:
    if selection is None:
        return ""
    sentence = f"<p><b>How sure is the best value?</b> {show_prose(selection['sentence'])}.</p>"
    rule = f"<p class='soft'>Rule: {escape(selection['rule'])}.</p>"
    return sentence + _estimates(selection) + rule


def _estimates(selection: Mapping[str, Any]) -> str:
    """The estimates side by side where parts of the study gave some, and what was chosen within each outer fold."""
    estimates, nested = selection.get("estimates") or [], selection.get("nested")
    text = ""
    if any(one["fold_epochs"] for one in estimates[1:]):
        columns = ("estimate", "value", "low", "high", "fold_epochs")
        text += "<p>Estimates, their 95 % intervals, and the fold-epochs that were trained for each:</p>"
        text += show_table(Table(columns, [tuple(one[name] for name in columns) for one in estimates]))
    if nested and nested["finished"]:
        columns = ("fold", "value", "inner_value", "epochs", "params")
        rows = [
            tuple(show_params(one[name] or {}) if name == "params" else one[name] for name in columns)
            for one in nested["outer"]
        ]
        text += "<p>What the search within each outer fold chose, and what it scored on the fold:</p>"
        text += show_table(
            Table(("outer fold", "value", "value in its search", "epochs", "hyperparameters"), rows)
        )
    return text


def _reproduction(view: StudyView, versions: Mapping[str, str | None]) -> str:
    study = view.study
    used = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    commands = (
        f"# save the spec above as study.toml; DATA is the data set {study.fingerprint[:19]}..",
        say_command("study", "create", study.name, "--spec", "study.toml", "--data", "DATA"),
        *reproduction_commands(study, {point.point: point.params for point in view.points}),
        say_command("worker", study.name, "--data", "DATA"),
        say_command("report", study.name, "-o", "report.html"),
    )
    return (
        f"<p>Seed {study.spec.study.seed}; spec <code>{escape(study.spec_hash)}</code>; data "
        f"<code>{escape(study.fingerprint)}</code>. Libraries where this page was written: {escape(used)}. Equal "
        "hardware, versions and threads give equal values; otherwise they agree up to rounding.</p>"
        "<pre>" + escape("\n".join(commands)) + "</pre>"
    )
