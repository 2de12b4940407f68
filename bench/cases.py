"""How many inputs of the kinds that people bring does an import take rightly, or refuse by name?

Each case makes its input (`case_inputs`), runs one command on it, and judges what came of it.
`tests/integration/orchestrator/test_cases.py` runs the same cases. Run: python -m bench.cases [words that a name must have]
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.case_inputs import Outcome
from bench.case_list import CASES, Case


def run_case(case: Case, folder: Path) -> Outcome:
    """Make the input of a case in an empty folder and import it, in this process."""
    from orchestrator.cli import run

    case.make(folder)
    table = next((path.name for path in sorted(folder.glob("labels.*"))), None)
    source = [] if "--class-folders" in case.options or table is None else ["--labels", table]
    printed, said = io.StringIO(), io.StringIO()
    words = ["data", "import", "images", *source, "--out", "data", "--json", *case.options]
    with _within(folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        code = run(words)
    return Outcome(code, said.getvalue(), printed.getvalue(), folder)


@contextlib.contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("ORCH_")]:
        del os.environ[name]
    os.environ.update(ORCH_CACHE=str(folder / "cache"), NO_COLOR="1", COLUMNS="500")
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Print what is not right, and the count; leave with 1 where anything is not."""
    chosen = [case for case in CASES if all(word in case.name for word in sys.argv[1:])]
    right = 0
    for case in chosen:
        with tempfile.TemporaryDirectory() as name:
            outcome = run_case(case, Path(name))
            found = case.is_right(outcome)
        right += found
        if not found:
            print(f"FAULT  {case.name}: exit {outcome.code}: {outcome.said.strip()[:300]}")
    print(f"{right} of {len(chosen)} right")
    sys.exit(int(right < len(chosen)))


if __name__ == "__main__":
    main()
