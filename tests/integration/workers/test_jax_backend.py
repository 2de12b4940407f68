"""The trainers of heads and of images, and the extraction under both backends: JAX's process cannot import TensorFlow."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training_contract import Agree, Compared, TrainingContract
from workers.device import backend
from workers.device import preparation as devices

HERE = Path(__file__).parent
STATES = "training_states.py"
CONTRACT = (
    STATES,
    "test_training.py",
    "test_head_options.py",
    "test_optimizers.py",
    "jax_checks.py",
    "jax_rows_checks.py",
    "jax_stack_checks.py",
    "jax_at_once_checks.py",
    "test_kinds_of_label.py",
    "test_image_training.py",
    "test_own_model.py",
)
SHORT_FORM = "jax_checks or jax_rows_checks or test_optimizers or jax_at_once_checks or test_kinds_of_label or (jax_stack_checks and not model0 and not model1) or run[16] or restore[float32] or rules_of_a_step or teach_nothing or soft_labels or diverged or other_images or do_not_disturb or conv_dw_13-conv or example_of_the_docs"
"""XLA compiles anew for nearly every test, so that all of them take more than a minute; ORCH_TEST_JAX=all runs them, as XLA
compiles for users. The short form compiles in less time to slower code (`JAX_DISABLE_MOST_OPTIMIZATIONS`)."""
MAIN_FORM = "TestTraining or run[16] or restore[float32] or ten_steps or (other_images and SmallNet) or size2-strides2-same or (layers_of and few) or validation_of or first_trial or is_a_copy or measures or last_batch or padded_rows or does_not_number or (jax_at_once_checks and stacked)"
"""What the main tier runs of it: the states that are compared, steps, a restore, an extraction, pooling, several trials at once."""
WAYS = (
    "test_final_model.py",
    "test_trained_parts.py",
    "test_image_training.py::test_what_of_a_backbone_learns",
    "../storage/test_model_files.py",
)
"""From a study and its parts to what a final model says, and whole networks: what the thorough tier runs again under JAX."""
EXTRACTION = "test_extraction.py::test_a_value_does_not_depend_on_the_other_images"


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the other backend in a process of its own; return the folder of the states that it wrote.

    JAX runs, besides, what the main tier has of the tests that hold for every backend.
    """
    folder = tmp_path_factory.mktemp("states")
    if backend.name() == "jax":
        run_in_process(STATES, environment={"KERAS_BACKEND": "tensorflow", "ORCH_TEST_STATES": str(folder)})
    else:
        run_under_jax(MAIN_FORM, folder)
    return folder


def run_under_jax(chosen: str, folder: Path, *files: str) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: `make setup`")
    runs_all = os.environ.get("ORCH_TEST_JAX") == "all"
    hurry = {} if runs_all else {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
    run_in_process(
        *(() if runs_all or not chosen else ("-k", chosen)),
        *(files or (*CONTRACT, EXTRACTION)),
        environment={**hurry, "KERAS_BACKEND": "jax", "ORCH_TEST_STATES": str(folder)},
    )


def run_in_process(*words: str, environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-m", "not slow", *words],
        env={**os.environ, **environment},
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-20000:] + ran.stderr[-5000:]


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.tensorflow_only("runs as JAX what this run is already")
def test_further_cases_hold_under_jax(tmp_path: Path) -> None:
    if os.environ.get("ORCH_TEST_JAX") != "all":  # or `states` has run them
        run_under_jax(f"({SHORT_FORM}) and not ({MAIN_FORM})", tmp_path)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.tensorflow_only("runs as JAX what this run is already")
def test_whole_ways_hold_under_jax(tmp_path: Path) -> None:
    run_under_jax("", tmp_path, *WAYS)


@pytest.mark.slow
@pytest.mark.timeout(1200)
class TestBothBackends(TrainingContract):
    """The one of this run computes what the other one wrote down."""

    @pytest.fixture
    def agree(self, states: Path) -> Agree:
        devices.prepare(1, 2)
        return Compared(str(states))
