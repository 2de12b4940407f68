"""GPUs as NVML tells of them: a stand-in of the library in C, and the real nvidia-ml-py in front of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from workers.device import nvml
from workers.device.nvml import GpuReading, GpuWatch, find_reading

WHOLE = GpuReading(0, "GPU-aa11", "NVIDIA A100", 81920.0, 1024.0, 87)
SLICES = [
    GpuReading(1, "MIG-cc33", "NVIDIA H100 MIG 3g.40gb", 40960.0, 1024.0, None, is_slice=True),
    GpuReading(1, "MIG-cc44", "NVIDIA H100 MIG 3g.40gb", None, None, None, is_slice=True),
]
PROGRAM = """
import json
from orchestrator.machine.gpus import list_gpus
from workers.device.nvml import GpuWatch, find_lost_gpus, is_gone, read_gpus
latest = GpuWatch().latest()
print(json.dumps([
    [one.to_document() for one in read_gpus()],
    [[one.name, one.device, one.mebibytes] for one in list_gpus()],
    latest and latest.to_document(),
    find_lost_gpus(),
    [is_gone(device) for device in ("GPU-aa11", "GPU-aa", "GPU-bb22", "MIG-cc33", "MIG-GPU-bb22/1/0", "0", "2", None)],
]))
"""


def run_with(libraries: Path, visible: str, **settings: str) -> list[object]:
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(libraries),
        "CUDA_VISIBLE_DEVICES": visible,
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout))


def test_gpus_and_slices_are_read_from_the_driver(tmp_path: Path) -> None:
    pytest.importorskip("pynvml")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler (Debian: apt-get install gcc)")
    source = Path(__file__).with_name("stand_in_nvml.c")
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    assert run_with(tmp_path, "GPU-aa11") == [
        [one.to_document() for one in (WHOLE, *SLICES)],
        [["0", "GPU-aa11", 81920.0], ["MIG-cc33", "MIG-cc33", 40960.0], ["MIG-cc44", "MIG-cc44", None]],
        WHOLE.to_document(),
        ["GPU 2: Unknown Error"],
        [False, False, True, False, False, False, False, False],
    ]
    # Numbers are the driver's, or no GPU is left, as in a job that was given one.
    *_, gone = run_with(tmp_path, "2", CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert gone == [False, False, True, False, False, False, True, False]
    *_, gone = run_with(tmp_path, "0", STAND_IN_LOST="all")
    assert gone == [True, True, True, False, False, True, True, False]


def test_without_a_driver_there_is_no_gpu_and_no_message(capfd: pytest.CaptureFixture[str]) -> None:
    nvml._library.cache_clear()
    if nvml._library() is not None:
        pytest.skip("a driver is here")
    assert nvml.read_gpus() == []
    assert nvml.find_lost_gpus() == []
    assert not nvml.is_gone("GPU-aa11")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("device", "by_number", "found"),
    [
        ("GPU-aa11", False, WHOLE),
        ("GPU-aa", False, WHOLE),
        ("MIG-cc44", False, SLICES[1]),
        ("MIG-cc", False, None),
        ("0", True, WHOLE),
        ("0", False, None),
        ("1", True, None),
        ("0,1", True, None),
        ("", True, None),
        (None, True, None),
    ],
)
def test_the_gpu_of_a_process_is_found_by_what_cuda_was_told(
    device: str | None, by_number: bool, found: GpuReading | None
) -> None:
    assert find_reading([WHOLE, *SLICES], device, by_number=by_number) == found


def test_a_driver_that_never_answers_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, asked = threading.Event(), []

    def never() -> list[GpuReading]:
        asked.append(threading.current_thread())
        answered.wait()
        return [WHOLE]

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(nvml, "read_gpus", never)
    monkeypatch.setattr(nvml, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(nvml, "FRESH_SECONDS", 0.0)
    watch, began = GpuWatch(), time.monotonic()
    assert [watch.latest() for _ in range(5)] == [None] * 5
    assert time.monotonic() - began < 2
    assert len(asked) == 1
    answered.set()
    asked[0].join()
    monkeypatch.setattr(nvml, "FRESH_SECONDS", 60.0)
    assert watch.latest() == WHOLE
    monkeypatch.setattr(nvml, "STALE_SECONDS", -1.0)
    assert watch.latest() is None


@pytest.mark.parametrize("visible", [None, "", "-1"])
def test_a_process_on_the_processor_asks_no_driver(
    monkeypatch: pytest.MonkeyPatch, visible: str | None
) -> None:
    monkeypatch.setattr(nvml, "read_gpus", lambda: pytest.fail("asked"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert GpuWatch().latest() is None
