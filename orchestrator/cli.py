"""The `orch` command: mounts the commands, and turns every failure into one clear message."""

from __future__ import annotations

import contextlib
import difflib
import functools
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from orchestrator.commands import (
    compare,
    dashboard,
    db,
    features,
    fleet,
    publish,
    report,
    setup,
    status,
    trial,
    worker,
)
from orchestrator.commands.data import group as data
from orchestrator.commands.model import group as model
from orchestrator.commands.study import group as study
from orchestrator.terminal import console
from orchestrator.terminal.completing import join_words
from orchestrator.terminal.failures import FAILED, report_error, report_os_error
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.streams import (
    fill_missing_streams,
    find_narrow_names,
    keep_control_characters_off,
)
from orchestrator.terminal.streams import forget_stdout as _forget_stdout
from storage.wording import printable
from workers.device.spared_imports import spare_imports

USAGE_ERROR = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What Typer raises for a wrong command line; it has no public name there."""
INTERRUPTED = 130
"""Stopped by Ctrl-C (SIGINT)."""

HELP = """k-fold hyperparameter studies of Keras image models on many machines.

\b
Start here:
  orch demo                      a guided first run on synthetic radiographs
  orch init                      write a commented orch.toml and study.toml
\b
The steps of a study:
  orch data import IMAGES --labels labels.csv --group patient_id --out my-data
  orch study create first --regime I --data my-data
  orch worker first --data my-data          on as many machines as you have
  orch study watch first
  orch study export first -o best.json
"""

app = CommandGroup(
    name="orch", help=HELP, pretty_exceptions_show_locals=False, pretty_exceptions_enable=False
)
app.command("init")(setup.init)
app.command("doctor")(setup.doctor)
app.command("demo")(setup.demo)
app.command("self-test")(setup.self_test)
app.command("worker")(worker.worker)
app.command("status", short_help="Show the workers, and the trials that open studies have left.")(
    status.status
)
app.command("dashboard")(dashboard.dashboard)
app.command("report")(report.report)
app.command("publish", short_help="Write what a paper needs: page, PDF, figures, tables, methods.")(
    publish.publish
)
app.command("compare")(compare.compare)
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
app.add_typer(study.app, name="study")
app.add_typer(trial.app, name="trial")
app.add_typer(model.app, name="model")
app.add_typer(fleet.app, name="fleet")
app.add_typer(db.app, name="db")


def _show_version(wanted: bool) -> None:
    if wanted:
        from workers.device.versions import orch_version

        typer.echo(f"orch {orch_version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    fill_missing_streams()
    keep_control_characters_off()
    spare_imports()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show a character shows "?", and the command goes on.
            stream.reconfigure(errors="replace")
    # Shells ask without arguments; a command begins without what that needs.
    is_completing = len(sys.argv) == 1 and join_words()
    if not is_completing and (encoding := find_narrow_names()):
        console.warn(
            f"Names of files are read in {encoding} here, as the locale says, and other machines read others: set LC_ALL=C.UTF-8 or PYTHONUTF8=1."
        )
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        code = report_os_error(error)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; this is the one place where errors become messages."""
    arguments, debug = _take_debug(arguments)
    try:
        left_with = _commands().main(list(arguments), prog_name="orch", standalone_mode=False)
        return left_with if isinstance(left_with, int) else 0
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else FAILED if leaving.code else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return FAILED
    except typer.Abort:
        typer.echo("Nothing was done.", err=True)
        return FAILED
    except Exception as error:
        if isinstance(error, USAGE_ERROR):
            return _report_usage(error)
        if debug:
            import traceback

            sys.stderr.write(printable(traceback.format_exc()))
        return report_error(error, debug=debug)


@functools.cache
def _commands() -> Any:
    """All commands as Typer makes them of the functions: once for all command lines that a process runs."""
    return typer.main.get_command(app)


def _take_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Find `--debug` wherever it stands: who has just seen an error adds it at the end of the line."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    kept = [word for place, word in enumerate(arguments) if word != "--debug" or place > end]
    return kept, len(kept) < len(arguments)


def _report_usage(error: Any) -> int:
    """Show what is wrong with the command line in words; Typer's own are those of the checks behind it."""
    cause = error.__cause__
    problem = cause.errors()[0] if hasattr(cause, "errors") else {}
    kind, given = str(problem.get("type", "")), problem.get("input")
    choices = str(getattr(getattr(error, "param", None), "metavar", None) or "").split("|")
    if kind.startswith(("int_", "float_")) and kind.endswith(("_parsing", "_from_float")):
        error.message = f"{given!r} is not a {'whole ' if kind.startswith('int') else ''}number."
    elif "is not one of" in error.message:
        known = choices if len(choices) > 1 else re.findall("'([^']*)'", error.message)[1:]
        near = difflib.get_close_matches(str(given), known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        error.message = f"{given!r} is not one of {', '.join(known)}.{hint}"
    else:
        error.message = error.message.removeprefix("Value error, ").replace("Input should be", "It should be")
    # What was typed, or came out of a file name by the shell, is shown and does nothing.
    text = printable(error.format_message())
    error.format_message = lambda: text
    with contextlib.suppress(OSError):
        error.show()
    return int(error.exit_code)


if __name__ == "__main__":
    main()
