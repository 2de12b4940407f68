"""Hand out a result: as a JSON file, as a page of figures, and on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.terminal import console


def hand_out(
    document: dict[str, Any],
    *,
    out: Path | None,
    html: Path | None,
    draw: Callable[[], str],
    as_json: bool,
    show: Callable[[dict[str, Any]], None],
) -> None:
    """Write a document with `warnings` where it was asked for, print it, and say what was written.

    Args:
        document: the result; its `warnings` are printed last.
        out: a JSON file to write, or None.
        html: a page to write, or None.
        draw: makes the page; called only if it is asked for.
        as_json: whether JSON is printed instead of tables.
        show: prints the tables.
    """
    from storage.files.documents import to_json, without_nan
    from storage.files.writing import write_text

    if out is not None:
        write_text(out, to_json(without_nan(document)))
    if html is not None:
        write_text(html, draw())
    if as_json:
        console.print_json(document)
    else:
        show(document)
    for path in (out, html):
        if path is not None:
            console.say(f"Wrote {path}.")
    for warning in document["warnings"]:
        console.warn(warning)
