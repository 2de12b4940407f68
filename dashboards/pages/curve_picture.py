"""The k-fold curves of one trial as a small SVG, for the trial's page in optuna-dashboard."""

from __future__ import annotations

import html
import math
from collections import defaultdict
from collections.abc import Callable, Sequence

from dashboards.figures.palette import BLUE, GREY, VERMILLION
from storage.metrics.objectives import Metric
from storage.results.ledger import FoldEpoch

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 34, 40
SIDES = (("train", "training", VERMILLION), ("val", "validation", BLUE))


def draw_svg(rows: Sequence[FoldEpoch], title: str, metric: Metric) -> str:
    """Thin lines for folds, bold for their means, dotted where the mean validation value is best."""
    series = {"train": _columns(rows, metric.train_score), "val": _columns(rows, metric.score)}
    for folds in series.values():
        for line in folds.values():
            line |= {epoch: metric.measured(value) for epoch, value in line.items()}
    values = [value for folds in series.values() for line in folds.values() for value in line.values()]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12" fill="{GREY}"><title>{html.escape(title)}</title>'
    ]
    if not values:
        return "".join(
            [*parts, f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no epoch yet</text></svg>']
        )
    last = max(row.epoch for row in rows)
    low, high = math.floor(min(values) * 20) / 20, math.ceil(max(values) * 20) / 20
    high = high if high > low else low + 0.05

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(1, last - 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    ticks = max(1, round((high - low) / 0.05))
    step = 0.05 * math.ceil(ticks / 6)
    for number in range(int((high - low) / step + 1e-9) + 1):
        value = low + number * step
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{GREY}" '
            f'stroke-opacity=".3"/><text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
    for epoch in range(1, last + 1, max(1, math.ceil(last / 10))):
        parts.append(
            f'<text x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{epoch}</text>'
        )
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">epoch</text>')
    parts.append(f'<text x="{LEFT}" y="16">{metric.label}</text>')
    for place, (side, name, colour) in enumerate(SIDES if metric.train_column else SIDES[1:]):
        for line in series[side].values():
            points = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in sorted(line.items()))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-opacity=".4"/>')
        mean = _mean(series[side])
        points = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in sorted(mean.items()))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="3"/>')
        parts.append(
            f'<text x="{LEFT + max(60, 8 * len(metric.label)) + 180 * place}" y="16" fill="{colour}">{name}, mean of folds</text>'
        )
        if side == "val" and mean:
            peak = max(mean, key=lambda epoch: (metric.sign * mean[epoch], -epoch))
            parts.append(
                f'<line x1="{x(peak):.1f}" x2="{x(peak):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="{GREY}" '
                f'stroke-dasharray="2 3"/><text x="{WIDTH - RIGHT}" y="16" text-anchor="end">{mean[peak]:.4f} at epoch '
                f"{peak}</text>"
            )
    return "".join([*parts, "</svg>"])


def _columns(rows: Sequence[FoldEpoch], read: Callable[[FoldEpoch], float]) -> dict[int, dict[int, float]]:
    folds: dict[int, dict[int, float]] = defaultdict(dict)
    for row in rows:
        value = read(row)
        if not math.isnan(value):
            folds[row.fold][row.epoch] = value
    return folds


def _mean(folds: dict[int, dict[int, float]]) -> dict[int, float]:
    by_epoch: dict[int, list[float]] = defaultdict(list)
    for line in folds.values():
        for epoch, value in line.items():
            by_epoch[epoch].append(value)
    return {epoch: sum(values) / len(values) for epoch, values in by_epoch.items()}
