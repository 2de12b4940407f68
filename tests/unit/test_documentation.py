"""What README, docs, help texts and messages tell a reader to do can be done."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from orchestrator.cli import app, run
from tests.conftest import REPOSITORY

ROOT: Any = typer.main.get_command(app)
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
SOURCES = [
    path
    for folder in ("storage", "workers", "dashboards", "orchestrator")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
]
ALWAYS = {"--help"}
PROGRAM = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S*/)?orch(?= |$)")


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield " ".join(path), command
        return
    for name, part in inner.items():
        yield from commands(part, (*path, name))


COMMANDS = dict(commands(ROOT))


def what_is_wrong(line: str) -> str:
    """Why this line does not fit the command `orch`; empty when it does, or when it is no such line."""
    start = PROGRAM.match(line.strip())
    if not start:
        return ""
    text = re.split(r"\s[|&>]|\s{2,}#?\S|…|\.\.\. ", line.strip()[start.end() :])[0]
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        words = text.split()
    command = ROOT
    while words and not words[0].startswith("-") and (inner := getattr(command, "commands", None)):
        if words[0] not in inner:
            return f"`{line.strip()}`: there is no command {words[0]!r}"
        command = inner[words.pop(0)]
    known = {
        name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
    } | ALWAYS
    for word in words:
        option = word.partition("=")[0].strip("[].,")
        if re.fullmatch(r"--?[a-z][a-z-]*", option) and option not in known:
            return f"`{line.strip()}`: there is no option {option}"
    return ""


def code_of(page: Path) -> Iterator[str]:
    """The lines of code blocks, fenced or indented, and the code within sentences."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line
        else:
            yield from re.findall(r"`([^`]+)`", line)


