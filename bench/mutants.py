"""How many small faults in the code the tests find: mutation testing of the rooms where being wrong is worst.

    python -m bench.mutants                    a sample of every room, and the score of each
    python -m bench.mutants queue splits       these rooms
    python -m bench.mutants --each 40 queue    more mutants of each file (0: all of them)
    python -m bench.mutants --seed 2 queue     another sample

A mutant is a file with one change: a comparison turned, a condition dropped, a number moved, a statement or a lock removed. It is never
written to the disk: a forked process imports it in place of the file and runs the tests of its room. A mutant that no test fails on
is a survivor: a test to write, or a change after which nothing can be observed. Those that were read and found to be of the second
kind stand in bench/data/equivalent_mutants.toml with the reason, and are not drawn.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNIT, INTEGRATION = "tests/unit", "tests/integration"
NO_SERVER = "not postgres and not ManyProcesses and not take_turns"


@dataclass(frozen=True)
class Room:
    """Files that are mutated, and the tests that must find it."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    chosen: str = NO_SERVER


ROOMS = {
    "queue": Room(
        ("storage/studies/points.py", "storage/studies/losses.py", "storage/studies/point_records.py", "storage/studies/sweeping.py"),
        (f"{UNIT}/storage/studies", f"{INTEGRATION}/storage/test_losses.py", f"{INTEGRATION}/storage/test_storage_contract.py"),
        NO_SERVER.removesuffix(" and not take_turns"),
    ),
    "splits": Room(("storage/data/splitting.py", "storage/data/folds.py"), tuple(f"{UNIT}/storage/data/test_{name}.py" for name in ("any_split", "further_folds", "golden_splits", "splitting"))),
    "hold-out": Room(
        ("storage/holdout/sealed.py", "storage/holdout/openings.py", "storage/holdout/forgetting.py"),
        (f"{INTEGRATION}/storage/test_holdout.py",),
    ),
    "statistics": Room(
        ("storage/trust/selection.py", "storage/trust/bias.py", "storage/trust/luck.py", "storage/trust/noise.py"),
        (f"{UNIT}/storage/trust", f"{INTEGRATION}/storage/test_selection_on_data.py", f"{INTEGRATION}/storage/test_selection.py"),
        f"{NO_SERVER} and not equal_trials_stay",
    ),
    "metrics": Room(
        ("storage/metrics/epoch.py", "storage/metrics/curves.py", "storage/metrics/tables.py", "storage/metrics/calibration.py", "storage/metrics/judging.py", "storage/metrics/rust.py"),
        (f"{UNIT}/storage/metrics", f"{UNIT}/orchestrator/models/test_clinical_reports.py"),
        "not coverage",
    ),
    "pruning": Room(("workers/pruning/rules.py", "workers/pruning/forecast.py"), (f"{UNIT}/workers/pruning/test_any_curves.py", f"{UNIT}/workers/pruning/test_pruning.py")),
    "login": Room(("dashboards/server/login.py",), (f"{UNIT}/dashboards/server/test_login.py",)),
    "verify": Room(
        ("orchestrator/studies/verify.py", "orchestrator/studies/verify_folds.py"),
        (f"{UNIT}/orchestrator/studies/test_verify_folds.py", f"{INTEGRATION}/orchestrator/test_planted_faults.py"),
    ),
    "tasks": Room(
        tuple(f"storage/tasks/{name}.py" for name in ("class_metrics", "classes", "labels", "number_metrics", "numbers", "ordered")),
        (f"{UNIT}/storage/tasks",),
    ),
    "practice": Room(
        tuple(f"storage/practice/{name}.py" for name in ("abstention", "conformal", "decisions", "prevalence", "subgroups", "units")),
        (f"{UNIT}/storage/practice",),
    ),
    "comparison": Room(
        ("storage/trust/differences.py", "storage/trust/comparison.py"),
        (f"{UNIT}/storage/trust/test_differences.py",),
    ),
    "search": Room(
        ("storage/spec/conditions.py", "storage/spec/ranges.py", "storage/spec/hyperparameters.py"),
        (f"{UNIT}/storage/spec", f"{UNIT}/orchestrator/planning/test_plan_with_conditions.py"),
    ),
}  # fmt: skip

COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt,), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt,), ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
TWINS = {
    "min": "max",
    "any": "all",
    "maximum": "minimum",
    "floor": "ceil",
    "zeros": "ones",
    "nanmax": "nanmin",
    "argmax": "argmin",
    "sum": "mean",
}
TWINS |= {other: one for one, other in TWINS.items()}
REMOVED_CALLS = {
    "with_for_update",
    "order_by",
    "limit",
    "distinct",
    "on_conflict_do_nothing",
    "copy",
    "strip",
    "lower",
}
EQUIVALENT = ROOT / "bench" / "data" / "equivalent_mutants.toml"
NOT_MUTATED = (ast.JoinedStr, ast.Import, ast.ImportFrom, ast.arg, ast.Assert)

UNSEEN = ("strict", "encoding", "why", "next_step", "dtype")
"""Keywords that guard against mistakes, hold words, or narrow what is stored anyway."""

Change = tuple[str, ast.AST | None]
"""What is changed, in words, and the node that takes the place; None removes a statement."""


def changes_of(node: ast.AST) -> Iterator[Change]:
    """Every mutant of one node."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                operators = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                yield "comparison", ast.Compare(node.left, operators, node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield "arithmetic", ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield "and / or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for place in range(len(node.values)):
            rest = node.values[:place] + node.values[place + 1 :]
            yield "condition dropped", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield "sign", node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.IfExp):
        yield from (("arm", node.body), ("arm", node.orelse))
    elif isinstance(node, ast.If):
        for truth in (True, False):
            yield f"if {truth}", ast.If(ast.Constant(truth), node.body, node.orelse)
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield "returns None", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Raise | ast.Continue | ast.Break | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "removed", None
    elif isinstance(node, ast.Call):
        yield from _calls(node)


def _constants(value: object) -> Iterator[Change]:
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield from (("constant", ast.Constant(value + step)) for step in (1, -1))
    elif isinstance(value, float):
        yield "constant", ast.Constant(value * 1.3 + 0.01)


def _calls(node: ast.Call) -> Iterator[Change]:
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if isinstance(called, ast.Attribute):
        if name in REMOVED_CALLS:
            yield f"{name} removed", called.value
        if name in TWINS:
            yield (
                "twin",
                ast.Call(ast.Attribute(called.value, TWINS[name], ast.Load()), node.args, node.keywords),
            )
    elif name in TWINS:
        yield "twin", ast.Call(ast.Name(TWINS[name], ast.Load()), node.args, node.keywords)
    if (
        name == "where"
        and len(node.args) > 1
        and not any(isinstance(arg, ast.Starred) for arg in node.args[:1])
    ):
        for place in range(len(node.args)):
            rest = node.args[:place] + node.args[place + 1 :]
            if isinstance(called, ast.Attribute) and getattr(called.value, "id", "") != "np":
                yield "where dropped", ast.Call(called, rest, node.keywords)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in UNSEEN:
            yield (
                f"{keyword.arg}= removed",
                ast.Call(called, node.args, node.keywords[:place] + node.keywords[place + 1 :]),
            )


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    file: str
    line: int
    code: str
    what: str
    source: str


def _read_equivalent(file: str) -> set[tuple[str, str]]:
    """The line and the change of each mutant of a file that is known to change nothing."""
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {(one["line"], one["change"]) for one in listed if one["file"] == file}


def mutate(file: str) -> list[Mutant]:
    """Every mutant of a file."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = []
    for place, node in enumerate(_mutable(ast.parse(text))):
        for number, (what, _) in enumerate(changes_of(node)):
            tree = ast.parse(text)
            victim = _mutable(tree)[place]
            replacement = list(changes_of(victim))[number][1]
            what = f"{what}: {_show(node)} -> {_show(replacement)}"
            mutated = _Replacement(victim, replacement).visit(tree)
            source = ast.unparse(ast.fix_missing_locations(mutated))
            line = getattr(node, "lineno", 0)
            code = text.splitlines()[line - 1].strip() if line else ""
            found.append(Mutant(file, line, code, what, source))
    return found


def _show(node: ast.AST | None) -> str:
    """The first line of a part of a program."""
    text = "nothing" if node is None else ast.unparse(ast.fix_missing_locations(node)).split("\n")[0]
    return text if len(text) <= 70 else f"{text[:70]}.."


def _mutable(tree: ast.AST) -> list[ast.AST]:
    """The nodes that decide something: no annotation, text, decorator, import, or words of an error."""
    found: list[ast.AST] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, NOT_MUTATED) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        ):
            return
        found.append(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "bases", "exc"):
                continue
            if isinstance(node, ast.keyword) and node.arg in UNSEEN:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    visit(child)

    visit(tree)
    return found


