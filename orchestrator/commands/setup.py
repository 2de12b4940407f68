"""`orch init`, `orch doctor`, `orch demo` and `orch self-test`: the first things a new user runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.options import AsJson, DataFolders, Storage

if TYPE_CHECKING:
    from orchestrator.machine.doctor import Check

TEMPLATES = ("orch.toml", "study.toml")


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write the files.", show_default="here")
    ] = Path(),
) -> None:
    """Write orch.toml and study.toml to start from.

    orch.toml holds settings, study.toml a spec, with every key explained. An existing file is not changed.

    \b
    Example:
      orch init
    """
    from storage.errors import UsageError
    from storage.files.writing import write_text

    if not folder.is_dir():
        raise UsageError(f"The folder {folder} does not exist.", next_step="Make it first.")
    for name in TEMPLATES:
        if (folder / name).exists():
            console.say(f"{folder / name} exists and was not changed.")
            continue
        write_text(folder / name, (Path(__file__).parents[1] / name).read_text(encoding="utf-8"))
        console.say(f"Wrote {folder / name}.")
    console.say("Next: orch study create NAME --spec study.toml --data DIR")


def doctor(data: DataFolders = None, storage: Storage = None, as_json: AsJson = False) -> None:
    """Check that this machine is ready.

    Storage, schema, clocks, data folders, cache, TensorFlow and GPU; exit code 1 if one of them fails.

    \b
    Example:
      orch doctor --data my-data
    """
    from orchestrator.machine.doctor import check_machine

    _show_checks(check_machine(storage, data), as_json=as_json)


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Folder for all files of the demo.")
    ] = Path("demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete an earlier demo first.")] = False,
) -> None:
    """Try orch on synthetic radiographs.

    Draws them, imports them, and runs two studies, each to its best.json: Regime I (random search) and Regime II (grid).
    This takes minutes on two cores.
    Run it again to continue after an interruption.

    \b
    Example:
      orch demo
    """
    from orchestrator.demo.first_run import run_demo

    raise typer.Exit(run_demo(folder, fresh=fresh))


def self_test(
    gpus: Annotated[
        str,
        typer.Option(metavar="all|0,1|UUID|none", help="GPUs to train on; the CPU unless told otherwise."),
    ] = "none",
    as_json: AsJson = False,
) -> None:
    """Check this installation with a small study.

    Draws images, imports them, creates a study, trains it in a worker process, verifies and exports it: less than a
    minute. Everything is made in a temporary folder and removed. Exit code 1 if a step fails.

    \b
    Example:
      orch self-test
    """
    from orchestrator.demo.self_test import run_self_test

    _show_checks(run_self_test(gpus=gpus), as_json=as_json)
    if not as_json:
        console.print_line("This installation works.")


def _show_checks(checks: Iterable[Check], *, as_json: bool) -> None:
    """Print each check as soon as it is made, since some take seconds; exit code 1 if one of them fails."""
    from dataclasses import asdict

    from orchestrator.machine.doctor import FAIL

    made = []
    for check in checks:
        made.append(check)
        if not as_json:
            console.print_line(f"{check.status:<4}  {check.name:<10}  {check.text}", hang=18)
    if as_json:
        console.print_json([asdict(check) for check in made])
    if any(check.status == FAIL for check in made):
        raise typer.Exit(1)
