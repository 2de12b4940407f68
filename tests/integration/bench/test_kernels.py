"""`bench.kernels`: what is counted in the text of a program, and that orch's own programs can be counted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench import kernels
from bench.gpu import absent
from bench.gpu.program_text import Program, count_bytes
from tests.conftest import REPOSITORY

PROGRAM = """HloModule jit_train, is_scheduled=true

%cut (data: f32[100,8], place: s32[]) -> f32[2,8] {
  %data = f32[100,8]{1,0} parameter(0)
  %place = s32[] parameter(1)
  %zero = s32[] constant(0)
  ROOT %part = f32[2,8]{1,0} dynamic-slice(%data, %place, %zero), dynamic_slice_sizes={2,8}
}

%put (data: f32[100,8], rows: f32[2,8], place: s32[]) -> f32[100,8] {
  %data.1 = f32[100,8]{1,0} parameter(0)
  %rows = f32[2,8]{1,0} parameter(1)
  %place.1 = s32[] parameter(2)
  %zero.1 = s32[] constant(0)
  %same = f32[100,8]{1,0} bitcast(%data.1)
  ROOT %changed = f32[100,8]{1,0} dynamic-update-slice(%same, %rows, %place.1, %zero.1)
}

%body (state: (s32[], f32[100,8], f32[8,8])) -> (s32[], f32[100,8], f32[8,8]) {
  %state = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) parameter(0)
  %step = s32[] get-tuple-element(%state), index=0
  %all = f32[100,8]{1,0} get-tuple-element(%state), index=1
  %kernel = f32[8,8]{1,0} get-tuple-element(%state), index=2
  %inputs = f32[2,8]{1,0} fusion(%all, %step), kind=kLoop, calls=%cut, metadata={op_name="jit(train)/while/body/gather"}
  %call = (f32[2,8]{1,0}, s8[4096]{0}) custom-call(%inputs, /*index=1*/%kernel), custom_call_target="__cublas$lt$matmul"
  %product = f32[2,8]{1,0} get-tuple-element(%call), index=0
  %copy = f32[8,8]{1,0} copy(%kernel)
  %kept = f32[100,8]{1,0} fusion(%all, %product, %step), kind=kLoop, calls=%put
  ROOT %after = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) tuple(%step, %kept, %copy)
}

%goes_on (state.1: (s32[], f32[100,8], f32[8,8])) -> pred[] {
  %state.1 = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) parameter(0)
  %step.1 = s32[] get-tuple-element(%state.1), index=0
  ROOT %less = pred[] compare(%step.1, %step.1), direction=LT
}

ENTRY %main (begin: (s32[], f32[100,8], f32[8,8])) -> (s32[], f32[100,8], f32[8,8]) {
  %begin = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) parameter(0)
  ROOT %loop = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) while(%begin), condition=%goes_on, body=%body
}
"""


def test_kernels_of_a_loop_and_their_bytes_are_read_from_a_program() -> None:
    """Of what is only cut from or changed in part that part counts, and of a call of cuBLAS not the room that it works in."""
    program = Program(PROGRAM)
    assert program.loops() == ["body"]
    found = [(one.name, one.kind, one.read, one.written) for one in program.kernels("body")]
    assert found == [
        ("inputs", "fusion", 64 + 4, 64),
        ("call", "product", 64 + 256, 64),
        ("copy", "copy", 256, 256),
        ("kept", "fusion", 64 + 4, 64),
    ]
    assert program.kernels("body")[0].origin == "body/gather"
    assert count_bytes("(bf16[3,5]{1,0}, pred[], (s64[2], f32[0,4]))") == 30 + 1 + 16


def test_without_a_plugin_for_cuda_it_says_where_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "find_plugin", lambda: None)
    monkeypatch.setattr(sys, "argv", ["bench.kernels"])
    assert kernels.main() == 2
    assert "bench.gpu.absent" in capsys.readouterr().err
    assert "pip install" in str(absent.__doc__)


def count_small(target: str, batch: int, *changes: str) -> str:
    """What is printed for few images, of which no kernel is listed."""
    chosen = ("--for", target, "--small", "--batch", str(batch), "--rows", "0", *changes)
    ran = subprocess.run(
        [sys.executable, "-m", "bench.kernels", *chosen],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.thorough
def test_a_step_is_counted_for_the_processor() -> None:
    printed = count_small(
        "processor", 100, "--set", "training.optimizer=sgd", "--set", "model.head=[9, 8, 7]"
    )
    assert "batch 100, float32, 3 folds stacked: " in printed
    assert "one fold alone" in printed
    assert "11 product" in printed


@pytest.mark.thorough
@pytest.mark.platform_impossible("JAX's plugin for CUDA is not among the locked packages: it brings 4 GB")
@pytest.mark.skipif(absent.find_plugin() is None, reason=absent.NO_PLUGIN)
def test_a_step_on_a_gpu_copies_nothing_and_writes_no_gradients_of_few_rows() -> None:
    """A head of four layers: four products forwards, three backwards; four more are gradients of kernels."""
    few, many = count_small("h200", 16), count_small("h200", 100)
    assert few.count(" 7 product") == 2
    assert many.count(" 11 product") == 2
    assert "copy" not in few + many
