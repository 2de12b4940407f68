"""What NVIDIA's driver says of the GPUs of this machine, by its own library (NVML); nothing where there is no driver."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import TypeVar

from storage.errors import DeviceError
from storage.settings import numbers_gpus_as_driver, visible_devices
from storage.wording import say_duration

FRESH_SECONDS = 15.0
"""A GPU is read at most this often."""
PATIENCE_SECONDS = 0.5
"""How long anybody waits for a reading: the driver of a sick GPU may never answer, and a lease must be renewed all the same."""
ANSWER_SECONDS = 30.0
"""A driver that begins takes seconds for each GPU; one that takes longer has a GPU that answers no more, and `nvidia-smi` hangs, too."""
STALE_SECONDS = 120.0
"""An older reading says nothing of now."""
MEBIBYTE = 1024**2
LOST = (
    "GPU_IS_LOST",
    "UNKNOWN",
    "RESET_REQUIRED",
    "IRQ_ISSUE",
    "INSUFFICIENT_POWER",
    "TIMEOUT",
    "CORRUPTED_INFOROM",
)
"""What NVML says of a GPU that fell off its bus or broke down."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class GpuReading:
    """A GPU as its driver sees it now, or a slice of one (MIG).

    Attributes:
        number: the driver's, which nvidia-smi shows, too; a slice has that of its GPU.
        uuid: "GPU-.." or "MIG-..".
        name: its model, for people.
        mebibytes: its memory in MiB; None where the driver does not say.
        used_mebibytes: how much of it is taken, by all processes together.
        busy_percent: in how much of the last moments a kernel ran, 0 to 100; None where the driver does not say, as of a slice.
        is_slice: whether it is a slice.
    """

    number: int
    uuid: str
    name: str
    mebibytes: float | None
    used_mebibytes: float | None
    busy_percent: int | None
    is_slice: bool = False

    def to_document(self) -> dict[str, object]:
        """What is kept and shown of it."""
        return asdict(self)


def read_gpus() -> list[GpuReading]:
    """Every GPU in the driver's order, with the slices of a GPU in place of it; none without a driver or nvidia-ml-py."""
    nvml, count = _library(), _count()
    if nvml is None or count is None:
        return []
    found = []
    for number in range(count):
        handle = _ask(nvml.nvmlDeviceGetHandleByIndex, number)
        if handle is None:
            continue
        slices = [_read(nvml, one, number, is_slice=True) for one in _slices(nvml, handle)]
        found += slices or [_read(nvml, handle, number, is_slice=False)]
    return [reading for reading in found if reading is not None]


def read_gpus_in_time() -> list[GpuReading]:
    """As `read_gpus`.

    Raises:
        DeviceError: the driver does not answer.
    """
    return _in_time(read_gpus) or []


def find_lost_gpus() -> list[str]:
    """The GPUs that the driver counts and cannot reach any more, each with what it says: "GPU 2: GPU is lost".

    Raises:
        DeviceError: the driver does not answer.
    """
    return [f"GPU {number}: {said}" for number, said in (_in_time(_find_lost) or {}).items()]


def is_gone(device: str | None) -> bool:
    """Whether a GPU that was here is one that the driver cannot reach any more; False where that is not known.

    Args:
        device: what CUDA_VISIBLE_DEVICES says: the UUID of a GPU, or a number, as Slurm writes it.

    Raises:
        DeviceError: the driver does not answer.
    """
    if device is None or not (device.isdecimal() or device.startswith("GPU-")):
        return False
    if device.startswith("GPU-"):
        readings = _in_time(lambda: read_gpus() if _count() is not None else None)
        return readings is not None and not any(one.uuid.startswith(device) for one in readings)
    lost = _in_time(_find_lost) or {}
    # A number is CUDA's own unless it was told to count as the driver does.
    return bool(lost) and (
        len(lost) == _in_time(_count) or (numbers_gpus_as_driver() and int(device) in lost)
    )


