"""GPUs by number, UUID and slice, without NVML, and the share of memory of each process."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.machine import gpus, processes
from orchestrator.machine.gpus import Gpu, choose_gpus, environment_for
from orchestrator.machine.processes import choose_slots
from orchestrator.machine.worker_process import Request
from storage.errors import DeviceError, UsageError
from workers.device import nvml

PARSED = [
    Gpu("0", "GPU-aa11", 81920.0),
    Gpu("MIG-cc33", "MIG-cc33", 40960.0),
    Gpu("MIG-cc44", "MIG-cc44", 40960.0),
]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("all", ["0", "MIG-cc33", "MIG-cc44"]),
        ("none", []),
        ("0", ["0"]),
        ("GPU-aa11", ["0"]),
        ("GPU-aa,MIG-cc44", ["0", "MIG-cc44"]),
    ],
)
def test_gpus_are_named_by_number_or_uuid(words: str, names: list[str]) -> None:
    assert [gpu.name for gpu in choose_gpus(words, PARSED)] == names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("MIG-cc", "the beginning of 2 UUIDs"),
        ("GPU-zz", "there is no GPU GPU-zz here"),
        ("A100", "is not understood"),
        ("1", "no GPU 1 here"),
    ],
)
def test_what_names_no_single_gpu_is_refused(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_gpus(words, PARSED)


def test_processes_on_the_processor_do_not_start_cuda_under_jax() -> None:
    (slot,) = choose_slots("none", 1, 1, visible=PARSED)
    assert slot.environment == {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


def test_processes_share_the_memory_of_a_gpu_under_both_backends() -> None:
    slots = choose_slots("0,MIG-cc33", 3, 1, visible=PARSED)
    shares = [
        (slot.environment.get("XLA_CLIENT_MEM_FRACTION"), slot.environment.get("ORCH_GPU_MEBIBYTES"))
        for slot in slots
    ]
    assert shares == [("0.450", "36864"), (None, None), ("0.450", "36864")]
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == [
        "GPU-aa11",
        "MIG-cc33",
        "GPU-aa11",
    ]


@pytest.mark.parametrize("name", gpus.MEMORY_VARIABLES)
def test_a_share_of_memory_that_the_user_set_stays(name: str) -> None:
    assert "XLA_CLIENT_MEM_FRACTION" not in environment_for(PARSED[0], 2, {name: ".2"})


def test_numbers_are_those_of_the_driver_unless_the_user_chose_an_order() -> None:
    assert environment_for(PARSED[0], 1, {})["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert "CUDA_DEVICE_ORDER" not in environment_for(PARSED[0], 1, {"CUDA_VISIBLE_DEVICES": "1"})
    assert "CUDA_DEVICE_ORDER" not in environment_for(PARSED[0], 1, {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})


def test_what_cuda_visible_devices_names_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "list_gpus", lambda: PARSED)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1, MIG-cc44,-1")
    assert gpus.visible_gpus() == [Gpu("1", "1"), Gpu("MIG-cc44", "MIG-cc44", None)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa11")
    assert gpus.visible_gpus() == [Gpu("GPU-aa11", "GPU-aa11", 81920.0)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpus.visible_gpus() == []


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("NoDevFiles", []),
        ("none", []),
        ("", []),
        (" 1 ", ["1"]),
        ("0,-1,1", ["0"]),
        ("0,0", ["0"]),
        ("GPU-aa,MIG-GPU-aa/1/0", ["GPU-aa", "MIG-GPU-aa/1/0"]),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(
    monkeypatch: pytest.MonkeyPatch, visible: str, names: list[str]
) -> None:
    monkeypatch.setattr(gpus, "list_gpus", lambda: PARSED)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.name for gpu in gpus.visible_gpus()] == names
    assert len(choose_slots("all", None, 1, visible=gpus.visible_gpus())) == max(len(names), 1)


def test_a_driver_that_never_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(nvml, "read_gpus", lambda: answered.wait() and [])
    monkeypatch.setattr(nvml, "ANSWER_SECONDS", 0.02)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(DeviceError, match="has not answered"):
        gpus.visible_gpus()
    answered.set()


def test_gpus_are_found_without_nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bus, text in {
        "0000:00:06.0": "Model: \t\t NVIDIA H200\nGPU UUID: \t GPU-394b5914-a0f6\n",
        "0000:00:07.0": "Model: \t\t NVIDIA H200\nGPU UUID: \t GPU-????????\n",
    }.items():
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(text)
    monkeypatch.setattr(gpus, "DRIVER_FOLDER", tmp_path)
    monkeypatch.setattr(gpus, "read_gpus_in_time", list)
    assert gpus.list_gpus() == [Gpu("0", "GPU-394b5914-a0f6"), Gpu("1", "1")]


@pytest.mark.parametrize(
    ("words", "narrowed", "is_said"), [("all", None, True), ("all", "0", False), ("none", None, False)]
)
def test_a_gpu_that_the_driver_cannot_reach_is_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, words: str, narrowed: str | None, is_said: bool
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if narrowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", narrowed)
    monkeypatch.setattr(processes, "find_lost_gpus", lambda: ["GPU 1: GPU is lost"])
    monkeypatch.setattr(processes, "visible_gpus", lambda: [Gpu("0", "GPU-a")])
    monkeypatch.setattr(processes, "run_workers", lambda *given, **named: len(given[1]))
    said: list[str] = []
    request = Request(name="", data=(), forever=True, grace=1.0)
    assert processes.supervise(request, say=said.append, gpus=words) == 1
    assert ("Left out: GPU 1: GPU is lost." in " ".join(said)) == is_said
