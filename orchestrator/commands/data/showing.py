"""How a data set, or a guess at one, is shown: in words and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.terminal import console
from orchestrator.terminal.opening import database_if_any
from storage.wording import say_instant, say_times

if TYPE_CHECKING:
    from storage.data.datasets import Dataset


CALLED = {"prevalence": "share"}
"""What a table calls a number of a summary."""


def print_dataset(dataset: Dataset, as_json: bool) -> None:
    """Print a data set and its warnings."""
    document = describe(dataset)
    if as_json:
        console.print_json(document)
    else:
        _print_words(document)
    for warning in dataset.warnings:
        console.warn(warning)


def describe(dataset: Dataset) -> dict[str, Any]:
    """The document of `orch data show --json`."""
    return {
        "schema": "orch.data/1",
        "folder": str(dataset.folder.absolute()),
        "fingerprint": dataset.fingerprint,
        "targets": list(dataset.targets),
        "task": dataset.task.name,
        "classes": list(dataset.classes),
        "grouped": dataset.grouped,
        **dataset.summary,
        "openings": [_describe_opening(opening) for opening in _openings(dataset)],
        "warnings": dataset.warnings,
    }


def _print_words(document: dict[str, Any]) -> None:
    from orchestrator.importing.grey_values import say_grey_values

    development, holdout = document["development"], document["holdout"]
    sides = [("development", development), *([("hold-out (sealed)", holdout)] if holdout else [])]
    console.print_facts(
        [
            ("folder", document["folder"]),
            ("fingerprint", document["fingerprint"]),
            ("images", document["images"]),
            (
                "groups",
                document["groups"]
                if document["grouped"]
                else "none: each image counts as a patient of its own",
            ),
            ("task", f"{document['task']}{_say_classes(document['classes'])}"),
            ("labels", f"{len(document['targets'])}: {', '.join(document['targets'])}"),
            ("image modes", ", ".join(f"{mode} {count}" for mode, count in document["modes"].items())),
            ("grey values", say_grey_values(document.get("pixels"))),
            ("hold-out", None if holdout else "none"),
            ("hold-out opened", say_times(len(document["openings"])) if document["openings"] else None),
            *(
                ("", f"{say_instant(one['opened_at'])} by {one['opened_by']}: {one['purpose']}")
                for one in document["openings"]
            ),
        ]
    )
    console.print_line()
    console.print_table(
        ["side", "images", "groups"], [[name, side["images"], side["groups"]] for name, side in sides]
    )
    console.print_line()
    first = document["targets"][0]
    columns, rows = ["label"], [[target] for target in document["targets"]]
    for name, side in sides:
        known = list(side["labels"][first])
        columns += [f"{name.split(' ')[0]}: {known[0]}", *(CALLED.get(one, one) for one in known[1:])]
        for row in rows:
            row += side["labels"][row[0]].values()
    console.print_table(columns, rows)


def _say_classes(classes: list[str]) -> str:
    return f" ({', '.join(classes)})" if classes else ""


def _openings(dataset: Dataset) -> list[Any]:
    from storage.holdout.openings import list_openings

    if not dataset.summary["holdout"]:
        return []
    with database_if_any() as database:
        return list_openings(dataset, database)


def _describe_opening(opening: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(opening)


def print_guess(document: dict[str, Any], as_json: bool) -> None:
    """Print what `orchestrator.importing.guessing.guess_import` found."""
    if as_json:
        console.print_json(document)
        return
    from orchestrator.importing.guessing import say_what_becomes

    preset, filename = document["preset"], document["filename"]
    console.print_facts(
        [
            ("images", document["images"]),
            ("rows", document["rows"]),
            (
                "left out",
                ", ".join(f"{count} {kind}" for kind, count in document["left_out"].items()) or None,
            ),
            (
                "collection",
                f"{preset['name']} (sure: {preset['sure']:.0%})" if preset else "none that orch knows",
            ),
            (
                "file names",
                f"{filename['column']} (sure: {filename['sure']:.0%})" if filename else "not found",
            ),
            *(("patients", f"{one['column']} (sure: {one['sure']:.0%})") for one in document["groups"][:3]),
            ("split", document["split"]),
            ("becomes", say_what_becomes(document)),
            ("to decide", document["open"]),
        ]
    )
    console.print_line()
    taken = {one["column"]: one["sure"] for one in document["labels"]}
    console.print_table(
        ["column", "label", "because"],
        [
            [name, f"yes, sure: {taken[name]:.0%}" if name in taken else "no", reason]
            for name, reason in document["columns"].items()
        ],
    )
    console.print_line()
    console.print_line(document["command"])
