"""Worker processes of one machine: on which GPUs, how many, and what runs when a study ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.machine.worker_process import Request
from storage.wording import say_duration
from workers.process.supervisor import Slot, Supervisor

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
COMMAND_SECONDS = 600.0
"""How long `--on-finish` may still run when all workers have left."""


def run_workers(
    request: Request,
    slots: Sequence[Slot],
    *,
    say: Callable[[str], None],
    per_gpu: int = 1,
    on_finish: str | None = None,
) -> int:
    """Run one worker process per slot and wait for all of them.

    Args:
        request: what each of them is asked to do.
        slots: where they run.
        say: told what a person should know.
        per_gpu: how many of them share a GPU.
        on_finish: a shell command for each study that ends; ORCH_STUDY holds its name.

    Returns:
        0 when all ended well; 130 or 143 when they were told to stop; else 1 or 2.
    """
    commands: list[subprocess.Popen[bytes]] = []

    def run_command(study: str) -> None:
        if on_finish:
            say(f"{study} has ended: running {on_finish}")
            commands.append(subprocess.Popen(on_finish, shell=True, env={**os.environ, "ORCH_STUDY": study}))

    def command(slot: Slot, notify: int, restarted: bool) -> list[str]:
        waits = request.forever or restarted
        return replace(
            request, device=slot.label, per_device=per_gpu, notify=notify, waits=waits, restarted=restarted
        ).to_command()

    code = Supervisor(slots, command, say, run_command, grace_seconds=request.grace).run()
    for running in commands:
        try:
            if running.wait(COMMAND_SECONDS):
                say(f"--on-finish ended with exit code {running.returncode}.")
        except subprocess.TimeoutExpired:
            say(f"--on-finish still runs after {say_duration(COMMAND_SECONDS)}; leaving it alone.")
    return code


def choose_slots(gpus: str, processes: int | None, per_gpu: int, *, visible: Sequence[str]) -> list[Slot]:
    """Say where worker processes run: `per_gpu` on each GPU, or `processes` of them dealt over GPUs or the CPU.

    Args:
        gpus: "all", "none" or numbers such as "0,1".
        processes: how many processes; None for one per slot.
        per_gpu: how many on each GPU.
        visible: the GPUs of this machine, as CUDA_VISIBLE_DEVICES names them.

    Raises:
        UsageError: `gpus` is none of these, or names a GPU that is not there.
    """
    from storage.errors import UsageError

    if gpus in ("all", "none"):
        chosen = list(visible) if gpus == "all" else []
    else:
        chosen = [number.strip() for number in gpus.split(",")]
        if not all(number.isdigit() for number in chosen):
            raise UsageError(
                f"--gpus {gpus} is not understood.",
                next_step="Write --gpus all, --gpus none or numbers: --gpus 0,1.",
            )
        missing = [number for number in chosen if number not in visible]
        if missing:
            # TensorFlow would say nothing and compute on the processor for days.
            raise UsageError(
                f"--gpus {gpus}: there is no GPU {missing[0]} here; "
                + (f"this process may use {', '.join(visible)}." if visible else "no GPU was found."),
                why="GPUs are those that nvidia-smi lists, or that CUDA_VISIBLE_DEVICES names.",
                next_step="Write --gpus all for those that are here, or --gpus none for the processor.",
            )
    count = processes or max(len(chosen) * per_gpu, 1)
    share = _fair_share(count)
    slots = []
    for place in range(count):
        environment = dict.fromkeys(THREAD_VARIABLES, share) if count > 1 else {}
        if chosen:
            gpu = chosen[place % len(chosen)]
            environment |= {"CUDA_VISIBLE_DEVICES": gpu, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
            slots.append(Slot(f"GPU {gpu}", environment))
        else:
            if gpus == "none":
                environment |= {"CUDA_VISIBLE_DEVICES": "-1"}
            slots.append(Slot("CPU" if count == 1 else f"CPU ({place + 1} of {count})", environment))
    return slots


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty without a driver."""
    narrowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if narrowed is not None:
        return [name.strip() for name in narrowed.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(count_gpus())]


def count_gpus() -> int:
    """Return how many NVIDIA GPUs the driver lists; 0 without a driver."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _fair_share(processes: int) -> str:
    """Threads for the libraries of one of so many processes (a study's own threads are part of its spec)."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        cores = os.cpu_count() or 1
    return str(max(1, cores // processes))
