"""Does this installation work: a small study from drawn images to a report, each step checked; less than a minute.

Everything lies in a folder of its own, with a database, a cache and a data set of its own, and is removed at the end.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.machine.doctor import FAIL, OK, Check
from storage.errors import OrchError
from storage.settings import changed_environment
from storage.wording import say_count, say_duration

PATIENTS, SIZE, TRIALS, FOLDS, EPOCHS = 14, 32, 4, 2, 4
NAME = "self-test"
# Random weights, so that nothing is downloaded; the smallest backbone.
SETTINGS: dict[str, Any] = {
    "model.backbone": "MobileNet",
    "model.weights": "none",
    "model.image_size": [SIZE, SIZE],
    "model.pooling": "avg",
    "model.head": [8],
    "cv.folds": FOLDS,
    "training.epochs": EPOCHS,
    "training.threads": 1,
    "search.batch_size": {"type": "int", "low": 16, "high": 32},
    "pruner.name": "none",
}


@dataclass
class Bench:
    """Where the test works, and what one step leaves for the next."""

    folder: Path
    gpus: str
    document: dict[str, Any] | None = None

    @property
    def storage(self) -> str:
        """The URL of the database."""
        return f"sqlite:///{self.folder / 'orch.db'}"


def run_self_test(*, gpus: str = "none") -> Iterator[Check]:
    """Yield each check as it is done; the first that fails is the last.

    Args:
        gpus: as `orch worker --gpus`.
    """
    folder = Path(tempfile.mkdtemp(prefix="orch-self-test-"))
    bench = Bench(folder, gpus)
    steps: dict[str, Callable[[Bench], str]] = {
        "install": _find_packages,
        "import": _import,
        "create": _create,
        "train": _train,
        "verify": _verify,
        "export": _export,
        "report": _report,
        "python": _read,
    }
    passed = False
    try:
        with changed_environment(
            ORCH_STORAGE=bench.storage, ORCH_CACHE=str(folder / "cache"), ORCH_DATA="", ORCH_ARTIFACTS=""
        ):
            for name, step in steps.items():
                begun = time.monotonic()
                try:
                    text = step(bench)
                except Exception as error:
                    shown = str(error) if isinstance(error, OrchError) else f"{type(error).__name__}: {error}"
                    yield Check(name, FAIL, f"{shown} What was made is in {folder}.")
                    return
                yield Check(name, OK, f"{text} ({say_duration(time.monotonic() - begun)})")
        passed = True
    finally:
        if passed:
            shutil.rmtree(folder, ignore_errors=True)


def _find_packages(bench: Bench) -> str:
    import storage
    from storage.settings import keras_backend
    from workers.device.versions import library_versions, orch_version

    missing = [name for name, version in library_versions().items() if version is None]
    if missing:
        raise OrchError(
            f"{', '.join(missing)} is not installed, so this machine can look at studies and train none.",
            next_step="Install orch with what it trains with, or set KERAS_BACKEND to the backend that is here.",
        )
    return (
        f"orch {orch_version()} from {Path(storage.__file__ or '').parent.parent}, backend {keras_backend()}"
    )


def _import(bench: Bench) -> str:
    from orchestrator.demo.radiographs import draw_radiographs
    from orchestrator.importing.choices import Choices
    from orchestrator.importing.imports import import_dataset

    raw = bench.folder / "raw"
    draw_radiographs(raw, patients=PATIENTS, size=SIZE)
    dataset = import_dataset(
        raw / "images", raw / "labels.csv", bench.folder / "data", Choices(group_columns=("patient_id",))
    )
    held = int(dataset.summary["images"]) - len(dataset.sha256)
    return f"{say_count(len(dataset.sha256), 'development image')}, {held} sealed as hold-out"


def _create(bench: Bench) -> str:
    from orchestrator.planning.regimes import build_spec
    from orchestrator.studies.creating import create_proposed, propose_study
    from orchestrator.terminal.opening import open_storage

    spec = build_spec(NAME, regime="I", trials=TRIALS, settings=SETTINGS)
    with open_storage(bench.storage, create=True) as database:
        proposal = propose_study(spec, data=[bench.folder / "data"], database=database)
        create_proposed(database, proposal)
    return f"{say_count(TRIALS, 'trial')} planned, {say_count(FOLDS, 'fold')}, patients on one side"


def _train(bench: Bench) -> str:
    from orchestrator.machine.processes import supervise
    from orchestrator.machine.worker_process import Request
    from orchestrator.terminal.opening import open_storage
    from storage.studies.points import count_points
    from storage.studies.study import load_study

    said: list[str] = []
    code = supervise(Request(name=NAME, data=(), forever=False, grace=10.0), say=said.append, gpus=bench.gpus)
    with open_storage(bench.storage) as database:
        counts = count_points(database, load_study(database, NAME).uuid)
    if code or counts.complete != TRIALS:
        raise OrchError(
            f"The worker ended with exit code {code} and {counts.complete} of {TRIALS} trials. {' '.join(said)}".strip(),
            next_step="What it said is above; `orch doctor` checks this machine.",
        )
    return f"{say_count(counts.complete, 'trial')} complete, in a worker process of its own"


def _verify(bench: Bench) -> str:
    from orchestrator.planning.plan import plan_points
    from orchestrator.studies.verify import verify_study
    from orchestrator.terminal.opening import open_storage
    from storage.data.datasets import load_dataset
    from storage.studies.study import load_study

    with open_storage(bench.storage) as database:
        study = load_study(database, NAME)
        document = verify_study(database, study, plan_points(study.spec), load_dataset(bench.folder / "data"))
    if not document["ok"]:
        raise OrchError(f"Records are inconsistent: {'; '.join(document['problems'])}")
    return "every trial, attempt and fold is accounted for, and predictions score what was recorded"


def _export(bench: Bench) -> str:
    from orchestrator.studies.best import best_document, read_best
    from orchestrator.terminal.opening import open_storage
    from storage.files.documents import to_json
    from storage.files.writing import write_text
    from storage.studies.study import load_study

    with open_storage(bench.storage) as database:
        bench.document = best_document(database, load_study(database, NAME))
    write_text(bench.folder / "best.json", to_json(bench.document))
    kept = read_best(bench.folder / "best.json")
    return f"best.json names trial {kept['trial']}, validation AUC {kept['value']:.3f}"


def _report(bench: Bench) -> str:
    from orchestrator.studies.reporting import write_report
    from orchestrator.terminal.opening import open_storage

    page = bench.folder / "report.html"
    with open_storage(bench.storage) as database:
        write_report(database, [NAME], [bench.folder / "data"], page)
    return f"one page of {page.stat().st_size // 1000} kB, with every figure"


def _read(bench: Bench) -> str:
    from orchestrator.notebook import open_study

    with open_study(NAME, storage=bench.storage) as study:
        best = study.best
        rows = study.folds()
    if best is None or bench.document is None or best["point"] != bench.document["point"]:
        raise OrchError("orch.open_study reads another best trial than `orch study export` wrote.")
    if len(rows) != TRIALS * FOLDS * EPOCHS:
        raise OrchError(f"{len(rows)} fold-epochs are recorded, not {TRIALS * FOLDS * EPOCHS}.")
    return f"orch.open_study reads {say_count(len(rows), 'fold-epoch')} and the same best trial"
