"""No word is torn apart at the edge of a terminal, whatever its width, and no command that is to be pasted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator

import pytest

from orchestrator.terminal import console
from orchestrator.terminal.help import fold_command
from orchestrator.terminal.wrapping import fit_columns, least_widths, natural_widths, wrap
from tests.unit.test_documentation import COMMANDS

WIDTHS = (60, 80, 120, 200)
FRAME = re.compile(r"\x1b\[[0-9;]*m|[│┃━─┏┓┗┛┡┩└┘├┤┬┴┼╇╈┳┻╋]")
LONG = "sha256:" + "0123456789abcdef" * 4
COLUMNS = ["study", "regime", "state", "trials", "complete", "pruned", "failed", "best", "created"]
ROWS = [
    ["a-study-with-a-rather-long-name", "I", "left to others", 100, 80, 19, 1, 0.8123, "2026-11-27 06:30"],
    [LONG, None, "finished", 4, 4, 0, 0, None, "2026-11-27 06:31"],
]
SENTENCES = [
    "In 4 of 10 configurations the last mini-batch of each epoch has 4 images or fewer but still counts as a full step.",
    "1 warning was recorded at creation; show it with `orch study show first --warnings` or read docs/audit.md first.",
]

Shown = Callable[[Callable[[], None]], str]


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def shown(width: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """What a terminal of that width is given, without COLUMNS: a real pseudo-terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))

    given = bytearray()

    def read() -> None:
        # A pseudo-terminal holds 4 kB; who writes more waits for a reader.
        with contextlib.suppress(OSError):
            while block := os.read(master, 4096):
                given.extend(block)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def show(print_it: Callable[[], None]) -> str:
        with os.fdopen(slave, "w", encoding="utf-8") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            monkeypatch.setattr(sys, "stderr", stream)
            print_it()
            monkeypatch.undo()
        reader.join(10)
        return given.decode().replace("\r\n", "\n")

    yield show
    os.close(master)


def words_of(text: str) -> list[str]:
    return FRAME.sub(" ", text).split()


def too_long(text: str, width: int) -> list[str]:
    """Lines that go past the edge although they could have been broken between words; the indent counts as part of a word."""
    lines = re.sub(r"`[^`]+`", lambda found: found[0].replace(" ", "_"), text).split("\n")
    return [
        line
        for line in lines
        if len(FRAME.sub("", line)) > width and not re.fullmatch(r" *(\S+ +)?\S+", line)
    ]


def test_a_table(shown: Shown, width: int) -> None:
    text = shown(lambda: console.print_table(COLUMNS, ROWS, title="Studies of everybody"))
    whole = {console.show(cell) for row in ROWS for cell in row}
    assert set(" ".join(whole).split()) <= set(words_of(text))
    assert too_long(text, width) == []
    assert ("┃" in text) == (width == 200)


@pytest.mark.parametrize("room", range(60, 100))
def test_columns_that_are_too_wide_give_way_to_the_last_character(room: int) -> None:
    columns = [
        "label",
        "development: assessed",
        "positive",
        "share",
        "hold-out: assessed",
        "positive",
        "share",
    ]
    row = ["pneumonia", "521", "261", "0.5010", "93", "47", "0.5054"]
    least, natural = least_widths(columns, [row]), natural_widths(columns, [row])
    widths = fit_columns(least, natural, room)
    assert widths is not None
    assert all(a <= b <= c for a, b, c in zip(least, widths, natural, strict=True))
    assert sum(widths) == min(room, sum(natural))


def test_a_table_of_headings_that_are_broken_keeps_its_right_edge(shown: Shown, width: int) -> None:
    columns = [
        "label",
        "development: assessed",
        "positive",
        "share",
        "hold-out: assessed",
        "positive",
        "share",
    ]
    row = ["pneumonia", 521, 261, 0.501, 93, 47, 0.5054]
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown(lambda: console.print_table(columns, [row]))).splitlines()
    if width >= 80:
        assert {line[-1] for line in lines} <= set("┓┃┩│┘")
        assert max(map(len, lines)) <= width


def test_a_warning_on_one_line(shown: Shown, width: int) -> None:
    cut: list[bool] = []
    text = shown(lambda: cut.extend(map(console.warn_briefly, ["Short.", SENTENCES[0]])))
    first, second = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert (first, cut[0]) == ("warning: Short.", False)
    assert second.startswith("warning: In 4 of 10 configurations the last")
    assert len(second) <= width
    assert cut[1] == second.endswith(" ...") == (width < 125)


@pytest.mark.parametrize(("name", "value", "coloured"), [("TERM", "xterm", True), ("TERM", "dumb", False), ("NO_COLOR", "1", False)])  # fmt: skip
def test_warnings_and_failures_have_a_colour_where_colours_are_wanted(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, name: str, value: str, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)

    def print_it() -> None:
        console.warn("Look.")
        console.fail("It failed.")

    text = shown(print_it)
    plain = "warning: Look.\norch: It failed.\n"
    assert text == (plain.replace("warning:", "\x1b[33mwarning:\x1b[0m").replace("orch:", "\x1b[31morch:\x1b[0m") if coloured else plain)  # fmt: skip


def test_facts_and_sentences(shown: Shown, width: int) -> None:
    def print_it() -> None:
        console.print_facts([("model", SENTENCES[0]), ("fingerprint", LONG)])
        for sentence in SENTENCES:
            console.warn(sentence)

    text = re.sub(r"\x1b\[[0-9;]*m", "", shown(print_it))
    said = f"model {SENTENCES[0]} fingerprint {LONG} " + " ".join(f"warning: {one}" for one in SENTENCES)
    assert words_of(text) == said.split()
    assert too_long(text, width) == []
    assert "`orch study show first --warnings`" in text


def help_of(name: str) -> list[str]:
    text = COMMANDS[name].make_context(f"orch {name}", [], resilient_parsing=True).get_help()
    text = re.sub(r" \\\n +", " ", text)  # a command that goes on in the next line
    # A line may end at the hyphen of a word, not at that of an option.
    return re.sub(r"(?<= )(\w[\w-]*-)\n +", r"\1", text).split()


@pytest.mark.parametrize("columns", [*map(str, WIDTHS), ""])
def test_help(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    wanted = {name: help_of(name) for name in COMMANDS}
    monkeypatch.setenv("COLUMNS", columns)
    assert [name for name in COMMANDS if help_of(name) != wanted[name]] == []


def test_what_goes_to_a_file_keeps_its_lines() -> None:
    assert wrap(SENTENCES[0], None) == SENTENCES[0]


def test_an_indent_is_kept() -> None:
    assert wrap("    one two three four five", 20) == "    one two three\n    four five"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("  orch init", ["  orch init"]),
        ("  orch a b --one 1 --two 2", ["  orch a b --one 1 \\", "      --two 2"]),
        (
            "  orch a --one 1 --two 2 --three 3 -o f",
            ["  orch a --one 1 \\", "      --two 2 \\", "      --three 3 -o f"],
        ),
        # Not within quotes, and not where nothing fits.
        ("  orch a --on 'x --y z --w v'", ["  orch a \\", "      --on 'x --y z --w v'"]),
    ],
)
def test_an_example_is_broken_before_options_and_a_shell_reads_it_as_one_command(
    command: str, lines: list[str]
) -> None:
    folded = fold_command(command, 22)
    assert folded.split("\n") == lines
    assert shlex.split(folded.replace("\\\n", " ")) == shlex.split(command)
