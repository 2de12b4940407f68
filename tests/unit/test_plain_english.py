"""What a user reads is plain English: help texts, messages, warnings, README and docs use no words of a private language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestrator.cli import app
from tests.conftest import REPOSITORY

REFUSED = re.compile(
    r"\b(mend(s|ed|ing)?|pots?|told apart|luck|lucky|hurry|hopeful|nobody|anew|so many|comes to|of when"
    r"|what it is worth)\b",
    re.IGNORECASE,
)
"""Words that cost a reader time; CONTRIBUTING.md names what to write instead."""
OLD = re.compile(r"\b(mend(s|ed|ing)?|pots?|told apart|hurry|hopeful|anew)\b", re.IGNORECASE)
"""Those of them that no comment and no docstring needs either."""
KEYS = re.compile(r"[a-z_.]+")
"""A JSON key, a column or an option: `told_apart`, `expected_luck`. Programs read these, and they stay."""
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "orchestrator").glob("*.toml")),
]
"""What people read, the specs that `orch init` writes among it."""
SOURCES = [
    path
    for folder in ("storage", "workers", "dashboards", "orchestrator")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
]


def refused_in(text: str) -> list[str]:
    """The refused words of a text, in the order of their places."""
    return [found.group().lower() for found in REFUSED.finditer(" ".join(text.split()))]


def sentences_of(source: str) -> Iterator[tuple[int, str]]:
    """The line and the text of every string that is neither a docstring nor a single key."""
    tree = ast.parse(source)
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            documentation |= {id(part) for part in node.values}
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in documentation:
            yield node.lineno, "" if KEYS.fullmatch(str(node.value)) else str(node.value)


def helps_of(command: Any, name: str = "orch") -> Iterator[tuple[str, str]]:
    """Each command with the text of its help."""
    context = typer.Context(command, info_name=name)
    yield name, command.get_help(context)
    for inner, part in getattr(command, "commands", {}).items():
        yield from helps_of(part, f"{name} {inner}")


def test_the_check_itself_sees_what_is_wrong() -> None:
    assert refused_in("Mend it,\nand so\nmany more; a spot, a recommended potential.") == ["mend", "so many"]
    source = '"""luck"""\nx = {"told_apart": f"in {n} pot"}\n"""so many"""'
    assert [text for _, text in sentences_of(source) if text] == ["in {} pot"]


@pytest.mark.parametrize("folder", ["storage", "workers", "dashboards", "orchestrator"])
def test_messages_use_the_words_of_the_field(folder: str) -> None:
    found = {
        f"{path.relative_to(REPOSITORY)}:{line}: {words}"
        for path in SOURCES
        if path.relative_to(REPOSITORY).parts[0] == folder
        for line, text in sentences_of(path.read_text(encoding="utf-8"))
        if (words := refused_in(text))
    }
    assert found == set()


@pytest.mark.parametrize("folder", ["storage", "workers", "dashboards", "orchestrator"])
def test_comments_and_docstrings_use_no_old_words(folder: str) -> None:
    found = {
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in SOURCES
        if path.relative_to(REPOSITORY).parts[0] == folder
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if OLD.search(line)
    }
    assert found == set()


def test_help_texts_use_the_words_of_the_field() -> None:
    helps = dict(helps_of(typer.main.get_command(app)))
    assert len(helps) > 25
    assert {name: words for name, text in helps.items() if (words := refused_in(text))} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_use_the_words_of_the_field(page: Path) -> None:
    assert refused_in(page.read_text(encoding="utf-8")) == []


def test_the_page_of_troubles_quotes_messages_as_they_are() -> None:
    """Each quoted message, between its values, stands in a string of the sources."""
    texts = "\n".join(text for path in SOURCES for _, text in sentences_of(path.read_text(encoding="utf-8")))
    quoted = re.findall(
        r"^\| (.*?) \| ", (REPOSITORY / "docs/troubles.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    parts = [
        part.strip()
        for cell in quoted
        for message in re.findall(r"`([^`]+)`", cell)
        for part in message.split("…")
        if part.strip(" .:;")
    ]
    assert len(parts) > 40
    assert [part for part in parts if part not in texts] == []
