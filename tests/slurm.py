"""A real Slurm cluster on this machine: munge, a controller and three nodes, from Debian's packages `slurm-wlm` and `munge`.

A requeued job waits until its credential has expired, 120 seconds unless AuthInfo says otherwise.
Everything lies in one folder and listens to 127.0.0.1; no service of the system is touched. It needs root, because the nodes run jobs as
whoever submits them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.postgres import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/%n.pid
SlurmctldPidFile={folder}/controller.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,requeue_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=30
SlurmdTimeout=5
{nodes}
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
"""


def what_is_missing() -> str:
    """Why no cluster can be started here; empty when one can."""
    missing = [program for program in PROGRAMS if _find(program) is None]
    if missing:
        return f"{', '.join(missing)} not here (Debian: apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "a Slurm node needs root"


class SlurmCluster:
    """One cluster; `close` ends every process of it and removes its folder."""

    def __init__(self, folder: Path) -> None:
        """Start it and wait until its nodes are idle."""
        self.folder = folder
        # Processes of a job are found by the name of their node.
        self.nodes = [f"node{os.getpid()}n{number}" for number in (1, 2, 3)]
        self.configuration = folder / "slurm.conf"
        host = socket.gethostname().partition(".")[0]
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs=2 RealMemory=4000"
            for node in self.nodes
        )
        self.configuration.write_text(
            CONFIGURATION.format(host=host, port=free_port(), folder=folder, nodes=nodes)
        )
        for name in ("munge", "state", *(f"spool-{node}" for node in self.nodes)):
            (folder / name).mkdir(mode=0o700)
        key = folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        places = [
            f"--{what}-file={folder}/munge/{name}"
            for what, name in (("key", "key"), ("log", "log"), ("pid", "pid"), ("seed", "seed"))
        ]
        self._run("munged", "--force", f"--socket={folder}/munge/socket", *places)
        self._run("slurmctld", "-c", "-i")
        for node in self.nodes:
            self.start_node(node)
        wait_until(lambda: self.ask("sinfo", "-h", "-o", "%D %t") == "3 idle", 20, self.log)

    @property
    def environment(self) -> dict[str, str]:
        """What Slurm's programs need to find this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.configuration)}

    def ask(self, program: str, *words: str) -> str:
        """Run one of Slurm's programs and return what it prints."""
        done = subprocess.run(
            [str(_find(program)), *words], env=self.environment, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"{program} {words}: {done.stderr}"
        return done.stdout.strip()

    def tasks(self) -> dict[str, str]:
        """Node -> the task that runs there."""
        lines = self.ask("squeue", "-h", "-t", "R", "-o", "%N %i").splitlines()
        return dict(line.split() for line in lines)

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self._run("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """End the node's daemon and every process of its jobs at once, as a power cut does."""
        told = f"SLURMD_NODENAME={node}"
        victims = [int((self.folder / f"{node}.pid").read_text())]
        for process in _processes():
            if told in _read(process, "environ").split("\0"):
                # The process above a job's script is Slurm's own, and would report the end of it.
                victims += [
                    process,
                    *(above for above in [_parent(process)] if "slurmstepd" in _read(above, "comm")),
                ]
        for victim in dict.fromkeys(victims):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def log(self) -> str:
        """The last lines of every log."""
        texts = {path.name: path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.log")}
        return "\n".join(f"== {name}\n{text}" for name, text in texts.items())

    def close(self) -> None:
        """End the cluster and the jobs on it."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.ask("scancel", "--signal=KILL", "--full", "--user=root")
            self.ask("scancel", "--user=root")
        for node in self.nodes:
            with contextlib.suppress(OSError, ValueError):
                self.kill_node(node)
        for name in ("controller.pid", "munge/pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.folder / name).read_text()), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        # A daemon keeps its output open, so that a pipe would never end.
        with (self.folder / "starts.log").open("ab") as log:
            done = subprocess.run(
                [str(_find(program)), *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=30,
            )
        assert done.returncode == 0, f"{program}: {self.log()}"


def wait_until(condition: Callable[[], bool], seconds: float, explain: Callable[[], str] = str) -> None:
    """Wait; fail with an explanation when it takes longer."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, explain()
        time.sleep(0.2)


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(process: int, name: str) -> str:
    try:
        return Path(f"/proc/{process}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _parent(process: int) -> int:
    # "pid (name) state parent ..": the name may hold blanks.
    fields = _read(process, "stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0
