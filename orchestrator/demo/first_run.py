"""The guided first run: synthetic radiographs -> data set -> Regime I -> Regime II -> best JSON of both.

Everything lies in one folder. Run again, it goes on where it was: each step is skipped where its result is there.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.demo.radiographs import draw_radiographs
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.machine.gpus import visible_gpus
from orchestrator.machine.processes import choose_slots, run_workers
from orchestrator.machine.worker_process import Request
from orchestrator.planning.plan import plan_points
from orchestrator.planning.regimes import build_spec
from orchestrator.planning.review import fill_in_data, review_study
from orchestrator.studies.best import best_document, read_best
from orchestrator.studies.reporting import write_report
from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.progress import show_progress
from storage.data.datasets import load_dataset
from storage.errors import DataError, OrchError, UsageError
from storage.files.documents import to_json
from storage.files.writing import write_text
from storage.settings import cache_folder, changed_environment
from storage.studies.points import count_points
from storage.studies.study import create_study, find_study, load_study
from storage.wording import say_command, show_params

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec

MARKER = ".orch-demo"
PATIENTS = 60
IMAGE_SIZE = 128
STUDIES = ("regime-1", "regime-2")

# Small enough for minutes on two cores; random weights, so that nothing is downloaded.
SETTINGS = (
    "model.weights=none",
    f"model.image_size=[{IMAGE_SIZE}, {IMAGE_SIZE}]",
    "model.pooling=avg",
    "cv.folds=3",
    "training.epochs=12",
)
REGIME_ONE_SETTINGS = ('search.batch_size={type = "int", low = 8, high = 128}',)
REGIME_ONE_TRIALS = 10
REGIME_TWO_SETTINGS = (
    'search.learning_rate={type = "grid", values = [1e-2, 1e-3, 1e-4], log = true}',
    'search.epsilon={type = "grid", values = [1e-3, 1e-7], log = true}',
)


@dataclass(frozen=True)
class Places:
    """Where the demo keeps what."""

    folder: Path

    @property
    def raw(self) -> Path:
        """The drawn images and their labels."""
        return self.folder / "radiographs"

    @property
    def data(self) -> Path:
        """The dataset folder."""
        return self.folder / "data"

    @property
    def storage(self) -> str:
        """The URL of the study database."""
        return f"sqlite:///{self.folder / 'orch.db'}"

    def best(self, study: str) -> Path:
        """The best JSON of a study."""
        return self.folder / f"best-{study}.json"


def run_demo(folder: Path, *, fresh: bool) -> int:
    """Run or continue the demo and return its exit code.

    Raises:
        UsageError: the folder holds something else.
        OrchError: a step failed; the message says which and why.
    """
    places = Places(folder)
    _prepare_folder(folder, fresh=fresh)
    with changed_environment(ORCH_CACHE=str((folder / "cache").absolute())):
        console.say(
            f"Everything goes into {folder}. The lines with $ are what you would type yourself, after"
        )
        console.say(
            f"   $ export ORCH_STORAGE={shlex.quote(places.storage)} ORCH_CACHE={shlex.quote(str(folder / 'cache'))}"
        )
        _draw(places)
        dataset = _import(places)
        for number, study in enumerate(STUDIES, start=1):
            code = _run_study(places, dataset, study, step=2 + number)
            if code:
                return code
    _report(places)
    _print_results(places)
    return 0


def _prepare_folder(folder: Path, *, fresh: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", next_step="Choose another place: orch demo --dir DIR")
    # Only what a demo made is ever deleted or written into.
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise UsageError(
            f"The folder {folder} holds something that `orch demo` did not make.",
            next_step="Choose another: orch demo --dir DIR",
        )
    if fresh and folder.is_dir():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()


def _draw(places: Places) -> None:
    console.say("1. Synthetic radiographs of healing tibia fractures: several images per patient, 18 labels.")
    if (places.raw / "labels.csv").is_file():
        console.say(f"   Already in {places.raw}.")
        return
    with show_progress("   Drawing") as report:
        draw_radiographs(places.raw, patients=PATIENTS, size=IMAGE_SIZE, report=report)


def _import(places: Places) -> Dataset:
    console.say("2. A data set: patients stay on one side, 15 % of them are sealed as hold-out.")
    labels = places.raw / "labels.csv"
    _show_command(
        *("data", "import", places.raw / "images", "--labels", labels),
        *("--group", "patient_id", "--out", places.data),
    )
    if places.data.is_dir():
        dataset = load_dataset(places.data)
    else:
        choices = Choices(group_columns=("patient_id",))
        with show_progress("   Checking images") as report:
            dataset = import_dataset(
                places.raw / "images",
                places.raw / "labels.csv",
                places.data,
                choices,
                cache=cache_folder(),
                report=report,
            )
    console.say(f"   {len(dataset.sha256)} development images, {dataset.fingerprint[:19]}")
    return dataset


def _run_study(places: Places, dataset: Dataset, name: str, *, step: int) -> int:
    is_first = name == STUDIES[0]
    what = (
        "Regime I: random search over batch size and dropout"
        if is_first
        else ("Regime II: a grid over learning rate and epsilon, with what Regime I found")
    )
    console.say(f"{step}. {what}.")
    spec, settings = _plan(places, dataset, name)
    start = ["--regime", "I", "--trials", REGIME_ONE_TRIALS]
    if not is_first:
        start = ["--regime", "II", "--from", places.best(STUDIES[0])]
    sets = [word for setting in settings for word in ("--set", setting)]
    _show_command("study", "create", name, *start, *sets, "--data", places.data)
    with open_storage(places.storage, create=True) as database:
        study = find_study(database, name)
        if study is None:
            points = plan_points(spec)
            review = review_study(spec, points, dataset)
            study = create_study(
                database, spec, points, data_folder=str(places.data.resolve()), facts=review.facts
            )
        elif study.spec_hash != spec.spec_hash:
            raise DataError(
                f"The demo in {places.folder} was made by another version of orch.",
                next_step=f"Start over: {say_command('demo', '--dir', places.folder, '--fresh')}",
            )
        is_settled = count_points(database, study.uuid).is_settled
    _show_command("worker", name, "--data", places.data)
    if not is_settled:
        code = _work(places, name)
        if code:
            return code
    _show_command("study", "export", name, "-o", places.best(name))
    _export(places, name)
    return 0


def _plan(places: Places, dataset: Dataset, name: str) -> tuple[StudySpec, list[str]]:
    # The view of an image is told at a glance: counted among the labels, it would flatter every value.
    targets = [target for target in dataset.targets if not target.startswith("view_")]
    settings = [*SETTINGS, f"data.targets={targets}".replace("'", '"')]
    if name == STUDIES[0]:
        settings += REGIME_ONE_SETTINGS
        spec = build_spec(name, regime="I", trials=REGIME_ONE_TRIALS, settings=settings)
    else:
        settings = list(REGIME_TWO_SETTINGS)
        spec = build_spec(name, regime="II", best=read_best(places.best(STUDIES[0])), settings=settings)
    return fill_in_data(spec, dataset), settings


def _work(places: Places, name: str) -> int:
    # A process of its own, as in earnest: it drains on Ctrl-C, and TensorFlow's memory goes with it.
    os.environ["ORCH_STORAGE"] = places.storage
    request = Request(name=name, data=(str(places.data),), forever=False, grace=30.0)
    code = run_workers(request, choose_slots("all", 1, 1, visible=visible_gpus()[:1]), say=console.say)
    if code > 128:
        console.say("   Stopped. `orch demo` goes on from here.")
    elif code:
        raise OrchError(
            f"The worker of {name} failed.",
            why="Its message is above.",
            next_step=f"`orch doctor` checks this machine; `{say_command('demo', '--dir', places.folder)}` goes on.",
        )
    return code


def _export(places: Places, name: str) -> None:
    with open_storage(places.storage) as database:
        write_text(places.best(name), to_json(best_document(database, load_study(database, name))))


def _report(places: Places) -> None:
    page = places.folder / "report.html"
    _show_command("report", *STUDIES, "-o", page)
    with open_storage(places.storage) as database:
        write_report(database, STUDIES, [places.data], page)


def _print_results(places: Places) -> None:
    rows: list[list[Any]] = []
    best: dict[str, Any] = {}
    for name in STUDIES:
        best = json.loads(places.best(name).read_text(encoding="utf-8"))
        points = best["points"]
        rows.append(
            [
                name,
                points["planned"],
                points["complete"],
                points["pruned"],
                points["failed"],
                best["value"],
                best["value_sd"],
                best["best_epoch"],
                show_params(best["params"]),
            ]
        )
    console.say("")
    columns = (
        "study",
        "trials",
        "complete",
        "pruned",
        "failed",
        "val AUC",
        "sd",
        "epoch",
        "best hyperparameters",
    )
    console.print_table(columns, rows, title="Results: mean validation AUC over the folds")
    storage = shlex.quote(places.storage)
    console.say("")
    console.say(f"What to do next (the page with all figures is {places.folder / 'report.html'}):")
    if shutil.which("orch") is None:
        # `make demo` runs orch by its path; the lines below need it on the shell's.
        console.say(
            f"  . {shlex.quote(os.path.relpath(Path(sys.prefix, 'bin', 'activate')))}    # once in each terminal"
        )
    console.say(
        f"  {say_command('study', 'show', STUDIES[0], '--storage', storage)}    # how sure is the choice?"
    )
    console.say(
        f"  {say_command('trial', 'show', name, best['trial'], '--storage', storage)}    # its folds, epoch by epoch"
    )
    console.say(f"  {say_command('dashboard', '--storage', storage)}    # in the browser")
    console.say(
        "  orch data import YOUR-IMAGES --labels YOUR-LABELS.csv --group PATIENT-COLUMN --out my-data    # your own"
    )


def _show_command(*words: object) -> None:
    console.say(f"   $ orch {shlex.join(str(word) for word in words)}")
