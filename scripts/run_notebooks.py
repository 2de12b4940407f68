"""Run the notebooks of docs/notebooks on the studies of the demo and keep what they print, figures as small drawings.

make demo && python scripts/run_notebooks.py demo
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from dashboards.figures.drawing import Picture  # noqa: E402
from dashboards.pages.printing import draw_vectors, find_browser  # noqa: E402
from dashboards.tables.view import Table  # noqa: E402

PLOTLY, SVG = "application/vnd.plotly.v1+json", "image/svg+xml"


def run(path: Path, storage: str, folder: Path) -> None:
    """Run one notebook and write it with its outputs, without a number of a process, a time or a path of this machine.

    Raises:
        SystemExit: there is no Chromium to draw its figures.
    """
    notebook = nbformat.read(path, as_version=4)
    os.environ |= {"ORCH_STORAGE": storage, "PLOTLY_RENDERER": "plotly_mimetype"}
    NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.outputs = [one for one in cell.outputs if one.output_type != "stream" or one.name == "stdout"]
    _draw([one for cell in cells for one in cell.outputs if PLOTLY in one.get("data", {})])
    notebook.metadata.pop("language_info", None)
    nbformat.write(notebook, path)
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size // 1000} kB")


def _draw(outputs: list[Any]) -> None:
    """Put drawings in place of figures, which a page without JavaScript cannot show."""
    pictures = {
        str(place): Picture(str(place), "", "", Table((), []), _plain(one.data[PLOTLY]))
        for place, one in enumerate(outputs)
    }
    if not pictures:
        return
    browser = find_browser()
    if browser is None:
        raise SystemExit("There is no Chromium here to draw the figures (Debian: apt-get install chromium).")
    for place, drawing in draw_vectors(browser, pictures).items():
        outputs[int(place)].data = nbformat.from_dict({SVG: drawing})


def _plain(figure: Any) -> dict[str, Any]:
    return {
        "data": figure["data"],
        "layout": {key: value for key, value in figure["layout"].items() if key != "template"},
    }


def main() -> None:
    """Run all of them on the database of a demo that has ended."""
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo").resolve()
    for path in sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb")):
        run(path, f"sqlite:///{demo / 'orch.db'}", demo)


if __name__ == "__main__":
    main()
