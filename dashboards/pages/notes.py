"""The notes of a study and of its trials in optuna-dashboard, as Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from dashboards.tables.view import (
    StudyView,
    describe_attempt,
    describe_state,
    fold_spread,
    peak_epoch,
    show_number,
)
from dashboards.tables.warnings import list_warnings
from storage.results.ledger import FoldEpoch
from storage.states import StudyState
from storage.studies.point_records import PointRecord
from storage.wording import say_instant

TOP = 10
SHOWN_EPOCHS = 20
SHOWN_FOLDS = 12
CURVES = "orch/curves"
"""Where `orch dashboard` serves the drawn curves of a trial: CURVES/STUDY-ID/TRIAL-ID.svg."""


def write_study_note(view: StudyView, how_sure: str = "") -> str:
    """Data, spec, progress, the best and the top ten of a study; `how_sure` is what is said of the choice."""
    study, counts, best = view.study, view.counts, view.best
    spec, facts = study.spec, study.facts
    settled = counts.complete + counts.pruned + counts.failed
    lines = [
        f"# {escape(study.name)}",
        "",
        f"**{settled} of {counts.planned} trials finished**: {counts.complete} complete, {counts.pruned} pruned, "
        f"{counts.failed} failed, {counts.running} running, {counts.open} open"
        + (" (the study is stopped)" if study.state == StudyState.STOPPED else "")
        + f". Written {say_instant(view.read_at, UTC)}.",
        "",
    ]
    if best is not None:
        lines += [
            f"**Best:** {view.metric.label} **{view.metric.measured(best.value or 0.0):.4f}**, trial {best.trial_number}, {_params(best)}",
            "",
        ]
        if how_sure:
            lines += [f"**How sure is the best value?** {how_sure}.", ""]
        lines += _table(
            ("rank", "trial", view.metric.label, "sd over folds", "epoch", *view.searched),
            [
                (rank, point.trial_number, f"{view.metric.measured(point.value or 0.0):.4f}", *_attempt_cells(view, point),
                 *(show_number((point.params or {}).get(name)) for name in view.searched))
                for rank, point in enumerate(view.ranked[:TOP], start=1)
            ],
        )  # fmt: skip
    lines += [
        "",
        f"**Data:** {facts.get('images', '?')} images of {facts.get('groups', '?')} groups; targets "
        f"{escape(', '.join(map(str, spec.data.targets or facts.get('targets') or ['all'])))}; `{study.fingerprint[:19]}..`",
        "",
        f"**Model:** {escape(view.model.backbone_name)}, weights {escape(_last_part(view.model.weights))}. **Training:** "
        f"{spec.training.epochs} epochs, {spec.fold_words}. **Search:** {spec.sampler.name} over "
        f"{escape(', '.join(view.searched))}; pruner {spec.pruner.name}; seed {spec.study.seed}; objective "
        f"{escape(spec.study.objective)} of {view.metric.name}.",
    ]
    if view.provenance:
        lines += ["", "**Added**", "", *(f"- {escape(sentence)}" for sentence in view.provenance)]
    warnings = list_warnings(view)
    if warnings:
        lines += ["", "**Warnings**", "", *(f"- {escape(warning)}" for warning in warnings)]
    return "\n".join(lines)


def write_trial_note(view: StudyView, point: PointRecord, rows: Sequence[FoldEpoch]) -> str:
    """The result of one trial: its folds over epochs, or the error that ended it."""
    trials = [attempt for attempt in view.attempts if attempt.point == point.point]
    value = (
        "" if point.value is None else f", {view.metric.label} **{view.metric.measured(point.value):.4f}**"
    )
    lines = [f"**Trial {point.trial_number}: {describe_state(point)}**{value}. {_params(point)}", ""]
    if len(trials) > 1:
        told = ", ".join(f"trial {one.number} {describe_attempt(one)}" for one in trials)
        lines += [f"Attempts: {told}.", ""]
    if point.error:
        lines += ["```", point.error.replace("```", "'''")[:1500], "```", ""]
    if rows:
        lines += [
            f"![Fold curves: drawn in `orch dashboard`](/{CURVES}/{view.study.optuna_study_id}/{point.trial_id}.svg)",
            "",
            *_fold_table(view, point, rows),
        ]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Text from users as it is, whatever Markdown would make of it."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~])", r"\\\1", " ".join(str(text).split()))


def _fold_table(view: StudyView, point: PointRecord, rows: Sequence[FoldEpoch]) -> list[str]:
    """Validation scores by epoch and fold; of long trainings evenly chosen epochs, the best among them."""
    epochs = sorted({row.epoch for row in rows})
    peak = peak_epoch(view.means.get(point.point, []))
    if len(epochs) > SHOWN_EPOCHS:
        step = math.ceil(len(epochs) / SHOWN_EPOCHS)
        epochs = [epoch for epoch in epochs if epoch % step == 0 or epoch in (1, peak, epochs[-1])]
    folds = sorted({row.fold for row in rows})[:SHOWN_FOLDS]
    measured = view.metric.measured
    known = {(row.epoch, row.fold): measured(view.metric.score(row)) for row in rows}
    means = {row.epoch: measured(row.score) for row in view.means.get(point.point, [])}
    body = []
    for epoch in epochs:
        mark = "**" if epoch == peak else ""
        mean = means.get(epoch, math.nan)
        cells = [_short(known.get((epoch, fold), math.nan)) for fold in folds]
        body.append((f"{mark}{epoch}{mark}", f"{mark}{_short(mean)}{mark}", *cells))
    return [
        f"Validation {view.metric.label} by epoch:",
        "",
        *_table(("epoch", "mean", *(f"f{fold + 1}" for fold in folds)), body),
    ]


def _attempt_cells(view: StudyView, point: PointRecord) -> tuple[Any, Any]:
    attempt = view.attempt_of.get(point.point)
    spread = fold_spread(attempt.fold_values) if attempt else None
    return ("-" if spread is None else f"{spread:.4f}", attempt.best_epoch if attempt else "-")


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = [f"|{'|'.join(escape(name) for name in columns)}|", f"|{'|'.join('-' for _ in columns)}|"]
    return lines + [f"|{'|'.join(str(cell) for cell in row)}|" for row in rows]


def _params(point: PointRecord) -> str:
    return ", ".join(f"`{name}` {show_number(value)}" for name, value in sorted((point.params or {}).items()))


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}".removeprefix("0")


def _last_part(path: str) -> str:
    """A weights file may lie under somebody's name: the note shows the file, not the folder."""
    return path.replace("\\", "/").rpartition("/")[2]
