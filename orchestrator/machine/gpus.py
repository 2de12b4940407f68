"""The GPUs of this machine, as the driver lists them, and the share of a GPU's memory that a process may take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.errors import UsageError
from storage.settings import visible_devices
from workers.device.nvml import GpuReading, read_gpus_in_time

DRIVER_FOLDER = Path("/proc/driver/nvidia/gpus")
"""A folder for each GPU, there without NVML, too: a container without the "utility" capability lacks the library."""

SHARED = 0.9
"""How much of a GPU's memory is shared out; each process takes some more for its CUDA context."""

MEMORY_VARIABLES = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
"""Either limits the memory of a process under JAX; setting both is an error there."""


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a slice of one (MIG).

    Attributes:
        name: for people and for `--gpus`: its number, a slice's UUID, or what CUDA_VISIBLE_DEVICES says.
        device: what CUDA_VISIBLE_DEVICES is to say; its UUID where it is known, which means the same GPU in any order.
        mebibytes: its memory; None where that is not known.
    """

    name: str
    device: str
    mebibytes: float | None = None

    def is_meant_by(self, word: str) -> bool:
        """Whether a word of `--gpus` names it: its name, or its UUID or the beginning of that, as CUDA allows."""
        is_uuid = word.startswith(("GPU-", "MIG-")) and len(word) > len("GPU-")
        return word == self.name or (is_uuid and self.device.startswith(word))


def visible_gpus() -> list[Gpu]:
    """The GPUs that this process may use: those that CUDA_VISIBLE_DEVICES names, or all; none without a driver.

    Raises:
        DeviceError: the driver does not answer.
    """
    narrowed = visible_devices()
    named = []
    for word in (part.strip() for part in (narrowed or "").split(",")):
        # As CUDA reads it: the first that names no GPU ends the list. Slurm writes "NoDevFiles" for a job without one.
        if not word.isdecimal() and not word.startswith(("GPU-", "MIG-")):
            break
        named += [word] if word not in named else []
    if narrowed is not None and not named:
        return []
    present = list_gpus()
    if narrowed is None:
        return present
    # A number is CUDA's own, whose order may be another than the driver's; only a UUID names one of the list.
    found = {word: [gpu for gpu in present if gpu.is_meant_by(word) and word != gpu.name] for word in named}
    return [Gpu(word, word, found[word][0].mebibytes if found[word] else None) for word in named]


def list_gpus() -> list[Gpu]:
    """Every GPU that the driver lists, in its order, with the slices of a GPU in place of it; none without a driver.

    Raises:
        DeviceError: the driver does not answer.
    """
    return [_described(reading) for reading in read_gpus_in_time()] or _read_driver_folder(DRIVER_FOLDER)


def choose_gpus(words: str, visible: Sequence[Gpu]) -> list[Gpu]:
    """The GPUs that `--gpus` names.

    Args:
        words: "all", "none", numbers such as "0,1", or UUIDs of GPUs or slices.
        visible: those that this process may use.

    Raises:
        UsageError: `words` is none of these, or names a GPU that is not there.
    """
    if words in ("all", "none"):
        return list(visible) if words == "all" else []
    chosen = []
    for word in (part.strip() for part in words.split(",")):
        found = [gpu for gpu in visible if gpu.is_meant_by(word)]
        if not word.isdecimal() and not word.startswith(("GPU-", "MIG-")):
            raise UsageError(
                f"--gpus {words} is not understood.",
                next_step="Write --gpus all, --gpus none, numbers (--gpus 0,1), or UUIDs as `nvidia-smi -L` lists them.",
            )
        if len(found) > 1:
            raise UsageError(
                f"--gpus {words}: {word} is the beginning of {len(found)} UUIDs.",
                next_step="Write more of it.",
            )
        if not found:
            # TensorFlow would say nothing and compute on the processor for days.
            names = ", ".join(gpu.name for gpu in visible)
            raise UsageError(
                f"--gpus {words}: there is no GPU {word} here; "
                + (f"this process may use {names}." if visible else "no GPU was found."),
                why="GPUs are those that the driver lists, or that CUDA_VISIBLE_DEVICES names.",
                next_step="Write --gpus all for those that are here, or --gpus none for the processor.",
            )
        chosen += found
    return chosen


def environment_for(gpu: Gpu, processes: int, given: Mapping[str, str]) -> dict[str, str]:
    """What a worker process on a GPU finds in its environment.

    Args:
        gpu: where it computes.
        processes: how many share it.
        given: the environment of the user, which stays.
    """
    found = {"CUDA_VISIBLE_DEVICES": gpu.device, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if "CUDA_VISIBLE_DEVICES" not in given and "CUDA_DEVICE_ORDER" not in given:
        # A number is then the driver's; CUDA would put the fastest GPU first.
        found["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    if processes > 1:
        # Without a limit the first process takes what it likes, and out of memory is the other one.
        if not any(name in given for name in MEMORY_VARIABLES):
            found[MEMORY_VARIABLES[0]] = f"{SHARED / processes:.3f}"
        if gpu.mebibytes is not None:
            found["ORCH_GPU_MEBIBYTES"] = str(int(SHARED * gpu.mebibytes / processes))
    return found


def _described(reading: GpuReading) -> Gpu:
    return Gpu(reading.uuid if reading.is_slice else str(reading.number), reading.uuid, reading.mebibytes)


def _read_driver_folder(folder: Path) -> list[Gpu]:
    try:
        files = sorted(folder.glob("*/information"))
        texts = [file.read_text() for file in files]
    except OSError:
        return []
    found = []
    for number, text in enumerate(texts):
        uuid = re.search(r"GPU UUID:\s*(GPU-[0-9a-f-]+)\s*$", text, re.MULTILINE)
        found.append(Gpu(str(number), uuid.group(1) if uuid else str(number)))
    return found
