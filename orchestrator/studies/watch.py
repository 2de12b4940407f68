"""Live progress of a study: one table on a terminal, plain lines elsewhere, until nothing more happens to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orchestrator.terminal.wrapping import fit_columns, least_widths, natural_widths
from storage.database.trouble import may_only_read
from storage.database.waiting import wait_for
from storage.growth.adoption import adopt_enqueued
from storage.growth.parts import is_left
from storage.metrics.objectives import Metric
from storage.states import PointState, StudyState
from storage.studies.point_records import best_point, rank_points, read_left
from storage.studies.points import count_points, list_points
from storage.studies.study import find_study
from storage.studies.sweeping import sweep
from storage.wording import say_duration, say_instant, show_params

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.studies.point_records import PointCounts, PointRecord
    from storage.studies.study import StudyRecord

DISPENSABLE = ("worker", "epoch", "hyperparameters")
"""Columns of the live table that a narrow terminal goes without, in this order."""
SHOWN = 8
"""How many of the best and of the running points a live table has."""


def watch_study(
    database: Database,
    study: StudyRecord,
    *,
    print_line: Callable[[str], None],
    interval: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> PointCounts:
    """Print a line whenever something changed; return when every point is done or failed, or the study rests stopped.

    Args:
        interval: seconds between two looks.
    """
    shown = ""

    def show(points: list[PointRecord], counts: PointCounts, left: str) -> None:
        nonlocal shown
        line = describe(points, counts, study.spec.metric)
        if line != shown:
            print_line(f"{say_instant(time.time())}  {line}{f', {left}' if left else ''}")
            shown = line

    return _follow(database, study, show, interval, sleep)


def watch_live(
    database: Database,
    study: StudyRecord,
    *,
    console: Any = None,
    interval: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> PointCounts:
    """Keep one table on the terminal fresh; return when every point is done or failed, or the study rests stopped.

    Args:
        console: rich's; that of this terminal when left out.
        interval: seconds between two looks.
    """
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:

        def show(points: list[PointRecord], counts: PointCounts, left: str) -> None:
            table = draw_table(study, points, counts, left, live.console.width)
            live.update(table, refresh=True)

        return _follow(database, study, show, interval, sleep)


def draw_table(
    study: StudyRecord,
    points: list[PointRecord],
    counts: PointCounts,
    left: str,
    width: int | None = None,
) -> Any:
    """The state of a study for a terminal: a bar, the counts, the best points and those in work.

    Args:
        width: columns of the terminal; what does not fit without a word torn apart is left out, workers first.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    settled = counts.planned - counts.open - counts.running
    head = Text.assemble(
        (study.name, "bold"), f"  {settled} of {counts.planned} trials finished", f"  {left}" if left else ""
    )
    numbers = Text.assemble(
        (f"{counts.complete} complete", "green"),
        f"  {counts.pruned} pruned  ",
        (f"{counts.failed} failed", "red" if counts.failed else "none"),
        f"  {counts.running} running  {counts.open} open",
    )
    complete = rank_points(points)
    running = [point for point in points if point.state == PointState.CLAIMED]
    rows = [(_cells(point, "best" if place == 0 else "complete", study.spec.metric), "bold green" if place == 0 else "")
            for place, point in enumerate(complete[:SHOWN])]  # fmt: skip
    rows += [(_cells(point, "running", study.spec.metric), "cyan") for point in running[:SHOWN]]
    columns = ["trial", "state", "epoch", f"val {study.spec.metric.label}", "hyperparameters", "worker"]
    fitting = _fitting(columns, [cells for cells, _ in rows], width)
    table = Table(title_justify="left", show_edge=False, pad_edge=False)
    for place, wide in fitting.items():
        side: Any = "right" if place in (0, 2, 3) else "left"
        table.add_column(columns[place], justify=side, overflow="fold", width=wide)
    for number, (cells, style) in enumerate(rows):
        # Names come from users: as Text they cannot be taken for markup.
        table.add_row(
            *(Text(cells[place]) for place in fitting),
            style=style,
            end_section=number == len(complete[:SHOWN]) - 1 and bool(running),
        )
    if len(running) > SHOWN:
        table.add_row("", Text(f"and {len(running) - SHOWN} more"))
    bar = ProgressBar(total=max(1, counts.planned), completed=settled, width=min(60, width or 60))
    # A bar by itself ends no line, and the counts would stand behind it.
    return Group(head, Padding(bar, 0), numbers, table)


def describe(points: list[PointRecord], counts: PointCounts, metric: Metric) -> str:
    """Return the state of a study on one line."""
    settled = counts.planned - counts.open - counts.running
    parts = [
        f"{settled} of {counts.planned} trials finished: {counts.complete} complete, {counts.pruned} pruned"
    ]
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    parts.append(f"{counts.running} running")

    best = best_point(points)
    if best is not None:
        parts.append(
            f"best {metric.measured(best.value or 0.0):.4f} (trial {best.trial_number}: {show_params(best.params)})"
        )
    return ", ".join(parts)


def _follow(
    database: Database,
    study: StudyRecord,
    show: Callable[[list[PointRecord], PointCounts, str], None],
    interval: float,
    sleep: Callable[[float], None],
) -> PointCounts:

    while True:
        is_stopped, points, counts, left = wait_for(lambda _: _look(database, study), sleep=sleep)
        show(points, counts, say_left(counts, left))
        if (counts.is_settled and not wait_for(lambda _: is_left(database, study), sleep=sleep)) or (
            is_stopped and not counts.running
        ):
            return counts
        sleep(interval)


def _look(
    database: Database, study: StudyRecord
) -> tuple[bool, list[PointRecord], PointCounts, float | None]:

    try:
        sweep(database, study)
        adopt_enqueued(database, study)
    except Exception as error:
        # A role that may only look, or a standby, leaves the repairs to workers.
        if not may_only_read(error):
            raise
    # Asked before the points are counted: whatever was claimed until it was stopped is among those that run.
    present = find_study(database, study.name)
    is_stopped = present is not None and present.state == StudyState.STOPPED
    points, counts = list_points(database, study.uuid), count_points(database, study.uuid)
    return is_stopped, points, counts, read_left(database, study)


def _cells(point: PointRecord, state: str, metric: Metric) -> list[str]:
    value = "" if point.value is None else f"{metric.measured(point.value):.4f}"
    number = "" if point.trial_number is None else str(point.trial_number)
    return [number, state, str(point.epoch), value, show_params(point.params), point.worker or ""]


def _fitting(columns: list[str], rows: list[list[str]], width: int | None) -> dict[int, int]:
    """The columns of a table that fit, by place, each with its width."""
    least, natural = least_widths(columns, rows), natural_widths(columns, rows)
    places = list(range(len(columns)))
    if width is None:
        return dict(zip(places, natural, strict=True))
    for dispensable in (*DISPENSABLE, None):
        room = width - 3 * (len(places) - 1)
        widths = fit_columns([least[place] for place in places], [natural[place] for place in places], room)
        if widths is not None:
            return dict(zip(places, widths, strict=True))
        if dispensable is not None:
            places.remove(columns.index(dispensable))
    return {place: least[place] for place in places}


def say_left(counts: PointCounts, seconds: float | None) -> str:
    """The time left in words; empty where no worker runs a trial.

    Args:
        counts: of the study.
        seconds: `storage.studies.point_records.read_left`.
    """
    if not counts.running:
        return ""
    return (
        "time left: known after the first epochs"
        if seconds is None
        else f"about {say_duration(seconds)} left"
    )
