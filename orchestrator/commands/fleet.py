"""`orch fleet`: slurm, kubernetes, compose, ssh."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import DataFolders, Storage, StudyName

if TYPE_CHECKING:
    from orchestrator.fleet.order import Order

app = CommandGroup(help="Write, and submit, the workers of a study for a scheduler.")

Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=10_000, metavar="N", help="Number of workers.", show_default="4, or the trials left"
    ),
]
Gpus = Annotated[int, typer.Option(min=0, max=64, metavar="N", help="GPUs of each worker; 0 for the CPU.")]
GpuType = Annotated[
    str,
    typer.Option(
        metavar="TYPE",
        help="Kind of GPU or MIG slice, as the scheduler names it: a100, 1g.10gb (Slurm), mig-1g.10gb (Kubernetes).",
        show_default=False,
    ),
]
PerGpu = Annotated[
    int, typer.Option(min=1, max=64, metavar="N", help="Processes on each GPU, or of each worker on the CPU.")
]
AtOnce = Annotated[
    int,
    typer.Option(
        min=1, max=64, metavar="N", help="Trials that each process trains at the same time, under JAX."
    ),
]
Cpus = Annotated[int, typer.Option(min=1, max=1024, metavar="N", help="Processors of each worker.")]
Memory = Annotated[int, typer.Option(min=1, max=100_000, metavar="GIB", help="Memory of each worker.")]
Grace = Annotated[
    int,
    typer.Option(
        min=5,
        max=3600,
        metavar="SECONDS",
        help="Time to finish the epoch when told to stop; less than the scheduler waits before it kills.",
    ),
]
Submit = Annotated[bool, typer.Option("--submit", help="Also hand the file to the scheduler.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        "--output",
        metavar="FILE",
        help="The file to write.",
        show_default="named after the study",
    ),
]
Program = Annotated[
    str | None,
    typer.Option("--orch", metavar="PATH", help="orch on those machines.", show_default="as on this one"),
]


def _order(name: str, storage: str | None, **wanted: Any) -> Order:
    from orchestrator.fleet import order as ordering

    with open_storage(storage) as database:
        order = ordering.place_order(database, name, **wanted)
        if ordering.holds_password(database):
            console.say(
                "The password of the database was left out of the file; see docs/fleet.md for its place."
            )
    console.say(ordering.describe(order))
    return order


def _this_orch() -> str:
    beside = Path(sys.executable).with_name("orch")
    return str(beside) if beside.is_file() else shutil.which("orch") or "orch"


def _finish(path: Path, text: str, command: list[str], *, submit: bool, executable: bool = False) -> None:
    from orchestrator.fleet import submission

    submission.keep(path, text, executable=executable)
    console.say(f"Wrote {path}.")
    if submit:
        console.print_line(submission.submit(command))
        console.say("`orch status` shows the workers and their jobs once they have started.")
    else:
        console.say(f"Next: {shlex.join(command)}")


@app.command()
def slurm(
    name: StudyName,
    workers: Workers = None,
    gpus: Gpus = 1,
    gpu_type: GpuType = "",
    per_gpu: PerGpu = 1,
    at_once: AtOnce = 1,
    cpus: Cpus = 4,
    memory: Memory = 16,
    hours: Annotated[
        float,
        typer.Option(
            min=0.05, max=10_000, metavar="HOURS", help="Time limit of a task, which is then requeued."
        ),
    ] = 8.0,
    partition: Annotated[
        str, typer.Option(metavar="NAME", help="Partition to run in.", show_default="the cluster's default")
    ] = "",
    account: Annotated[
        str, typer.Option(metavar="NAME", help="Account to charge.", show_default="your default")
    ] = "",
    grace: Grace = 25,
    data: DataFolders = None,
    orch: Program = None,
    output: Output = None,
    submit: Submit = False,
    storage: Storage = None,
) -> None:
    """Write a Slurm job array, one task for each worker.

    A task that is preempted, loses its node or reaches its time limit is requeued; its trial goes to another worker. The
    password of the database is read from ~/.pgpass.

    \b
    Example:
      orch fleet slurm first --workers 8 --gpus 1 --hours 4 --submit
    """
    from orchestrator.fleet.slurm import write_script
    from storage.errors import UsageError

    for option, value in (("--partition", partition), ("--account", account)):
        if any(not character.isprintable() or character.isspace() for character in value):
            raise UsageError(f"{option} {value!r} is no name.")
    order = _order(
        name, storage, workers=workers, gpus=gpus, gpu_type=gpu_type, per_gpu=per_gpu, at_once=at_once, cpus=cpus,
        memory=memory, grace=grace, data=data, program=orch or _this_orch(),
    )  # fmt: skip
    path = output or Path(f"{order.slug}.sbatch")
    logs = path.absolute().parent
    text = write_script(order, hours=hours, logs=logs, partition=partition, account=account)
    _finish(path, text, ["sbatch", str(path)], submit=submit)


@app.command()
def kubernetes(
    name: StudyName,
    image: Annotated[str, typer.Option(metavar="IMAGE", help="Image with orch in it.")] = "orch-studies:gpu",
    workers: Workers = None,
    gpus: Gpus = 1,
    gpu_type: GpuType = "",
    per_gpu: PerGpu = 1,
    at_once: AtOnce = 1,
    cpus: Cpus = 4,
    memory: Memory = 16,
    grace: Grace = 100,
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Namespace.")] = "default",
    secret: Annotated[
        str, typer.Option(metavar="NAME", help="Secret whose key PGPASSWORD is the password of the database.")
    ] = "orch",
    data_claim: Annotated[
        str,
        typer.Option(metavar="NAME", help="Claim of the volume with images and data set; mounted on /data."),
    ] = "orch-data",
    cache_claim: Annotated[
        str, typer.Option(metavar="NAME", help="Claim for features.", show_default="none: made in each pod")
    ] = "",
    artifacts_claim: Annotated[
        str, typer.Option(metavar="NAME", help="Claim for checkpoints, shared by all.", show_default="none")
    ] = "",
    autoscale: Annotated[
        bool,
        typer.Option(
            "--autoscale", help="A Deployment of none to N workers that KEDA scales with the trials left."
        ),
    ] = False,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="DIR", help="Dataset folder in the volume.", show_default="/data"),
    ] = None,
    output: Output = None,
    submit: Submit = False,
    storage: Storage = None,
) -> None:
    """Write a Kubernetes Job, or a Deployment that KEDA scales.

    \b
    Examples:
      orch fleet kubernetes first --workers 8 --image registry.example.org/orch:gpu
      orch fleet kubernetes first --workers 20 --autoscale --gpu-type mig-1g.10gb --data /data/my-data
    """
    from orchestrator.fleet import kubernetes as manifests

    order = _order(
        name, storage, workers=workers, gpus=gpus, gpu_type=gpu_type, per_gpu=per_gpu, at_once=at_once, cpus=cpus,
        memory=memory, grace=grace, data=data or [Path("/data")], on_these_folders=False,
    )  # fmt: skip
    manifests.check_cluster(order)
    cluster = manifests.Cluster(image, namespace, secret, data_claim, cache_claim, artifacts_claim)
    manifests.check_names(cluster)
    text = (manifests.write_deployment if autoscale else manifests.write_job)(order, cluster)
    path = output or Path(f"{order.slug}.kubernetes.yaml")
    _finish(path, text, ["kubectl", "apply", "-f", str(path)], submit=submit)


@app.command()
def compose(
    name: StudyName,
    image: Annotated[str, typer.Option(metavar="IMAGE", help="Image with orch in it.")] = "orch-studies:gpu",
    workers: Workers = None,
    gpus: Gpus = 1,
    per_gpu: PerGpu = 1,
    at_once: AtOnce = 1,
    cpus: Cpus = 4,
    memory: Memory = 16,
    grace: Grace = 100,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--mount",
            metavar="DIR",
            help="Folder with images and data set; seen by the containers under the same name, read-only.",
            show_default="the folder above the data set",
        ),
    ] = None,
    data: DataFolders = None,
    output: Output = None,
    submit: Submit = False,
    storage: Storage = None,
) -> None:
    """Write a Docker Compose file for workers on this machine.

    Worker 1 gets the first GPUs, worker 2 the next ones. The password of the database is taken from PGPASSWORD at the start.

    \b
    Example:
      orch fleet compose first --workers 2 --gpus 1 --data my-data
    """
    from orchestrator.fleet.compose import write_compose
    from orchestrator.fleet.kubernetes import check_cluster

    order = _order(
        name, storage, workers=workers, gpus=gpus, per_gpu=per_gpu, at_once=at_once, cpus=cpus, memory=memory, grace=grace, data=data,
    )  # fmt: skip
    check_cluster(order)
    first = Path(order.variables.get("ORCH_DATA", ".").partition(":")[0])
    mounted = (folder or first.parent).absolute()
    path = output or Path(f"{order.slug}.compose.yml")
    command = ["docker", "compose", "-p", f"orch-{order.slug}", "-f", str(path), "up", "-d"]
    _finish(path, write_compose(order, image=image, data=mounted), command, submit=submit)


@app.command()
def ssh(
    name: StudyName,
    hosts: Annotated[
        list[str],
        typer.Option(
            "--host", metavar="HOST", help="A machine, as ssh takes it; may be given several times."
        ),
    ],
    per_gpu: PerGpu = 1,
    at_once: AtOnce = 1,
    cpu: Annotated[bool, typer.Option("--cpu", help="Compute on the processors, not on the GPUs.")] = False,
    grace: Grace = 25,
    data: DataFolders = None,
    orch: Program = None,
    output: Output = None,
    submit: Submit = False,
    storage: Storage = None,
) -> None:
    """Write a script that starts and stops workers over SSH.

    Each takes all GPUs of its machine and outlives the connection. The password of the database is read from ~/.pgpass there.

    \b
    Example:
      orch fleet ssh first --host gpu1 --host me@gpu2 --submit
    """
    from orchestrator.fleet.ssh import write_script
    from storage.errors import UsageError

    for host in hosts:
        if host.startswith("-") or not host or any(c.isspace() or not c.isprintable() for c in host):
            raise UsageError(
                f"--host {host!r} is no name of a machine.", next_step="Write HOST or USER@HOST."
            )
    order = _order(
        name, storage, workers=len(hosts), gpus=0 if cpu else 1, per_gpu=per_gpu, at_once=at_once, grace=grace, data=data,
        program=orch or _this_orch(),
    )  # fmt: skip
    path = output or Path(f"{order.slug}.ssh.sh")
    text = write_script(order, hosts, path.name)
    _finish(path, text, ["bash", str(path), "start"], submit=submit, executable=True)
