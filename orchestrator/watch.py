"""Live progress of a study as plain lines, until every point is done or failed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.console import show_params, show_seconds
from orchestrator.export import best_point

if TYPE_CHECKING:
    from storage.engine import Database
    from storage.points import PointCounts, PointRecord
    from storage.studies import StudyRecord

MEMORY_SECONDS = 1800.0
"""How far back the pace is measured, in seconds: workers come and go."""


def watch_study(
    database: Database,
    study: StudyRecord,
    *,
    print_line: Callable[[str], None],
    interval: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> PointCounts:
    """Print a line whenever something changed; return when every point is done or failed.

    Args:
        interval: seconds between two looks.
    """
    from storage.points import count_points, list_points
    from storage.trials import sweep

    history: deque[tuple[float, int]] = deque()
    shown = ""
    while True:
        sweep(database, study)
        points = list_points(database, study.uuid)
        counts = count_points(database, study.uuid)
        settled = counts.planned - counts.open - counts.running
        now = time.monotonic()
        history.append((now, settled))
        while now - history[0][0] > MEMORY_SECONDS:
            history.popleft()
        line = describe(points, counts)
        if line != shown:
            left = _time_left(history, counts.open + counts.running)
            print_line(f"{time.strftime('%H:%M:%S')}  {line}{left}")
            shown = line
        if counts.is_settled:
            return counts
        sleep(interval)


def describe(points: list[PointRecord], counts: PointCounts) -> str:
    """Return the state of a study on one line."""
    settled = counts.planned - counts.open - counts.running
    parts = [f"{settled} of {counts.planned} points: {counts.complete} complete, {counts.pruned} pruned"]
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    parts.append(f"{counts.running} running")
    best = best_point(points)
    if best is not None:
        parts.append(f"best {best.value:.4f} (point {best.point}: {show_params(best.params)})")
    return ", ".join(parts)


def _time_left(history: deque[tuple[float, int]], left: int) -> str:
    (first_time, first), (last_time, last) = history[0], history[-1]
    if not left or last <= first or last_time <= first_time:
        return ""
    return f", about {show_seconds(left * (last_time - first_time) / (last - first))} left"
