"""Tasks that `orch fleet slurm` writes, on a real Slurm cluster: preempted, on a node that dies, out of time, cancelled.

The workers are real but for their objective, which is a formula: that trials are given back, lost and evaluated once is what counts here.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from orchestrator.fleet.order import Order, place_order
from orchestrator.fleet.slurm import write_script
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.states import AttemptEnd, AttemptState
from storage.studies.attempts import list_attempts
from storage.studies.points import count_points, list_points
from storage.studies.study import load_study
from storage.studies.workers import list_workers
from tests.conftest import REPOSITORY
from tests.slurm import SlurmCluster, wait_until, what_is_missing
from tests.studies import PretendObjective, make_study
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

MISSING = what_is_missing()
TRIALS = 40
WORKER = f"""\
#!/bin/bash
cd {REPOSITORY}
exec {sys.executable} -c 'import os; from tests.light_worker import work; work(os.environ["ORCH_STORAGE"], "fleet", 0.08, "{{folder}}", grace=20)'
"""
ENDLESS = """\
#!/bin/bash
echo "started $SLURM_RESTART_COUNT"
trap 'echo "told to stop"; exit 143' TERM
while :; do sleep 0.1; done
"""


def needs_slurm(test: Callable[..., None]) -> Callable[..., None]:
    """Skip a test where there is no Slurm; who is not root cannot run it whatever is installed."""
    if os.geteuid():
        test = pytest.mark.platform_impossible("nodes of Slurm need Linux and root")(test)
    return pytest.mark.skipif(bool(MISSING), reason=MISSING or "it is here")(test)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    started = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    yield started
    started.close()


def write_program(folder: Path, text: str) -> str:
    program = folder / "orch"
    program.write_text(text)
    program.chmod(0o755)
    return str(program)


def read_values(database: Database, name: str) -> dict[int, float | None]:
    return {point.point: point.value for point in list_points(database, load_study(database, name).uuid)}


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_slurm
def test_two_preemptions_and_a_dead_node_leave_every_trial_exactly_once(
    cluster: SlurmCluster, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = make_url(postgres_url)
    (tmp_path / "pgpass").write_text(f"127.0.0.1:{address.port}:*:{address.username}:{address.password}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    with closing(open_database(postgres_url)) as database:
        make_study(database, "alone", points=TRIALS)
        Worker(Circumstances(database), lambda _: PretendObjective()).run(
            lambda: [load_study(database, "alone")]
        )
        study = make_study(database, "fleet", points=TRIALS)
        program = write_program(tmp_path, WORKER.format(folder=tmp_path))
        order = place_order(database, "fleet", workers=3, gpus=0, cpus=2, memory=1, program=program)
        (tmp_path / "fleet.sbatch").write_text(write_script(order, hours=1, logs=tmp_path))
        with monkeypatch.context() as place:
            place.setenv("PGPASSWORD", "not-for-slurm")
            job = cluster.ask("sbatch", "--parsable", str(tmp_path / "fleet.sbatch"))

        def finished() -> int:
            return count_points(database, study.uuid).complete

        def explain() -> str:
            logs = [path.read_text(errors="replace")[-3000:] for path in tmp_path.glob("*.log")]
            return "\n".join([cluster.ask("squeue"), *logs, cluster.log()])

        wait_until(lambda: finished() >= 3 and len(cluster.tasks()) == 3, 120, explain)
        for node in cluster.nodes[:2]:
            words = ["--partition=high", "--exclusive", f"--nodelist={node}", "--output=/dev/null"]
            cluster.ask("sbatch", *words, "--wrap=sleep 1")
        known = {worker.job for worker in list_workers(database)} - {None}
        assert known <= {f"slurm {job}_{task}" for task in (1, 2, 3)}
        assert known
        before = finished()
        wait_until(lambda: finished() >= before + 4, 120, explain)
        cluster.kill_node(cluster.nodes[2])
        cluster.start_node(cluster.nodes[2])
        wait_until(lambda: count_points(database, study.uuid).is_settled, 200, explain)
        assert read_values(database, "fleet") == read_values(database, "alone")
        ended = Counter(attempt.outcome or attempt.state for attempt in list_attempts(database, study))
        assert ended[AttemptState.COMPLETE] == TRIALS, ended
        # Who was preempted finished the trial within its time, or gave it back; only that of the dead node was lost.
        assert ended[AttemptEnd.LOST] <= 1, ended
        assert not ended[AttemptEnd.FAILED], ended
        logs = "\n".join(path.read_text(errors="replace") for path in tmp_path.glob("fleet-*.log"))
        assert logs.count("DUE TO PREEMPTION") == 2, explain()
        wait_until(lambda: not cluster.tasks(), 60, explain)
    for path in [*cluster.folder.rglob("*"), *tmp_path.glob("fleet*")]:
        if path.is_file():
            text = path.read_bytes()
            assert str(address.password).encode() not in text, path
            assert b"not-for-slurm" not in text, path


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_slurm
def test_a_task_out_of_time_requeues_itself_and_a_cancelled_one_stays_away(
    cluster: SlurmCluster, tmp_path: Path
) -> None:
    program = write_program(tmp_path, ENDLESS)
    order = Order("first", 2, gpus=0, cpus=1, memory=1, program=program)
    (tmp_path / "first.sbatch").write_text(write_script(order, hours=1, logs=tmp_path))
    job = cluster.ask("sbatch", "--parsable", str(tmp_path / "first.sbatch"))

    def log(task: int) -> str:
        path = tmp_path / f"first-{job}_{task}.log"
        return path.read_text() if path.exists() else ""

    def explain() -> str:
        return "\n".join([cluster.ask("squeue"), log(1), log(2), cluster.log()])

    wait_until(lambda: "started" in log(1) and "started" in log(2), 60, explain)
    # What Slurm sends the script before the time limit.
    cluster.ask("scancel", "--signal=USR1", "--batch", f"{job}_1")
    cluster.ask("scancel", f"{job}_2")
    wait_until(lambda: "started 1" in log(1), 90, explain)
    assert log(1).count("told to stop") == 1  # by the script alone
    # Slurm tells every process of a cancelled task, and the script hands the word on: the second one may come before the first is heeded,
    # or after. For a worker it is an echo (tests/unit/workers/process/test_draining.py).
    assert log(2).count("told to stop") in (1, 2)
    assert "started 1" not in log(2)
    cluster.ask("scancel", job)
