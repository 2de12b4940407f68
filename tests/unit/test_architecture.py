"""The house stands as it is described: who may import whom, how long a file is, what is committed."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from tests.conftest import REPOSITORY

STOREYS = ("orch", "orchestrator", "workers", "dashboards", "storage")
LONGEST_FILE, MOST_FILES = 400, 14
SLOW_TO_IMPORT = {
    "jax",
    "keras",
    "optuna",
    "optuna_dashboard",
    "plotly",
    "pydantic",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "tensorflow",
}
REGISTRIES = re.compile(
    r"https?://([a-z0-9-]+\.)*(pypi\.org|pythonhosted\.org|npmjs\.org|debian\.org|anaconda\.org)"
)
MACHINE_PATHS = re.compile(r"(^|[^A-Za-z0-9_.])/(work|root|farm|opt/pypi|opt/wheels|tmp/w)/")


def committed_files() -> list[Path]:
    """The files of the repository, or of an unpacked archive of it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
    else:
        kept = (path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*"))
        names = [
            str(path) for path in kept if not any(re.match(r"\.|build$|dist$", part) for part in path.parts)
        ]
    return [REPOSITORY / name for name in names if (REPOSITORY / name).is_file()]


def check_contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([command, "--no-cache"], cwd=folder, capture_output=True, text=True)


def test_every_contract_on_imports_is_kept() -> None:
    checked = check_contracts(REPOSITORY)
    assert checked.returncode == 0, checked.stdout


BROKEN_TOGETHER = [
    # Each round breaks contracts that do not break one another's, so that a name seen is a name broken by its own line.
    {
        ("storage/spec/study.py", "import workers"): "Imports go down only",
        ("dashboards/__init__.py", "import tensorflow"): "Dashboards know neither",
        (
            "workers/cross_validation/fold.py",
            "import storage.holdout",
        ): "Nothing that trains can read the hold-out",
        ("storage/metrics/curves.py", "import storage.trust.noise"): "Rooms of storage",
    },
    {
        ("workers/cross_validation/fold.py", "import dashboards"): "Imports go down only",
        ("storage/spec/study.py", "import keras"): "Storage knows neither",
        ("storage/metrics/curves.py", "import storage.holdout"): "Nothing that trains can read the hold-out",
        ("workers/device/backend.py", "import workers.process.loop"): "Rooms of workers",
    },
    {
        ("orchestrator/terminal/help.py", "import orch"): "Imports go down only",
        ("dashboards/tables/view.py", "import dashboards.pages.report"): "Rooms of dashboards",
        ("orchestrator/terminal/console.py", "import orchestrator.commands.worker"): "Rooms of orchestrator",
        (
            "workers/objective/memory.py",
            "import storage.trust.noise",
        ): "Nothing that trains judges the choice",
    },
]


@pytest.mark.parametrize("lines", BROKEN_TOGETHER, ids=["first", "second", "third"])
def test_a_broken_contract_is_seen(tmp_path: Path, lines: dict[tuple[str, str], str]) -> None:
    for storey in STOREYS:
        shutil.copytree(REPOSITORY / storey, tmp_path / storey, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    # What any worker does already, so that the hold-out can also be reached through storage.
    (tmp_path / "workers" / "__init__.py").write_text("import storage.spec.study\n")
    for file, line in lines:
        with (tmp_path / file).open("a") as opened:
            opened.write(f"\n{line}\n")
    checked = check_contracts(tmp_path)
    assert checked.returncode != 0
    for contract in lines.values():
        assert re.search(rf"{contract}.*BROKEN", checked.stdout), checked.stdout


def test_every_package_is_listed() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    found = {
        ".".join(path.parent.relative_to(REPOSITORY).parts)
        for storey in STOREYS
        for path in (REPOSITORY / storey).rglob("*.py")
    }
    assert set(project["tool"]["setuptools"]["packages"]) == found


def list_rooms() -> dict[str, list[str]]:
    """Folder -> the names of its modules."""
    return {
        str(folder.relative_to(REPOSITORY)): sorted(
            path.stem for path in folder.glob("*.py") if path.stem != "__init__"
        )
        for storey in STOREYS
        for folder in (REPOSITORY / storey).rglob("")
        if folder.is_dir() and folder.name not in ("versions", "__pycache__")
    }


def test_a_room_is_small_enough_to_be_read_at_a_glance() -> None:
    assert {name: files for name, files in list_rooms().items() if len(files) > MOST_FILES} == {}


def test_the_sign_of_a_room_names_every_file_in_it() -> None:
    for name, files in list_rooms().items():
        if name in STOREYS or not files:
            continue
        sign = ast.get_docstring(ast.parse((REPOSITORY / name / "__init__.py").read_text())) or ""
        assert re.findall(r"^- `(\w+)`", sign, re.MULTILINE) == files, name


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*STOREYS, include_external_packages=False)
    lower: dict[str, set[str]] = {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }
    # Leave what imports nothing that is left; what cannot be left stands on a circle.
    while leaves := {module for module, imported in lower.items() if not imported & set(lower)}:
        lower = {module: imported for module, imported in lower.items() if module not in leaves}
    assert lower == {}


def test_a_spec_is_imported_from_its_room_and_not_from_the_files_in_it() -> None:
    """`storage.spec` names what others use; how its files are cut is its own affair. Optuna's words stand apart."""
    inner = re.compile(
        r"from storage\.spec\.(?!distributions)\w+ import|from storage\.spec import (\w+, )*(study|sections|toml)\b"
    )
    found = [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for storey in (*STOREYS, "bench", "tests")
        for path in (REPOSITORY / storey).rglob("*.py")
        if path.parent != REPOSITORY / "storage" / "spec"
        for line in path.read_text(encoding="utf-8").splitlines()
        if inner.match(line.strip())
    ]
    assert found == []


LAZY = {
    "orchestrator.demo.self_test": "what cannot be imported is said at the step that needs it",
    "orchestrator.machine.doctor": "each part of this machine is looked at though another one cannot be imported",
    "orchestrator.machine.processes": "the launcher of workers stays light where no tracker is named",
    "orchestrator.machine.worker_process": "the launcher imports it, and stays light; what cannot be imported is said in words",
    "orchestrator.studies.publishing": "a page that cannot be drawn never ends a worker",
    "orchestrator.tracking.targets": "only the tracker that is named needs its library",
    "storage.database.engine": "a watched connection opens an engine of its own",
    "workers.training.fold_trainer": "Keras is imported when the backend has been chosen",
}
"""Modules that import others of ours within a function, and why; the commands are the curtain, and one is enough."""


def read_imports(source: str, modules: set[str]) -> tuple[set[str], set[str]]:
    """Which of these modules a source imports when it is imported itself, and which within functions."""
    at_once: set[str] = set()
    within: set[str] = set()

    def read(node: ast.AST, found: set[str]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            names = (
                [alias.name for alias in child.names]
                if isinstance(child, ast.Import | ast.ImportFrom)
                else []
            )
            if isinstance(child, ast.ImportFrom):
                names = [f"{child.module}.{name}" for name in names] + [str(child.module)]
            found |= modules.intersection(names)
            read(child, within if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else found)

    read(ast.parse(source), at_once)
    return at_once, within


def test_a_module_that_is_reached_late_imports_ours_at_its_top() -> None:
    sources = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path.read_text()
        for storey in STOREYS
        for path in (REPOSITORY / storey).rglob("*.py")
    }
    imports = {name: read_imports(source, set(sources)) for name, source in sources.items()}
    # What `orch --help` imports, and the public names that import what they stand for when they are called.
    early: set[str] = set()
    waiting = [
        "orch",
        *(name for name in sources if name.startswith(("orchestrator.cli", "orchestrator.commands"))),
    ]
    while waiting:
        name = waiting.pop()
        if name not in early:
            early.add(name)
            waiting += [*imports[name][0], *filter(None, [name.rpartition(".")[0]])]
    late = {name for name, (_, within) in imports.items() if within and name not in early}
    assert late == set(LAZY), "import at the top, or give a reason in LAZY"


def test_an_import_within_a_function_is_seen() -> None:
    source = "import a\nif TYPE_CHECKING:\n    import b\ndef f():\n    from c import d\nclass X:\n    from a import e"
    assert read_imports(source, {"a", "b", "c", "c.d", "a.e"}) == ({"a", "a.e"}, {"c", "c.d"})


MOST_ANY = 19


def test_workers_are_typed() -> None:
    """A backend's tensors have no type; elsewhere `Any` says that somebody did not look."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in (REPOSITORY / "workers").rglob("*.py")
        if "backends" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "Any"
    ]
    assert len(found) <= MOST_ANY, found


def test_no_file_is_longer_than_one_can_keep_in_mind() -> None:
    lengths = {
        str(path.relative_to(REPOSITORY)): len(path.read_text().splitlines())
        for folder in (*STOREYS, "bench")
        for path in (REPOSITORY / folder).rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], set()),
        (["--version"], set()),
        # Typer itself checks the parameters of a command with pydantic.
        (["worker", "--help"], {"pydantic"}),
        (["study", "create", "--help"], {"pydantic"}),
    ],
)
def test_help_comes_without_the_slow_libraries(arguments: list[str], allowed: set[str]) -> None:
    code = (
        "import sys\nfrom orchestrator.cli import main\n"
        f"sys.argv = ['orch', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as stopped:\n    assert not stopped.code, stopped.code\n"
        "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.rpartition("LOADED")[2].split())
    assert loaded & (SLOW_TO_IMPORT - allowed) == set()


def list_reads_of_the_environment(source: str) -> list[int]:
    """The lines that read the environment; to set or to remove a variable is no reading."""
    tree = ast.parse(source)
    writes = {
        id(node.value)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del))
        or (isinstance(node, ast.Attribute) and node.attr in ("setdefault", "update"))
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and id(node) not in writes)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and node.names[0].name != "path")
    ]


def test_the_environment_is_read_in_one_file() -> None:
    found = {
        str(path.relative_to(REPOSITORY)): lines
        for storey in STOREYS
        for path in (REPOSITORY / storey).rglob("*.py")
        if (lines := list_reads_of_the_environment(path.read_text()))
    }
    assert set(found) == {"storage/settings.py"}, found


@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("os.environ.get('A')", True),
        ("os.getenv('A')", True),
        ("x = os.environ['A']", True),
        ("'A' in os.environ", True),
        ("{**os.environ}", True),
        ("from os import environ", True),
        ("os.environ['A'] = 'b'", False),
        ("del os.environ['A']", False),
        ("os.environ.setdefault('A', 'b')", False),
    ],
)
def test_a_read_of_the_environment_is_seen(line: str, reads: bool) -> None:
    assert bool(list_reads_of_the_environment(line)) == reads


def test_nothing_committed_names_a_registry_or_a_place_on_one_machine() -> None:
    found = []
    for path in committed_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if REGISTRIES.search(line) or MACHINE_PATHS.search(line):
                found.append(f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}")
    assert found == []


def test_no_committed_file_is_large() -> None:
    sizes = {str(path.relative_to(REPOSITORY)): path.stat().st_size for path in committed_files()}
    assert {name: size for name, size in sizes.items() if size > 1_000_000} == {}
