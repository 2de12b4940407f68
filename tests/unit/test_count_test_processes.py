"""How many processes run the tests on which machine."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("cores", "megabytes", "processes"),
    [(1, 64_000, 3), (2, 16_000, 4), (2, 8_000, 2), (64, 512_000, 8), (64, 16_000, 5), (4, 1_000, 2)],
)
def test_two_wait_beside_the_cores_where_the_memory_lets_them(
    tmp_path: Path, cores: int, megabytes: int, processes: int
) -> None:
    if (Path("/sys/fs/cgroup/memory.max").exists() or Path("/sys/fs/cgroup/memory").exists()) and (
        megabytes > 8_000
    ):
        # This container may have less than that.
        processes = min(processes, count(tmp_path, cores=64, megabytes=512_000))
    assert count(tmp_path, cores=cores, megabytes=megabytes) == processes


def count(folder: Path, *, cores: int, megabytes: int) -> int:
    """What the script says on a machine whose programs say this."""
    for name, said in (("getconf", cores), ("awk", megabytes)):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {said}\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", REPOSITORY / "scripts" / "count_test_processes"],
        env={"PATH": os.pathsep.join([str(folder), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_make_takes_that_many_unless_it_is_told() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment.pop("TEST_PROCESSES", None)
    program = REPOSITORY / "scripts" / "count_test_processes"
    counted = subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()
    for told, expected in ((["TEST_PROCESSES=7"], "7"), ([], counted)):
        made = subprocess.run(
            ["make", "--dry-run", "test", *told],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert f" -m pytest -n {expected} " in made.stdout
