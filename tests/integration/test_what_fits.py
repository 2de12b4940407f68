"""What fits into memory side by side is said before a study is made, and is what the worker then does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.estimate import describe_schedule
from orchestrator.protocols import build_protocol
from orchestrator.regimes import regime_one
from tests.pictures import make_data
from workers.memory import choose_schedule, count_lenet_weights


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
    assert said.startswith("sequential: 10 folds one after the other; 10 models of 84.9 million weights")
    assert "13 GiB, more than the 8" in said
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