def _in_time(question: Callable[[], Answer]) -> Answer | None:
    found: list[Answer] = []
    # A daemon: it may never come back.
    thread = threading.Thread(target=lambda: found.append(question()), name="orch-gpus", daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if thread.is_alive():
        raise DeviceError(
            f"The driver of the GPUs has not answered for {say_duration(ANSWER_SECONDS)}.",
            why="A GPU of this machine hangs; `nvidia-smi` will most likely hang, too.",
            next_step="Restart the machine; until then `--gpus none` computes on the processor.",
        )
    return found[0] if found else None


def _count() -> int | None:
    nvml = _library()
    return _ask(nvml.nvmlDeviceGetCount) if nvml else None


def _find_lost() -> dict[int, str]:
    """The numbers of the GPUs that the driver cannot reach, and what it says of each."""
    nvml, lost = _library(), {}
    if nvml is None:
        return {}
    for number in range(_count() or 0):
        try:
            nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(number))
        except nvml.NVMLError as error:
            # Others are not this process's to use, in a container or a job, and no loss.
            if getattr(error, "value", None) in [getattr(nvml, f"NVML_ERROR_{name}", None) for name in LOST]:
                lost[number] = str(error)
    return lost


def find_trouble() -> str | None:
    """What the driver's library says where it cannot be used, as after an update of the driver without a restart; None where it can."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except (ImportError, OSError):
        return None
    except pynvml.NVMLError as error:
        # A container may lack the library, and has the GPUs all the same.
        is_missing = getattr(error, "value", None) == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
        return None if is_missing else str(error)
    return None


def find_reading(readings: list[GpuReading], device: str | None, *, by_number: bool) -> GpuReading | None:
    """The GPU that a process computes on.

    Args:
        readings: those of this machine.
        device: what CUDA_VISIBLE_DEVICES says: the UUID of one, the beginning of it, or a number; None and anything else finds none.
        by_number: whether a number is the driver's: CUDA's own order may be another one.
    """
    if not device:
        return None
    if device.isdigit():
        found = [one for one in readings if one.number == int(device)] if by_number else []
    else:
        found = [one for one in readings if one.uuid.startswith(device)]
    return found[0] if len(found) == 1 else None


class GpuWatch:
    """Reads the GPU of this process now and then, and never waits long for the driver."""

    def __init__(self) -> None:
        self._reading: GpuReading | None = None
        self._read_at = self._asked_at = float("-inf")
        self._thread: threading.Thread | None = None

    def latest(self) -> GpuReading | None:
        """The reading of the last moments; None on a processor, and where the driver says nothing or does not answer."""
        if visible_devices() in (None, "", "-1"):
            return None
        now = time.monotonic()
        is_asking = self._thread is not None and self._thread.is_alive()
        if not is_asking and now - self._asked_at >= FRESH_SECONDS:
            self._asked_at = now
            self._thread = threading.Thread(target=self._look, name="orch-gpu", daemon=True)
            self._thread.start()
            self._thread.join(PATIENCE_SECONDS)
        return self._reading if time.monotonic() - self._read_at < STALE_SECONDS else None

    def _look(self) -> None:
        readings = read_gpus()
        ordered = len(readings) == 1 or numbers_gpus_as_driver()
        self._reading = find_reading(readings, visible_devices(), by_number=ordered)
        self._read_at = time.monotonic()


def _slices(nvml: ModuleType, gpu: object) -> list[object]:
    mode = _ask(nvml.nvmlDeviceGetMigMode, gpu)
    if not mode or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return []
    places = range(_ask(nvml.nvmlDeviceGetMaxMigDeviceCount, gpu) or 0)
    handles = [_ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu, place) for place in places]
    return [handle for handle in handles if handle is not None]


def _read(nvml: ModuleType, handle: object, number: int, *, is_slice: bool) -> GpuReading | None:
    uuid = _ask(nvml.nvmlDeviceGetUUID, handle)
    if not uuid:
        return None
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    rates = None if is_slice else _ask(nvml.nvmlDeviceGetUtilizationRates, handle)
    return GpuReading(
        number,
        str(uuid),
        str(_ask(nvml.nvmlDeviceGetName, handle) or "GPU"),
        memory.total / MEBIBYTE if memory else None,
        memory.used / MEBIBYTE if memory else None,
        int(rates.gpu) if rates else None,
        is_slice,
    )


@functools.cache
def _library() -> ModuleType | None:
    """NVML, begun once in a process; None without nvidia-ml-py, without a driver, or where it cannot be begun."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError, OSError):
        return None
    return pynvml


def _ask(question: Callable[..., Answer], *about: object) -> Answer | None:
    """The driver's answer; None where it does not know, or is too old for the question."""
    from pynvml import NVMLError

    try:
        return question(*about)
    except (NVMLError, OSError, UnicodeDecodeError):
        return None