class _Replacement(ast.NodeTransformer):
    def __init__(self, victim: ast.AST, replacement: ast.AST | None) -> None:
        self.victim, self.replacement = victim, replacement

    def visit(self, node: ast.AST) -> ast.AST:
        """Put the replacement in the place of the victim."""
        if node is not self.victim:
            return self.generic_visit(node)
        if self.replacement is None:
            return ast.Pass()
        return self.replacement


class _Importer:
    """Serves one module from a text in place of its file."""

    def __init__(self, file: str, source: str) -> None:
        self.name, self.path, self.source = (
            file.removesuffix(".py").replace("/", "."),
            str(ROOT / file),
            source,
        )

    def find_spec(self, name: str, *_: object) -> object:
        """Answer for the mutated module alone."""
        from importlib.util import spec_from_loader

        return spec_from_loader(name, self, origin=self.path) if name == self.name else None

    def create_module(self, _spec: object) -> None:
        """Let Python make it."""

    def exec_module(self, module: object) -> None:
        """Run the mutated source."""
        exec(compile(self.source, self.path, "exec"), vars(module))


def run_tests(room: Room, file: str, source: str, limit: float) -> tuple[bool, float, str]:
    """Run the tests of a room on a mutant in a forked process. Returns whether all passed, seconds, and the last lines."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _be_tests(room, file, source, output.fileno())
        code = _wait(child, began + limit)
        output.seek(0)
        tail = output.read().decode(errors="replace")[-1500:]
    return code == 0, time.monotonic() - began, tail


def _be_tests(room: Room, file: str, source: str, output: int) -> None:
    try:
        os.setsid()
        os.chdir(ROOT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.meta_path.insert(0, _Importer(file, source))  # type: ignore[arg-type]
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "-k", room.chosen]
        code = int(pytest.main([*options, *room.tests]))
    except BaseException as error:
        print(repr(error))
        code = 99
    os._exit(code)


def _wait(child: int, end: float) -> int:
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def measure(
    name: str, room: Room, each: int, seed: int, say: Callable[[str], None] = print
) -> tuple[int, int]:
    """Run a sample of the mutants of a room, drawn with a seed. Returns how many were killed, and of how many."""
    killed = total = 0
    for file in room.files:
        whole = ast.unparse(ast.parse((ROOT / file).read_text(encoding="utf-8")))
        passed, seconds, tail = run_tests(room, file, whole, 900)
        if not passed:
            raise SystemExit(f"The tests of {file} fail without any change:\n{tail}")
        known = _read_equivalent(file)
        mutants = [m for m in mutate(file) if (m.code, m.what) not in known]
        chosen = mutants if not each else random.Random(seed).sample(mutants, min(each, len(mutants)))
        survivors = [m for m in chosen if run_tests(room, file, m.source, max(30.0, 8 * seconds))[0]]
        for mutant in survivors:
            say(f"    survived: {file}:{mutant.line} {mutant.what}    [{mutant.code}]")
        say(
            f"  {file}: {len(chosen) - len(survivors)} of {len(chosen)} killed ({len(mutants)} there are, {seconds:.1f} s each)"
        )
        killed, total = killed + len(chosen) - len(survivors), total + len(chosen)
    say(f"{name}: {killed} of {total} killed, {killed / max(total, 1):.0%}")
    return killed, total


def main() -> None:
    """Measure the rooms that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rooms", nargs="*", choices=[[], *ROOMS], default=[], metavar="ROOM")
    parser.add_argument("--each", type=int, default=12, help="mutants of each file; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws another sample")
    chosen = parser.parse_args()
    # What the tests import of others is loaded once; of orch nothing, so that each process imports the mutant.
    import hypothesis.stateful  # noqa: F401
    import iterstrat.ml_stratifiers  # noqa: F401
    import optuna.storages  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.metrics
    import sklearn.model_selection  # noqa: F401

    sums = [
        measure(name, ROOMS[name], chosen.each, chosen.seed, lambda text: print(text, flush=True))
        for name in chosen.rooms or ROOMS
    ]
    killed, total = (sum(part) for part in zip(*sums, strict=True))
    print(
        f"all: {killed} of {total} killed, {killed / max(total, 1):.1%}; survivors that were not read yet are among them"
    )


if __name__ == "__main__":
    main()
