"""The installed command as a user meets it: help, wrong input, JSON, secrets, pipes."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.database.opening import open_database
from tests.studies import make_study

Run = Callable[..., subprocess.CompletedProcess[str]]
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 24 tiny images of 12 patients."""
    folder = tmp_path_factory.mktemp("small")
    images = folder / "images"
    images.mkdir()
    generator = np.random.default_rng(1)
    lines = ["filename,patient,sick,broken"]
    for number in range(24):
        Image.fromarray(generator.integers(0, 255, (40, 40), np.uint8)).save(images / f"{number}.png")
        lines.append(f"{number}.png,p{number // 2},{number % 2},{number // 3 % 2}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    choices = Choices(group_columns=("patient",), holdout=0.0)
    import_dataset(images, folder / "labels.csv", folder / "data", choices, cache=folder / "cache")
    return folder / "data"


def fails(done: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    assert done.returncode == code, done.stderr
    for text in texts:
        assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_bare_command_shows_its_help(run_here: Run, run_orch: Run) -> None:
    for arguments in ((), ("study",), ("data",), ("db",), ("trial",)):
        done = run_here(*arguments)
        assert "Usage: orch" in done.stdout + done.stderr
    assert run_here("--version").stdout.startswith("orch ")
    installed = run_orch()
    assert "Usage: orch" in installed.stdout + installed.stderr


@pytest.mark.parametrize(
    "group", [(), ("data",), ("study",), ("trial",), ("model",), ("features",), ("fleet",), ("db",)]
)
def test_a_list_of_commands_cuts_no_sentence_short(run_here: Run, group: tuple[str, ...]) -> None:
    listed = run_here(*group, "--help").stdout
    assert "Commands:" in listed
    assert [line for line in listed.partition("Commands:")[2].splitlines() if line.endswith("...")] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("study", "list"),
        ("study", "show", "x"),
        ("study", "watch", "x"),
        ("study", "export", "x"),
        ("study", "delete", "x", "--yes"),
        ("trial", "show", "x", 0),
        ("worker", "x"),
        ("dashboard",),
        ("db", "check"),
        ("db", "upgrade"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_without_a_database_a_command_says_where_it_looked_and_makes_none(
    run_here: Run, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    fails(run_here(*arguments), 2, f"There is no study database at {tmp_path / 'orch.db'}")
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_fails_with_the_same_words(run_orch: Run, tmp_path: Path) -> None:
    fails(run_orch("study", "list"), 2, f"There is no study database at {tmp_path / 'orch.db'}")
    url = f"postgresql://someone:{SECRET}@127.0.0.1:1/studies"
    done = run_orch("--debug", "study", "list", "--storage", url)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert SECRET not in done.stderr


def test_an_unknown_study_names_the_nearest(run_here: Run, sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    make_study(database, "regime-one")
    database.close()
    for command in (
        ("study", "show"),
        ("study", "export"),
        ("study", "watch"),
        ("study", "stop"),
        ("worker",),
    ):
        fails(run_here(*command, "regime-on"), 1, "There is no study 'regime-on'", "'regime-one'")
    fails(run_here("trial", "show", "regime-one", 7), 1, "has no trial 7")
    fails(run_here("study", "export", "regime-one", "-o", "best.json"), 1, "no complete trial")
    fails(run_here("study", "delete", "regime-one"), 2, "--yes")


def test_a_study_is_created_once_and_shown(run_here: Run, dataset: Path, tmp_path: Path) -> None:
    create = ("study", "create", "one", "--regime", "I", "--data", dataset, "--set", "model.weights=none")
    dry = run_here(*create, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert not (tmp_path / "orch.db").exists()
    for word in (
        *("100", "12000", "6 folds of 20 training images", "rule of thumb"),
        "InceptionV3, weights none (random), 299 x 299 pixels; head 1024-512-256, only the head is trained",
        "careful (the rule 'forecast')",
    ):
        assert word in dry.stdout
    assert "every batch size from 20 up is one full batch" in dry.stderr
    made = run_here(*create, "--json")
    assert made.returncode == 0, made.stderr
    report = json.loads(made.stdout)
    assert (report["points"], report["fold_epochs"], report["created"]) == (100, 12000, True)
    again = json.loads(run_here(*create, "--json").stdout)
    assert again["uuid"] == report["uuid"]
    fails_other = run_here(*create, "--trials", 5)
    assert fails_other.returncode == 1
    assert "they differ in study.trials" in fails_other.stderr
    [listed] = json.loads(run_here("study", "list", "--json").stdout)
    assert (listed["study"], listed["state"], listed["points"]["open"]) == ("one", "open", 100)
    shown = json.loads(run_here("study", "show", "one", "--json").stdout)
    assert shown["facts"]["train_images"] == [20] * 6
    assert len({json.dumps(point["params"]) for point in shown["all_points"]}) == 100
    assert run_here("study", "stop", "one").returncode == 0
    assert json.loads(run_here("study", "show", "one", "--json").stdout)["state"] == "stopped"
    assert run_here("study", "resume", "one").returncode == 0
    assert run_here("study", "delete", "one", "--yes").returncode == 0
    assert json.loads(run_here("study", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--regime", "I", "--set", "training.epoch=5"), 2, "training.epochs"),
        (("--regime", "I", "--set", "training.epochs=0"), 2, "training.epochs"),
        (("--regime", "I", "--set", "epochs"), 2, "section.key=value"),
        (("--regime", "I", "--set", "model.weights=/nowhere.h5"), 2, "/nowhere.h5 does not exist"),
        (("--regime", "I", "--set", "cv.folds=20"), 2, "12 groups cannot fill 20 folds"),
        (("--regime", "I", "--set", 'data.targets=["sik"]'), 2, "did you mean sick?"),
        (("--regime", "I", "--set", "data.fingerprint=sha256:ab"), 2, "asks for the data set sha256:ab"),
        (("--regime", "II", "--trials", "5"), 2, "does not fit a grid of 32 cells"),
        (("--regime", "III"), 2, "'III' is not one of I, II. Did you mean II?"),
        (("--regime", "I", "--pruner", "fsat"), 2, "race, none. Did you mean fast?"),
        (("--regime", "I", "--set", "pruner.name=fsat"), 2, "race, forecast, none (did you mean fast?)"),
        (("--regime", "I", "--trials", "four"), 2, "'four' is not a whole number."),
        (("--regime", "I", "--trials", "0"), 2, "It should be greater than or equal to 1"),
        (("--regime", "I", "--set", "model.image_size=[75]"), 2, "or one number for a square"),
        (("--spec", "nowhere.toml"), 2, "nowhere.toml cannot be read"),
        (("--regime", "II", "--from", "nowhere.json"), 2, "nowhere.json cannot be read"),
        ((), 2, "Nothing says what this study searches"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_study_that_cannot_be_made(
    run_here: Run, dataset: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    fails(run_here("study", "create", "x", "--data", dataset, *arguments), code, text)
    assert not (tmp_path / "orch.db").exists()


def test_data_that_is_none(run_here: Run, tmp_path: Path) -> None:
    fails(run_here("study", "create", "x", "--regime", "I"), 2, "No data set is named")
    fails(run_here("study", "create", "x", "--regime", "I", "--data", tmp_path), 2, "is not a dataset folder")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://someone:{SECRET}@127.0.0.1:1/studies",
        f"postgresql://someone@127.0.0.1:1/studies?password={SECRET}",
        f"mysql://someone:{SECRET}@127.0.0.1/studies",
        f"someone:{SECRET}@127.0.0.1",
    ],
)
def test_a_password_is_never_printed(run_here: Run, url: str) -> None:
    for arguments in (("study", "list"), ("--debug", "study", "list"), ("db", "init"), ("worker",)):
        done = run_here(*arguments, "--storage", url)
        assert done.returncode in (1, 2)
        assert SECRET not in done.stdout + done.stderr


def test_a_password_is_not_stored_with_a_study(run_here: Run, postgres_url: str, dataset: Path) -> None:
    from sqlalchemy.engine import make_url

    secret = make_url(postgres_url).password
    assert secret
    create = ("study", "create", "x", "--regime", "I", "--data", dataset, "--storage", postgres_url)
    done = run_here(*create, "--set", "model.weights=none")
    assert done.returncode == 0, done.stderr
    shown = run_here("study", "show", "x", "--json", "--storage", postgres_url)
    checked = run_here("db", "check", "--json", "--storage", postgres_url)
    assert "***" in json.loads(checked.stdout)["storage"]
    assert str(secret) not in done.stderr + shown.stdout + checked.stdout


def test_init_writes_both_files_and_never_over_one(run_here: Run, tmp_path: Path) -> None:
    (tmp_path / "orch.toml").write_text("# mine\n")
    assert run_here("init").returncode == 0
    assert (tmp_path / "orch.toml").read_text() == "# mine\n"
    assert "[search.batch_size]" in (tmp_path / "study.toml").read_text()
    fails(run_here("init", tmp_path / "nowhere"), 2, "does not exist")


def test_the_demo_touches_no_folder_of_somebody_else(run_here: Run, tmp_path: Path) -> None:
    mine = tmp_path / "demo" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")
    for arguments in ((), ("--fresh",)):
        fails(run_here("demo", *arguments), 2, "holds something that `orch demo` did not make")
    assert mine.read_text() == "years of work"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_failure(
    orch_program: Path, sqlite_url: str, tmp_path: Path, unbuffered: str
) -> None:
    database = open_database(sqlite_url)
    make_study(database, points=3000)
    database.close()
    program = f"'{orch_program}' study show small --json | head -n 1"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        program, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
def test_a_full_disk_is_one_sentence(orch_program: Path, sqlite_url: str, tmp_path: Path) -> None:
    database = open_database(sqlite_url)
    make_study(database)
    database.close()
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [orch_program, "study", "show", "small", "--json"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("orch: The disk is full")
    assert "Traceback" not in done.stderr


def test_several_processes_fail_as_one(run_orch: Run, sqlite_url: str) -> None:
    done = run_orch("worker", "x", "--processes", 2, "--gpus", "none")
    assert done.returncode == 1
    assert "There is no study 'x'" in done.stderr
