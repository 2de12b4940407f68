"""What MkDocs is told while it builds the site: pages that stand outside of docs/, and links to files of the repository.

A page of docs/ is also read on a code host, so its links lead to files of the repository. In the site README.md,
CONTRIBUTING.md and CHANGELOG.md become pages; another file outside of docs/ (a notebook) is copied beside the pages.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "about.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the repository -> their names in the site."""
LINK = re.compile(r"(\]\(|src=\")([^)\s\"]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and the files that stand outside of docs/."""
    linked: set[str] = set()
    for source, target in PAGES.items():
        text = (REPOSITORY / source).read_text(encoding="utf-8")
        linked |= {path for _, link in LINK.findall(text) if (path := _outside(link, folder="")) not in PAGES}
        files.append(File.generated(config, target, content=_lead(text, folder="")))
    for notebook in sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb")):
        text = _read_notebook(json.loads(notebook.read_text(encoding="utf-8"))["cells"])
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=text))
    linked |= {
        path
        for page in files.documentation_pages()
        for _, link in LINK.findall(page.content_string)
        if (path := _outside(link)) not in PAGES
    }
    for path in sorted(linked - {""}):
        content = (REPOSITORY / path).read_bytes()
        files.append(File.generated(config, f"files/{posixpath.basename(path)}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let the links of a page lead to where its target is in the site."""
    return markdown if page.file.generated_by else _lead(markdown, folder="docs")


def _read_notebook(cells: list[dict[str, Any]]) -> str:
    """A page of a notebook: its words, its code, and what that printed."""
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            shown = {kind: "".join(lines) for kind, lines in output.get("data", {}).items()}
            if "image/svg+xml" in shown:
                drawing = base64.b64encode(shown["image/svg+xml"].encode()).decode()
                parts.append(
                    f'<img alt="The figure that the code above draws" src="data:image/svg+xml;base64,{drawing}">'
                )
            elif "text/html" in shown:
                table = re.sub(r"<style.*?</style>\s*", "", shown["text/html"], flags=re.DOTALL)
                # A table without attributes is one of the site's: it has its looks, and scrolls on a phone.
                parts.append(re.sub(r"<(table|tr)\b[^>]*>", r"<\1>", re.sub(r"\n\s*", "", table)))
            else:
                parts.append(f"```text\n{shown.get('text/plain') or ''.join(output.get('text', ''))}\n```")
    return "\n\n".join(parts) + "\n"


def _outside(link: str, *, folder: str = "docs") -> str:
    """The path in the repository of what a link of a page in `folder` leads to outside of docs/; "" for another link."""
    path = posixpath.normpath(posixpath.join(folder, link.partition("#")[0]))
    return "" if ":" in link or path.startswith(("docs", "..", ".")) else path


def _lead(markdown: str, *, folder: str) -> str:
    def place(found: re.Match[str]) -> str:
        link, _, anchor = found[2].partition("#")
        if ":" in link or not link:
            return found[0]
        path = posixpath.normpath(posixpath.join(folder, link))
        if path in PAGES:
            target = PAGES[path]
        elif path.startswith("docs/"):
            target = path.removeprefix("docs/")
        else:
            target = f"files/{posixpath.basename(path)}"
        return found[1] + target + (f"#{anchor}" if anchor else "")

    return LINK.sub(place, markdown)
