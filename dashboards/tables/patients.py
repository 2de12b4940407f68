"""Where the patients went, and who they are: the flow from import to folds, and Table 1 by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.tables.view import StudyView, Table
from storage.practice.population import compare_columns
from storage.results.evaluations import Evaluation, EvaluationKind, main_results, name_images
from storage.tasks.naming import find_column, shorten_names
from storage.wording import say_count


@dataclass(frozen=True)
class Step:
    """One box of the flow of patients: what it is, how many, and what became of them."""

    name: str
    counts: str
    remark: str = ""


@dataclass(frozen=True)
class Population:
    """The patients of one part of the data: its name, what `describe_population` says of it, and its labels as they were judged."""

    name: str
    described: Mapping[str, Any]
    labels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def trace_patients(
    view: StudyView,
    summary: Mapping[str, Any] | None,
    openings: Sequence[str],
    evaluations: Sequence[Evaluation],
) -> list[Step]:
    """The flow of patients, from all that was imported to the folds and to every other set that was judged.

    Args:
        view: the study.
        summary: of its data set, where it is at hand.
        openings: of the hold-out.
        evaluations: that the study remembers.
    """
    facts = view.study.facts
    patients = "patient" if facts.get("grouped", True) else "group"

    def count(images: Any, groups: Any) -> str:
        said = f"{images:,} images" if isinstance(images, int) else "images: not known"
        return said + (f" of {say_count(groups, patients)}" if isinstance(groups, int) else "")

    steps = []
    if summary and summary.get("images") is not None:
        steps.append(Step("Imported", count(summary["images"], summary.get("groups"))))
    steps.append(
        Step(
            "Development",
            count(facts.get("images"), facts.get("groups")),
            "all that models were trained and chosen on",
        )
    )
    train, validation = facts.get("train_images") or [], facts.get("validation_images") or []
    if train and validation:
        steps.append(
            Step(
                f"Each of {view.study.spec.fold_words}",
                f"{_range(train)} images train, {_range(validation)} validate",
                "no patient is on both sides"
                if facts.get("grouped")
                else "images of one patient may be on both sides",
            )
        )
    held = (summary or {}).get("holdout")
    if held:
        opened = {0: "sealed: not opened", 1: "opened once"}.get(
            len(openings), f"opened {len(openings)} times"
        )
        steps.append(Step("Hold-out", count(held.get("images"), held.get("groups")), opened))
    elif summary is not None:
        steps.append(Step("Hold-out", "none", "the data set was imported without one"))
    elif openings:
        steps.append(Step("Hold-out", "its size is not known here", f"opened {len(openings)} x"))
    seen = set()
    for one in evaluations:
        if one.kind == EvaluationKind.EXTERNAL and one.fingerprint not in seen:
            seen.add(one.fingerprint)
            data = one.document["data"]
            steps.append(
                Step(
                    "External data",
                    count(data["images"], data["groups"]),
                    f"data set {one.fingerprint[7:13]}",
                )
            )
    return steps


def list_populations(
    development: Mapping[str, Any] | None, evaluations: Sequence[Evaluation]
) -> list[Population]:
    """The parts whose patients are known: development, an opened hold-out, data from elsewhere."""
    found = [Population("development", development)] if development else []
    seen = set()
    for one in evaluations:
        described = one.document.get("population")
        if not described or one.kind == EvaluationKind.OUT_OF_FOLD or one.fingerprint in seen:
            continue
        if one.kind == EvaluationKind.EXTERNAL:
            seen.add(one.fingerprint)
        elif any(part.name == "hold-out" for part in found):
            continue
        name = name_images(one, evaluations).replace("external data", "external")
        found.append(Population(name, described, _count_labels(main_results(one.document))))
    return found


def _count_labels(scored: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """How many images are positive; of classes as the table of confusion counts them, whose labels are comparisons or cuts."""
    if not scored.get("confusion"):
        return scored.get("labels", {})
    counts = [sum(row) for row in scored["confusion"]]
    return {
        str(name): {"positive": count, "assessed": sum(counts)}
        for name, count in zip(scored["classes"], counts, strict=True)
    }


def tabulate_patients(
    parts: Sequence[Population], summary: Mapping[str, Any] | None, *, with_labels: bool
) -> Table:
    """Table 1: characteristics by patient and labels by image of each part, with each part's difference from the first.

    Args:
        parts: the first one is what the others are compared with.
        summary: of the data set, for the labels of both its sides.
        with_labels: whether labels are counted as positive; otherwise they are numbers.
    """
    extra = [f"{part.name}: {what}" for part in parts[1:] for what in ("SMD", "p")]
    rows: list[tuple[Any, ...]] = [
        ("patients", *(f"{part.described['groups']:,}" for part in parts), *("" for _ in extra)),
        ("images", *(f"{part.described['images']:,}" for part in parts), *("" for _ in extra)),
    ]
    names = list(dict.fromkeys(name for part in parts for name in part.described["columns"]))
    for name in names:
        columns = [part.described["columns"].get(name) for part in parts]
        compared: list[str] = []
        for column in columns[1:]:
            gap, p = compare_columns(columns[0], column) if columns[0] and column else (float("nan"),) * 2
            compared += [_say(gap, 2), _say_p(p)]
        if len({value for one in columns if one for value in one.get("counts", ("", " "))}) < 2:
            continue  # Every patient has the same value, such as the readers of all images.
        if all(column is None or column["kind"] == "number" for column in columns):
            cells = [f"{one['mean']:.1f} ± {one['sd']:.1f}" if one else "-" for one in columns]
            rows.append((f"{name} (mean ± SD)", *cells, *compared))
            rows += _missing(name, columns, extra)
            continue
        rows.append((f"{name}, n (%)", *("" for _ in parts), *compared))
        for value in dict.fromkeys(value for one in columns if one for value in one.get("counts", ())):
            cells = [
                f"{one['counts'].get(value, 0):,} ({one['counts'].get(value, 0) / one['n']:.0%})"
                if one and one["kind"] == "category"
                else "-"
                for one in columns
            ]
            rows.append((f"\N{EN SPACE}{value}", *cells, *("" for _ in extra)))
        rows += _missing(name, columns, extra)
    rows += (_labels if with_labels else _numbers)(parts, summary or {}, len(extra))
    return Table(("characteristic", *(part.name for part in parts), *extra), rows)


def _labels(parts: Sequence[Population], summary: Mapping[str, Any], extra: int) -> list[tuple[Any, ...]]:
    sides = {"development": summary.get("development"), "hold-out": summary.get("holdout")}
    known = [(sides.get(part.name) or {}).get("labels") or part.labels for part in parts]
    rows: list[tuple[Any, ...]] = []
    names = list(dict.fromkeys(name for side in known for name in side))
    column, short = find_column(names), shorten_names(names)
    rows.append(
        (f"{column or 'label'}, images {'' if column else 'positive '}(%)", *([""] * (len(parts) + extra)))
    )
    for name in names:
        cells = []
        for side in known:
            row = side.get(name) or {}
            count, assessed = row.get("positive"), row.get("assessed")
            cells.append(f"{count:,} of {assessed:,} ({count / assessed:.0%})" if assessed and count is not None else "-")  # fmt: skip
        if any(cell != "-" for cell in cells):
            rows.append((f"\N{EN SPACE}{short[name]}", *cells, *([""] * extra)))
    return rows if len(rows) > 1 else []


def _numbers(parts: Sequence[Population], summary: Mapping[str, Any], extra: int) -> list[tuple[Any, ...]]:
    """The numbers that are predicted, by image."""
    sides = {"development": summary.get("development"), "hold-out": summary.get("holdout")}
    known = [(sides.get(part.name) or {}).get("labels") or {} for part in parts]
    rows = []
    for name in dict.fromkeys(name for side in known for name in side):
        found = [side.get(name) or {} for side in known]
        cells = [
            f"{one['mean']:.1f} ± {one['sd']:.1f}"
            if one.get("mean") is not None and one.get("sd") is not None
            else "-"
            for one in found
        ]
        rows.append((f"{name}, to be predicted, by image (mean ± SD)", *cells, *([""] * extra)))
    return rows


def _missing(name: str, columns: Sequence[Any], extra: Sequence[str]) -> list[tuple[Any, ...]]:
    if not any(one and one["missing"] for one in columns):
        return []
    cells = [f"{one['missing']:,}" if one else "-" for one in columns]
    return [(f"\N{EN SPACE}{name} missing", *cells, *("" for _ in extra))]


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _say(value: float, places: int) -> str:
    return "-" if value != value else f"{value:.{places}f}"


def _say_p(value: float) -> str:
    if value != value:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
