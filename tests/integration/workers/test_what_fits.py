"""What fits into memory side by side is said before a study is made, and is what the worker then does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.planning.estimate import describe_schedule
from orchestrator.planning.protocols import build_protocol
from orchestrator.planning.regimes import regime_one
from storage.database.opening import open_database
from storage.studies.points import list_points
from storage.studies.study import load_study
from tests.pictures import make_data
from tests.studies import PretendObjective, make_study
from workers.attempts.attempt import Attempt
from workers.objective.memory import choose_schedule, count_lenet_weights
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


@pytest.mark.parametrize("size", [(61, 47), (16, 300)])
def test_lenet_is_counted_as_it_is_built(size: tuple[int, int]) -> None:
    from workers.models.lenet import build_lenet

    assert count_lenet_weights(size, 5) == build_lenet(size, 5).count_params()


def test_lenet_at_full_size_in_ten_folds_goes_fold_by_fold_and_says_so(
    run_orch: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    images, labels = make_data(tmp_path / "raw")
    imported = run_orch(
        "data", "import", images, "--labels", labels, "--group", "patient", "--holdout", "0.1",
        "--targets", "a,b", "--out", "data",
    )  # fmt: skip
    assert imported.returncode == 0, imported.stderr
    words = ("study", "create", "deep", "--protocol", "lenet", "--data", "data", "--dry-run", "--json")
    done = run_orch(*words)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["schedule"]
    assert said.startswith("sequential: 10 folds one after the other; memory: 13 GiB for 10 folds")
    assert "(limit 8 GiB)" in said
    weights = count_lenet_weights((299, 299), 2)
    assert (
        choose_schedule(
            build_protocol("deep", "lenet", seed=None, settings=None, alone=True), weights=weights
        )
        == "sequential"
    )
    smaller = run_orch(*words, "--set", "model.image_size=[150, 150]")
    assert json.loads(smaller.stdout)["schedule"].startswith("lockstep: 10 folds side by side")


def test_heads_go_side_by_side_and_what_the_spec_says_stands() -> None:
    spec = regime_one("one")
    assert describe_schedule(spec).startswith("lockstep")
    named = spec.with_values({"cv.schedule": "sequential"})
    assert (
        describe_schedule(named) == f"sequential: {spec.cv.folds} folds one after the other, as the spec says"
    )


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("tensorflow's", marks=pytest.mark.tensorflow_only("an error class of its own")),
        *("numpy's", "python's"),
    ],
)
def test_running_out_of_memory_fails_the_point_says_what_needs_less_and_goes_on(
    sqlite_url: str, kind: str
) -> None:
    import numpy as np

    def exhaust(attempt: Attempt) -> None:
        if attempt.point:
            return
        if kind == "tensorflow's":
            import tensorflow as tf

            raise tf.errors.ResourceExhaustedError(None, None, "failed to allocate memory [Op:MatMul]")
        if kind == "python's":
            raise MemoryError
        np.empty((2**20, 2**20, 2**10))  # more than any machine has: the real error

    database = open_database(sqlite_url)
    study = make_study(database, points=3, **{"study.retries": 0})
    objective = PretendObjective(before=exhaust)
    worker = Worker(Circumstances(database, device="GPU 1", per_device=2), lambda _: objective)
    summary = worker.run(lambda: [load_study(database, study.name)])
    assert (summary.failed, summary.complete) == (1, 2)
    error = str(list_points(database, study.uuid)[0].error)
    assert "Out of memory on GPU 1 at batch size 16 with 2 worker processes" in error
    assert "--per-gpu 1" in error
    database.close()