def test_the_check_itself_sees_what_is_wrong() -> None:
    assert what_is_wrong("orch study create first --regime I --data my-data   # says what it costs") == ""
    assert what_is_wrong("ls -l") == ""
    assert "no command 'studdy'" in what_is_wrong("orch studdy list")
    assert "no command 'invent'" in what_is_wrong("$ .venv/bin/orch study invent first")
    assert "no option --date" in what_is_wrong("orch worker first --date my-data")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_command_on_a_page_exists(page: Path) -> None:
    assert [problem for line in code_of(page) if (problem := what_is_wrong(line))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_on_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    inside = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_make_target_on_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {found[1] for line in code_of(page) if (found := re.match(r"\s*make ([a-z]+)", line))}
    assert named - targets == set()


def test_every_page_of_the_docs_can_be_reached_from_their_index() -> None:
    index = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [str(path.relative_to(REPOSITORY / "docs")) for path in (REPOSITORY / "docs").rglob("*.md")]
    assert [page for page in pages if page != "index.md" and f"({page})" not in index] == []


def test_every_page_of_the_docs_is_in_one_menu_of_the_site() -> None:
    site = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))
    named = [page for menu in site["nav"] for pages in menu.values() for page in pages]
    listed = sorted(page for page in named if isinstance(page, str))
    assert listed == sorted(
        str(path.relative_to(REPOSITORY / "docs")) for path in (REPOSITORY / "docs").rglob("*.md")
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_that_fits_it(name: str) -> None:
    text = COMMANDS[name].help or ""
    examples = [line for line in text.splitlines() if PROGRAM.match(line.strip())]
    assert any(line.strip().startswith(f"orch {name}") for line in examples), "no example"
    assert [problem for line in examples if (problem := what_is_wrong(line))] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    options = [parameter for parameter in COMMANDS[name].params if parameter.param_type_name == "option"]
    assert [option.name for option in options if not getattr(option, "help", None)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_shows_what_is_typed_and_no_braces_or_types(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    usage, _, rest = shown.partition("\n")
    assert re.fullmatch(rf"Usage: orch {name} \[OPTIONS\]( \[?[A-Z|]+\]?(\.\.\.)?)*", usage), usage
    terms = re.findall(r"^  (\S.*?)(?:  |$)", rest.partition("\nArguments:")[2] or rest, re.MULTILINE)
    assert [term for term in terms if re.search(r"[<>{}]", term)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_on_some_page(name: str) -> None:
    assert any(f"orch {name}" in page.read_text(encoding="utf-8") for page in PAGES)


def test_the_next_steps_in_messages_exist() -> None:
    problems = [
        f"{path.relative_to(REPOSITORY)}: {problem}"
        for path in SOURCES
        for code in re.findall(r"`(orch [^`\n]+)`", path.read_text(encoding="utf-8"))
        if (problem := what_is_wrong(re.sub(r"\{[^}]*\}", "VALUE", code)))
    ]
    assert problems == []


def test_every_file_that_the_walks_of_contributing_name_exists() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:storage|workers|dashboards|orchestrator|tests|docs)/[\w/.-]+)`", text)
    assert len(named) > 25
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def test_pictures_of_the_readme_are_there_and_small() -> None:
    named = re.findall(
        r'<img src="(docs/pictures/\w+\.png)"', (REPOSITORY / "README.md").read_text(encoding="utf-8")
    )
    assert len(named) >= 2
    for name in named:
        assert (REPOSITORY / name).stat().st_size < 150_000, name


PLACE = re.compile(
    r"`((?:storage|workers|dashboards|orchestrator|orch|tests|bench|scripts|examples|docs|requirements)/[\w./-]*)(?:::\w+)?`"
)
MODULE = re.compile(r"`((?:storage|workers|dashboards|orchestrator|tests)(?:\.[a-z_]\w*)+)")


def missing_places(text: str) -> list[str]:
    """The files, folders and modules of this repository that a page names and that are not there."""
    missing = [place for place in PLACE.findall(text) if not (REPOSITORY / place).exists()]
    for name in MODULE.findall(text):
        # The last part may be a name within the module.
        paths = [REPOSITORY.joinpath(*name.split(".")), REPOSITORY.joinpath(*name.split(".")[:-1])]
        if not any(path.is_dir() or path.with_suffix(".py").is_file() for path in paths):
            missing.append(name)
    return missing


def test_a_place_that_moved_is_seen() -> None:
    assert missing_places(
        "`storage/clinical/`, `storage/metrics/`, `storage.clinical.medical`, `storage.spec.parse`"
    ) == [
        "storage/clinical/",
        "storage.clinical.medical",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_modules_that_a_page_names_are_there(page: Path) -> None:
    assert missing_places(page.read_text(encoding="utf-8")) == []


def test_names_on_the_walks_are_where_they_are_said_to_be() -> None:
    text = " ".join((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    walks = text[text.index(" walks: where to change what") : text.index("## Rules that a tool checks")]
    said = re.findall(r"`(\w+)`(?: and `(\w+)`)?,? (?:\(|in )`([\w/]+\.py)`", walks)
    assert len(said) >= 5
    for *names, place in said:
        source = (REPOSITORY / place).read_text(encoding="utf-8")
        assert [
            name for name in names if name and not re.search(rf"^(class )?{name}\b", source, re.MULTILINE)
        ] == []


def test_every_figure_is_explained_and_has_a_small_picture() -> None:
    page = (REPOSITORY / "docs" / "figures.md").read_text()
    sources = sorted((REPOSITORY / "dashboards" / "figures").glob("*.py"))
    drawn = {name for path in sources for name in re.findall(r'Picture\("([a-z-]+)"', path.read_text())}
    explained = set(re.findall(r"`([a-z-]+)`", page))
    assert drawn >= {"search", "roc", "decisions", "fleet"}
    assert drawn - explained == set()
    shown = re.findall(r'<img src="pictures/figures/([a-z-]+)\.png"', page)
    listed = set(re.findall(r"^\| `([a-z-]+)`", page, re.MULTILINE))
    assert listed <= set(shown)
    for name in shown:
        path = REPOSITORY / "docs" / "pictures" / "figures" / f"{name}.png"
        assert path.stat().st_size < 80_000, name
