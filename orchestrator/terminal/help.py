"""How the help of a command shows what it takes: NAME, [NAME], NAME.., as manuals do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from orchestrator.terminal.wrapping import longest_word, wrap

ALIASES = {"--output": "--out"}
"""Options that have two names: both are taken, help shows the second."""
CONTINUED = " \\"
"""At the end of a line of a command that a shell reads on in the next one."""
TERM_COLUMNS = 30
"""The most that an option and its value take beside what they mean."""


class PlainCommand(TyperCommand):
    """A command whose arguments stand in its help by their names alone.

    Typer's own way is {NAME} and `NAME <str>`: braces that nobody is to type, and types of Python.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after the name of the command in its usage line."""
        named = [_name(one) for one in _arguments(self, ctx)]
        required = [one.required for one in _arguments(self, ctx)]
        return [
            *([self.options_metavar] if self.options_metavar else []),
            *(name if needed else f"[{name}]" for name, needed in zip(named, required, strict=True)),
        ]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does, and its examples so that each can be copied from a narrow terminal."""
        text = inspect.cleandoc(self.help or "").partition("\f")[0]
        if not text:
            return
        formatter.write_paragraph()
        with formatter.indentation():
            blocks = text.split("\n\n")
            for block in blocks:
                if block is not blocks[0]:
                    formatter.write("\n")
                if block.startswith("\b\n"):
                    lines = [
                        fold_command(line, formatter.width - formatter.current_indent)
                        for line in block[2:].split("\n")
                    ]
                    for line in "\n".join(lines).split("\n"):
                        formatter.write(f"{' ' * formatter.current_indent}{line}".rstrip() + "\n")
                else:
                    formatter.write_text(block)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections on arguments and on options."""
        arguments = [(one, one.get_help_record(ctx)) for one in _arguments(self, ctx)]
        options = [
            record
            for one in self.get_params(ctx)
            if one.param_type_name == "option" and (record := _record(one, ctx)) is not None
        ]
        for title, rows in (
            ("Arguments", [(_name(one), record[1]) for one, record in arguments if record is not None]),
            ("Options", options),
        ):
            if rows:
                with formatter.section(title):
                    _write_rows(formatter, rows)


class CommandGroup(typer.Typer):
    """Commands under one name, with help as `PlainCommand` writes it, the same in a terminal, a pipe and a log."""

    def __init__(self, **settings: Any) -> None:
        """As `typer.Typer`."""
        # Without rich the help also comes three times as fast.
        super().__init__(no_args_is_help=True, rich_markup_mode=None, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """As `typer.Typer.command`."""
        return super().command(name, cls=PlainCommand, **settings)


def fold_command(line: str, width: int) -> str:
    """Break a command before options so that it fits the terminal; a shell reads the lines as one command.

    Args:
        line: a command with an indent.
        width: columns; where no place to break fits, the line stays longer.
    """
    indent = line[: len(line) - len(line.lstrip(" "))]
    folded, rest = [], line
    while len(rest) > width:
        begin = len(rest) - len(rest.lstrip(" "))
        places = [
            place
            for place in range(begin + 1, width - len(CONTINUED) + 1)
            if rest.startswith(" -", place) and not any(rest.count(quote, 0, place) % 2 for quote in "'\"")
        ]
        if not places:
            break
        folded.append(rest[: places[-1]] + CONTINUED)
        rest = f"{indent}    {rest[places[-1] + 1 :]}"
    return "\n".join([*folded, rest])


def _record(option: Any, ctx: Any) -> tuple[str, str] | None:
    """The option's names and value and its meaning, with one name for each option that has two."""
    record = option.get_help_record(ctx)
    if record is None:
        return None
    term = record[0]
    for other, name in ALIASES.items():
        if name in option.opts:
            term = term.replace(f", {other}", "")
    return term, record[1]


def _write_rows(formatter: Any, rows: list[tuple[str, str]]) -> None:
    """Terms and what they mean side by side; on a narrow terminal the terms have less room, and no word is torn apart."""
    indent = formatter.current_indent
    room = max(longest_word(meaning) for _, meaning in rows)
    side = min(max(len(term) for term, _ in rows), TERM_COLUMNS, max(4, formatter.width - indent - room - 2))
    for term, meaning in rows:
        begin = " " * indent + term
        if len(term) > side:
            formatter.write(f"{begin}\n")
            begin = ""
        text = wrap(meaning, formatter.width - indent - side - 2).split("\n")
        for line in text:
            formatter.write(f"{begin.ljust(indent + side + 2)}{line}".rstrip() + "\n")
            begin = ""


def _arguments(command: TyperCommand, ctx: Any) -> list[Any]:
    return [one for one in command.get_params(ctx) if one.param_type_name == "argument"]


def _name(argument: Any) -> str:
    name = argument.metavar or str(argument.name).upper()
    return name if argument.nargs == 1 else f"{name}..."
