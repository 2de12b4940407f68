"""Worker processes of one machine: on which GPUs, how many, and what runs when a study ends."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.machine.gpus import Gpu, choose_gpus, environment_for, visible_gpus
from orchestrator.machine.notifying import Notifier, read_target
from orchestrator.machine.on_finish import VARIABLE, is_safe
from orchestrator.machine.worker_process import Request
from storage.own_processes import count_processors
from storage.settings import environment_with, visible_devices
from storage.wording import say_duration
from workers.device import backend
from workers.device.nvml import find_lost_gpus
from workers.process.supervisor import Slot, Supervisor

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
STOPPED = 128
"""Exit codes above it: somebody told the workers to stop."""
COMMAND_SECONDS = 600.0
"""How long `--on-finish` may still run when all workers have left."""


def supervise(
    request: Request,
    *,
    say: Callable[[str], None],
    gpus: str = "all",
    per_gpu: int = 1,
    processes: int | None = None,
    on_finish: str | None = None,
    track: str | None = None,
    notify: str | None = None,
    storage: str | None = None,
) -> int:
    """Run worker processes on this machine and return the exit code of `orch worker`.

    Args:
        request: what each of them is asked to do.
        say: told what a person should know.
        gpus: "all", "none", numbers such as "0,1", or UUIDs.
        per_gpu: processes on each GPU.
        processes: how many in all.
        on_finish: a shell command for each study that ends.
        track: a tracker that is told of trials as they finish (`orchestrator.tracking.targets`).
        notify: who is told when a study ends or the workers fail (`orchestrator.machine.notifying`).
        storage: the study database, where it is not that of the environment.

    Raises:
        UsageError: `gpus` names none that is here, `track` no tracker, `notify` no program or address, or several trials at once
            are asked of TensorFlow.
    """
    backend.refuse_what_only_jax_does(request.at_once)
    target = read_target(notify)
    slots = choose_slots(gpus, processes, per_gpu, visible=[] if gpus == "none" else visible_gpus())
    if gpus == "all" and visible_devices() is None and (lost := find_lost_gpus()):
        say(f"Left out: {'; '.join(lost)}. Restart the machine to have it back.")
    if storage:
        # The URL may hold a password, and everybody can read a command line: it goes by the environment.
        slots = [Slot(slot.label, {**slot.environment, "ORCH_STORAGE": storage}) for slot in slots]
    if len(slots) > 1 and not request.forever:
        from orchestrator.terminal.opening import open_storage

        with open_storage(storage):
            pass  # a wrong URL is said once, not by every process
    follower = None
    if track:
        from orchestrator.tracking.follower import Follower
        from orchestrator.tracking.targets import check_target

        check_target(track)  # a wrong name is said here
        follower = Follower(track, request.name, storage)
    notifier = Notifier(target, say) if target else None
    try:
        return run_workers(request, slots, say=say, per_gpu=per_gpu, on_finish=on_finish, notifier=notifier)
    finally:
        if follower is not None:
            follower.finish()
        if notifier is not None:
            notifier.finish()


def run_workers(
    request: Request,
    slots: Sequence[Slot],
    *,
    say: Callable[[str], None],
    per_gpu: int = 1,
    on_finish: str | None = None,
    notifier: Notifier | None = None,
) -> int:
    """Run one worker process per slot and wait for all of them.

    Args:
        request: what each of them is asked to do.
        slots: where they run.
        say: told what a person should know.
        per_gpu: how many of them share a GPU.
        on_finish: a shell command for each study that ends; ORCH_STUDY holds its name (`orchestrator.machine.on_finish`).
        notifier: told of each study that ends, and of workers that failed.

    Returns:
        0 when all ended well; 130 or 143 when they were told to stop; else 1 or 2.
    """
    commands: list[subprocess.Popen[bytes]] = []

    def run_command(study: str) -> None:
        if notifier is not None:
            notifier.tell("finished", study, f"orch: the study {study!r} has ended.")
        if on_finish and not is_safe(on_finish, study):
            say(
                f"{study!r} has ended, but --on-finish does not run for it: to a shell its name may mean something else. "
                f'Write "${VARIABLE}", with the quotes; a name that begins with - or . or has a / in it is never run.'
            )
        elif on_finish:
            say(f"{study} has ended: running {on_finish}")
            commands.append(subprocess.Popen(on_finish, shell=True, env=environment_with({VARIABLE: study})))

    def command(slot: Slot, notify: int, restarted: bool) -> list[str]:
        waits = request.forever or restarted
        return replace(
            request,
            device=slot.label,
            per_device=per_gpu,
            notify=notify,
            waits=waits,
            restarted=restarted,
            supervisor=os.getpid(),
        ).to_command()

    code = Supervisor(slots, command, say, run_command, grace_seconds=request.grace).run()
    if notifier is not None and 0 < code < STOPPED:
        of = f" of {request.name!r}" if request.name else ""
        notifier.tell(
            "failed",
            request.name,
            f"orch: the workers{of} on {socket.gethostname()} failed (exit code {code}).",
        )
    for running in commands:
        try:
            if running.wait(COMMAND_SECONDS):
                say(f"--on-finish ended with exit code {running.returncode}.")
        except subprocess.TimeoutExpired:
            say(f"--on-finish still runs after {say_duration(COMMAND_SECONDS)}; leaving it alone.")
    return code


def choose_slots(gpus: str, processes: int | None, per_gpu: int, *, visible: Sequence[Gpu]) -> list[Slot]:
    """Say where worker processes run: `per_gpu` on each GPU, or `processes` of them dealt over GPUs or the CPU.

    Args:
        gpus: "all", "none", numbers such as "0,1", or UUIDs.
        processes: how many processes; None for one per slot.
        per_gpu: how many on each GPU.
        visible: the GPUs that this process may use.

    Raises:
        UsageError: `gpus` is none of these, or names a GPU that is not there.
    """
    chosen = choose_gpus(gpus, visible)
    count = processes or max(len(chosen) * per_gpu, 1)
    share = _fair_share(count)
    dealt = [chosen[place % len(chosen)] for place in range(count)] if chosen else []
    slots, given = [], environment_with()
    for place in range(count):
        environment = dict.fromkeys(THREAD_VARIABLES, share) if count > 1 else {}
        if dealt:
            gpu = dealt[place]
            environment |= environment_for(gpu, dealt.count(gpu), given)
            slots.append(Slot(f"GPU {gpu.name}", environment))
        else:
            if gpus == "none":
                # JAX starts CUDA wherever there is a GPU, and fails where it may use none of them.
                environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
            slots.append(Slot("CPU" if count == 1 else f"CPU ({place + 1} of {count})", environment))
    return slots


def _fair_share(processes: int) -> str:
    """Threads for the libraries of one of so many processes (a study's own threads are part of its spec)."""
    return str(max(1, count_processors() // processes))
