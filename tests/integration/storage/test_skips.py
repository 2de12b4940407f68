"""Under CI a skipped test is a failed one, but for what this machine or this backend cannot do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

TESTS = """
import pytest

def test_plain():
    pytest.skip("no browser")

@pytest.mark.skipif(True, reason="no database")
def test_marked():
    pass

@pytest.mark.platform_impossible("needs a GPU")
@pytest.mark.skipif(True, reason="no GPU")
def test_excused():
    pass

@pytest.mark.tensorflow_only("looks into a graph of TensorFlow")
def test_of_tensorflow():
    pass
"""


@pytest.mark.parametrize(
    ("backend", "under_ci", "expected"),
    [
        ("tensorflow", "true", "1 failed, 1 passed, 1 skipped, 1 error"),
        ("tensorflow", "", "1 passed, 3 skipped"),
        ("jax", "true", "1 failed, 2 skipped, 1 error"),
    ],
)
def test_a_skip_fails_under_ci_unless_no_machine_of_this_kind_could_run_it(
    tmp_path: Path, backend: str, under_ci: str, expected: str
) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  platform_impossible\n  tensorflow_only\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env={
            **os.environ,
            "CI": under_ci,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": str(REPOSITORY),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
    )
    assert expected in run.stdout.splitlines()[-1], run.stdout + run.stderr
