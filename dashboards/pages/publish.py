"""orch's notes and figures into optuna-dashboard: a study's note and figures, and the note of each trial.

They are kept in Optuna's own tables, where any optuna-dashboard finds them. One publisher at a time writes a study
(`storage.studies.publishing`), because a figure is many rows and two writers would mix theirs; and no more often than its
cost allows, so that workers lose next to nothing by it.
"""

from __future__ import annotations

import json
import logging
import math
import textwrap
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from dashboards.figures.curves import draw_trial
from dashboards.figures.importance import draw_importance
from dashboards.figures.palette import make_template
from dashboards.figures.search import draw_search
from dashboards.figures.study import draw_fleet, draw_folds, draw_pruning
from dashboards.figures.trials import draw_front
from dashboards.pages.notes import write_study_note, write_trial_note
from dashboards.tables.view import StudyView, read_view
from storage.database.engine import Database
from storage.results.ledger import read_curves
from storage.states import PointState
from storage.studies.point_records import count_points
from storage.studies.publishing import begin_publishing, end_publishing
from storage.studies.study import StudyRecord
from storage.trust.selection import judge_selection

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 30.0
LARGEST_SHARE = 0.02
"""Publishing takes at most this share of the time of one worker of a study, however large the study is."""

NOTES_AT_ONCE = 40
"""A publication on the way notes so many trials at most, so that it takes a worker a moment also in an old study."""

MOST_TRIAL_NOTES = 1000
"""optuna-dashboard reads all notes of a study at once, and looks through all of them for each trial."""

CARD_HEIGHT = 450
"""Pixels that optuna-dashboard gives a figure; what is higher loses its lower axis behind the next one."""

CORRECTED = "orch:corrected"
"""The key of the study's system attribute that keeps the corrected value in words, and of how many trials it is."""

TITLE_WIDTH, TITLE_LINE = 60, 18
"""Characters of a line of a title in half a window of 1,280 pixels, and the pixels that a further line needs; a longer line was cut at the edge."""

NOTE_CHARACTERS = 2045
"""optuna-dashboard keeps a note in pieces of this length."""


class Publisher:
    """Keeps a study's pages in optuna-dashboard fresh; called by a worker after each trial.

    A call costs a few milliseconds, and now and then, in one worker of all, a publication. Nothing that goes wrong here
    reaches the worker.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember where; nothing is read yet."""
        self._database = database
        self._clock = clock
        self._next_at: dict[str, float] = {}

    def __call__(self, study: StudyRecord) -> None:
        """Publish what is due after a trial of this study ended."""
        try:
            self._publish_due(study)
        except Exception:
            # A page that is not fresh must never end a worker.
            log.debug("The pages of %s could not be refreshed.", study.name, exc_info=True)

    def _publish_due(self, study: StudyRecord) -> None:
        settled = count_points(self._database, study.uuid).is_settled
        if not settled and self._clock() < self._next_at.get(study.uuid, -math.inf):
            return
        began = self._clock()
        published = publish_study(
            self._database,
            study,
            force=settled,
            patience=10.0 if settled else 0.0,
            notes=None if settled else NOTES_AT_ONCE,
        )
        cost = self._clock() - began if published else 0.0
        self._next_at[study.uuid] = self._clock() + max(SECONDS_BETWEEN, cost / LARGEST_SHARE)


def publish_study(
    database: Database,
    study: StudyRecord,
    *,
    force: bool = False,
    patience: float = 0.0,
    notes: int | None = None,
) -> bool:
    """Write the note and the figures of a study, and the notes of trials that have none yet.

    Args:
        database: where; its role must be allowed to write.
        study: which.
        force: also when it was published a moment ago.
        patience: how long to wait for another publisher, in seconds.
        notes: how many trials are noted at most; None for all.

    Returns:
        False when another publisher is at it, or was a moment ago.
    """
    until = time.monotonic() + patience
    while not begin_publishing(database, study, pause=SECONDS_BETWEEN, force=force):
        if time.monotonic() >= until:
            return False
        time.sleep(0.5)
    try:
        _write(database, study, notes)
    finally:
        end_publishing(database, study, pause=SECONDS_BETWEEN)
    return True


def _judge(database: Database, view: StudyView) -> dict[str, Any] | None:
    """How sure the choice is, once every point is settled: before, it would be another each time, and it takes seconds."""
    return judge_selection(database, view.study) if view.counts.is_settled else None


def describe_corrected(selection: Mapping[str, Any] | None, sign: int) -> str:
    """The value corrected for having been chosen in a few words, as it is measured: "0.780 (95 % 0.761 to 0.799)".

    Args:
        selection: as `storage.trust.selection.judge_selection` gives it.
        sign: of the study's metric.
    """
    found = selection or {}
    if found.get("corrected_value") is not None:
        said = f"{sign * found['corrected_value']:.4f}"
        ends = sorted(
            sign * found[name] for name in ("corrected_low", "corrected_high") if found[name] is not None
        )
        return said + (f" (95 % {ends[0]:.3f} to {ends[1]:.3f})" if len(ends) == 2 else "")
    at_most = found.get("corrected_at_most")
    if at_most is not None and at_most < found["value"]:
        return f"at {'most' if sign > 0 else 'least'} {sign * at_most:.4f}"
    return "not known"


