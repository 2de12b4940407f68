"""What the command costs before it does anything: `orch --help` and `orch study create --help`, as ratios.

Beside `python -c pass`, and beside the `--help` of a bare Typer app with one command, with rich help and with plain help
as orch prints it. The programs run in turn, so that a busy machine slows all of them; ratios of the medians and of the
least times are printed. The goal is at most 1.5 times the bare app. Run: python -m bench.startup [repeats]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL = 1.5
NOTHING, BARE_HELP = "python -c pass", "bare Typer"
HEAVY = ("optuna", "tensorflow", "keras", "sqlalchemy", "pydantic", "plotly", "numpy")
BARE = '''
import typer
app = typer.Typer({options})
@app.command()
def greet(name: str = "you") -> None:
    """Say hello."""
    typer.echo(name)
app()
'''


def measure(command: list[str]) -> float:
    """Seconds that one run takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def heavy_imports() -> list[str]:
    """Heavy packages that `orch --help` imports; there should be none."""
    program = (
        "import sys, contextlib, io; from orchestrator import cli\n"
        "with contextlib.redirect_stdout(io.StringIO()): cli.run(['--help'])\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.split()


def compare(repeats: int) -> dict[str, list[float]]:
    """Run all in turn, after once for nothing; return the seconds of each run, by the names that `main` prints."""
    orch = str(Path(sys.executable).with_name("orch"))
    with tempfile.TemporaryDirectory() as folder:
        commands = {NOTHING: [sys.executable, "-c", "pass"]}
        for name, options in ((BARE_HELP, ""), ("bare, plain help", "rich_markup_mode=None")):
            program = Path(folder) / f"{len(commands)}.py"
            program.write_text(BARE.format(options=options))
            commands[name] = [sys.executable, str(program), "--help"]
        commands["orch"] = [orch, "--help"]
        commands["orch study create"] = [orch, "study", "create", "--help"]
        for command in commands.values():
            measure(command)
        rounds = [[measure(command) for command in commands.values()] for _ in range(repeats)]
    return dict(zip(commands, map(list, zip(*rounds, strict=True)), strict=True))


def main() -> None:
    """Print the table; exit code 1 when the goal is missed."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    seconds = compare(repeats)
    print(f"runs of each         {repeats}, in turn")
    for name, runs in seconds.items():
        print(f"{name:<20} median {statistics.median(runs):.3f} s, least {min(runs):.3f} s")
    for name in ("orch", "orch study create"):
        for other in list(seconds)[:3]:
            ratio = statistics.median(seconds[name]) / statistics.median(seconds[other])
            print(
                f"{name} : {other:<16} median {ratio:.2f}, least {min(seconds[name]) / min(seconds[other]):.2f}"
            )
    print(f"heavy imports        {', '.join(heavy_imports()) or 'none'}")
    sys.exit(int(statistics.median(seconds["orch"]) / statistics.median(seconds[BARE_HELP]) > GOAL))


if __name__ == "__main__":
    main()
