"""What `bench.fleet` looks at: the database through one session, and how long calls took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg2

Watch = Callable[[str], tuple[Any, ...]]


def make_watch(connection: psycopg2.extensions.connection) -> Watch:
    """Look at the database through one session of its own: on so busy a machine a new one may time out."""
    connection.autocommit = True

    def watch(statement: str) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            row: tuple[Any, ...] = cursor.fetchone()
            return row

    return watch


def latencies(
    calls: list[dict[str, list[tuple[float, float]]]], edges: tuple[float, float]
) -> dict[str, Any]:
    """Milliseconds of the calls that began between the edges: median and 95 %."""
    found: dict[str, Any] = {}
    for name in ("claim", "epoch"):
        seconds = [took for part in calls for began, took in part[name] if edges[0] <= began < edges[1]]
        found[f"{name}s_per_s"] = round(len(seconds) / (edges[1] - edges[0]), 1)
        if seconds:
            median, high = np.percentile(np.array(seconds) * 1000, [50, 95])
            found[f"{name}_ms"] = {"median": round(median, 1), "95 %": round(high, 1)}
    return found
