"""What `orch --help` costs, as a ratio to the `--help` of a bare Typer app with one command.

The programs run in turn, so that a busy machine slows all of them; ratios of the medians and of the least times are
printed. orch prints plain help, which spares it the import of rich; the second comparison is with a bare app that does
the same. The goal is a ratio of at most 1.5 to the first. Run: python bench/bench_startup.py [repeats]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL = 1.5
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


def compare(repeats: int) -> list[list[float]]:
    """Run all in turn; return the seconds of the bare app, of the bare app with plain help, and of orch."""
    orch = Path(sys.executable).with_name("orch")
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for name, options in (("bare", ""), ("plain", "rich_markup_mode=None")):
            program = Path(folder) / f"{name}.py"
            program.write_text(BARE.format(options=options))
            commands.append([sys.executable, str(program), "--help"])
        commands.append([str(orch), "--help"])
        for command in commands:
            measure(command)
        rounds = [[measure(command) for command in commands] for _ in range(repeats)]
    return [list(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    bare, plain, orch = compare(repeats)
    print(f"runs of each         {repeats}, in turn")
    for name, seconds in (("bare Typer", bare), ("bare, plain help", plain), ("orch", orch)):
        print(f"{name:<20} median {statistics.median(seconds):.3f} s, least {min(seconds):.3f} s")
    for name, seconds in (("bare Typer", bare), ("bare, plain help", plain)):
        ratio = statistics.median(orch) / statistics.median(seconds)
        print(f"orch : {name:<16} median {ratio:.2f}, least {min(orch) / min(seconds):.2f}")
    print(f"heavy imports        {', '.join(heavy_imports()) or 'none'}")
    sys.exit(statistics.median(orch) / statistics.median(bare) > GOAL)


if __name__ == "__main__":
    main()