def _keep_summary(database: Database, view: StudyView, selection: Mapping[str, Any] | None) -> None:
    """Progress, best and corrected value as user attributes of the study, which any optuna-dashboard shows."""
    storage, study_id, counts = database.optuna, view.study.optuna_study_id, view.counts
    settled = counts.complete + counts.pruned + counts.failed
    sign, best = view.metric.sign, view.best
    said = describe_corrected(selection, sign) if selection is not None else "when all trials are finished"
    if selection is not None:
        storage.set_study_system_attr(study_id, CORRECTED, {"said": said, "of": counts.planned})
    failed = f", {counts.failed} failed" if counts.failed else ""
    shown = {"progress": f"{settled} of {counts.planned} trials finished{failed}"}
    if best is not None and best.value is not None:
        shown |= {
            f"best {view.metric.label}": f"{sign * best.value:.4f} (trial {best.trial_number})",
            "corrected for selection": said,
        }
    known = storage.get_study_user_attrs(study_id)
    for name, text in shown.items():
        if known.get(name) != text:
            storage.set_study_user_attr(study_id, name, text)


def draw_published(view: StudyView) -> list[tuple[str, dict[str, Any]]]:
    """The figures that stand under a study, by the id that optuna-dashboard knows them by."""
    pictures = [draw_search(view)]
    if view.study.spec.further:
        pictures.append(draw_front(view))
    if view.best is not None:
        pictures.append(draw_trial(view, view.best, view.curves_of(view.best.point)))
    pictures += [draw_importance(view), draw_pruning(view), draw_folds(view), draw_fleet(view)]
    template = make_template("light")
    drawn = []
    for place, picture in enumerate(pictures, start=1):
        layout = picture.figure["layout"]
        height = min(layout["height"], CARD_HEIGHT)
        title = textwrap.wrap(layout["title"]["text"], TITLE_WIDTH)
        margin = {**layout.get("margin", {})}
        if len(title) > 1:
            margin["t"] = margin.get("t", template["layout"]["margin"]["t"]) + TITLE_LINE * (len(title) - 1)
        fitted = {"title": {"text": "<br>".join(title)}, "margin": margin, "height": height}
        figure = {**picture.figure, "layout": {**layout, "template": template, **fitted}}
        drawn.append((f"orch-{place}-{picture.name}", figure))
    return drawn


def _write(database: Database, study: StudyRecord, notes: int | None) -> None:
    import optuna
    from optuna_dashboard import save_note, save_plotly_graph_object

    view = read_view(database, study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page = optuna.load_study(
            study_name=study.name, storage=database.optuna, sampler=optuna.samplers.RandomSampler()
        )
        for name, figure in draw_published(view):
            save_plotly_graph_object(page, _Json(figure), graph_object_id=name)
        _write_trial_notes(database, view, notes)
        # Last: a note that is fresh says that all the rest is.
        selection = _judge(database, view)
        _keep_summary(database, view, selection)
        save_note(page, write_study_note(view, selection["sentence"] if selection is not None else ""))


class _Json:
    """What optuna-dashboard asks of a Plotly figure: its text. Plotly's own class takes a second to import."""

    def __init__(self, figure: dict[str, Any]) -> None:
        self._figure = figure

    def to_json(self) -> str:
        """The figure as Plotly's JSON."""
        return json.dumps(self._figure, separators=(",", ":"), allow_nan=False)


def _write_trial_notes(database: Database, view: StudyView, most: int | None) -> None:
    """Note every settled trial once; of a very large study only the best and the failed ones."""
    settled = [point for point in view.points if point.state.is_settled and point.trial_id is not None]
    if len(settled) > MOST_TRIAL_NOTES:
        first = {point.point for point in view.ranked[: MOST_TRIAL_NOTES // 2]}
        settled = [point for point in settled if point.point in first or point.state == PointState.FAILED][
            :MOST_TRIAL_NOTES
        ]
    storage, study_id = database.optuna, view.study.optuna_study_id
    known = storage.get_study_system_attrs(study_id)
    missing = [point for point in settled if f"dashboard:{point.trial_id}:note_ver" not in known]
    missing.sort(key=lambda point: -(point.finished_at or 0.0))
    for point in missing[:most]:
        rows = read_curves(database, view.study.uuid, point.point)
        body = write_trial_note(view, point, rows)
        # What `optuna_dashboard.save_note` writes, which first reads every note of the study for each trial.
        for place in range(0, len(body), NOTE_CHARACTERS):
            key = f"dashboard:{point.trial_id}:note_str:{place // NOTE_CHARACTERS}"
            storage.set_study_system_attr(study_id, key, body[place : place + NOTE_CHARACTERS])
        storage.set_study_system_attr(study_id, f"dashboard:{point.trial_id}:note_ver", 1)
