"""A Slurm job array: one task for each worker, requeued when it is preempted or its time is over.

Slurm sends SIGTERM to every process of a task that is preempted, waits KillWait seconds (30 unless the cluster says otherwise) and kills
what is left; it requeues the task itself. At the end of the time limit the script alone is told (`--signal=B:USR1`): it lets the
worker finish its epoch and requeues its own task. A task that is cancelled is not requeued.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from orchestrator.fleet.order import Order

HANDED_ON = "HOME,PATH,USER,LOGNAME,LANG,TMPDIR,LD_LIBRARY_PATH,KERAS_HOME,PGPASSFILE,PGSSLMODE,PGSSLROOTCERT,PGSERVICEFILE"
"""What a task takes of the environment of who submits it. Without a list Slurm keeps all of it in its own files, PGPASSWORD too."""
RESERVE_SECONDS = 60
"""Between the end of the grace period and the time limit, for requeuing."""

SCRIPT = """\
#!/bin/bash
{directives}
# Workers of the study {study}, written by `orch fleet slurm`. The password of the database is in ~/.pgpass (mode 600).

{exports}

# A preempted task gets SIGTERM: the worker gives its trial back, and Slurm requeues the task.
trap 'kill -TERM "$worker" 2>/dev/null' TERM
# Before the time limit this script gets SIGUSR1: it requeues the task itself.
trap 'out_of_time=yes; kill -TERM "$worker" 2>/dev/null' USR1

{command} &
worker=$!
wait "$worker"
code=$?
# A signal ends `wait` before the worker has ended.
while kill -0 "$worker" 2>/dev/null; do
    wait "$worker"
    code=$?
done
if [ "${{out_of_time:-}}" = yes ] && [ "$code" -ge 128 ]; then
    exec scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""


def write_script(order: Order, *, hours: float, logs: Path, partition: str = "", account: str = "") -> str:
    """The script for `sbatch`.

    Args:
        order: what is wanted.
        hours: the time limit of a task.
        logs: folder of the logs, one file for each task.
        partition: where to run; empty for the cluster's default.
        account: whom the time is charged to; empty for the user's default.
    """
    kind = f"{order.gpu_type}:" if order.gpu_type else ""
    minutes = max(1, round(hours * 60))
    log = str(logs / f"{order.slug}-%A_%a.log")
    options = [
        f"--job-name=orch-{order.slug}",
        f"--array=1-{order.workers}",
        *([f"--partition={partition}"] if partition else []),
        *([f"--account={account}"] if account else []),
        *([f"--gres=gpu:{kind}{order.gpus}"] if order.gpus else []),
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={order.cpus}",
        f"--mem={order.memory}G",
        f"--time={minutes}",
        f'--output="{log}"' if " " in log else f"--output={log}",
        "--open-mode=append",
        "--requeue",
        f"--signal=B:USR1@{order.grace + RESERVE_SECONDS}",
        f"--export={HANDED_ON}",
    ]
    return SCRIPT.format(
        directives="\n".join(f"#SBATCH {option}" for option in options),
        study=shlex.quote(order.study),
        exports="\n".join(order.export_lines()),
        command=shlex.join([order.program, *order.worker_words]),
    )
