"""Under CI a skipped test is a failed one."""

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
"""


@pytest.mark.parametrize(
    ("under_ci", "expected"), [("true", "1 failed, 1 skipped, 1 error"), ("", "3 skipped")]
)
def test_a_skip_fails_under_ci_unless_no_machine_of_this_kind_could_run_it(
    tmp_path: Path, under_ci: str, expected: str
) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = platform_impossible\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env={
            **os.environ,
            "CI": under_ci,
            "PYTHONPATH": str(REPOSITORY),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
    )
    assert expected in run.stdout.splitlines()[-1], run.stdout + run.stderr
