"""Only two rooms name a backend's library; heads, features and extraction speak Keras, whatever its backend."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import workers
from storage.errors import DeviceError, UsageError
from workers.device import backend, contract, preparation


@pytest.mark.parametrize("library", ["tensorflow", "jax"])
def test_only_the_room_of_a_backend_imports_it(library: str) -> None:
    folder = Path(workers.__file__).parent
    found = {
        str(Path(*path.parts[:2])) if path.parts[0] == "backends" else str(path)
        for path in (found.relative_to(folder) for found in folder.rglob("*.py"))
        if re.search(rf"^\s*(import|from) {library}\b", (folder / path).read_text(), re.MULTILINE)
    }
    assert found == {f"backends/{library}"}


@pytest.mark.parametrize("name", backend.BACKENDS)
def test_the_device_of_a_backend_is_what_the_contract_says(name: str) -> None:
    """Modules of functions, which no type checker compares with a protocol when they are named in a text."""
    module = importlib.import_module(f"workers.backends.{name}.device")
    asked = {key: value for key, value in vars(contract.Device).items() if not key.startswith("_")}
    assert len(asked) == 11
    for key, method in asked.items():
        wanted, found = inspect.signature(method), inspect.signature(getattr(module, key))
        assert list(found.parameters.values()) == list(wanted.parameters.values())[1:], key
        assert found.return_annotation == wanted.return_annotation, key


def test_types_are_said() -> None:
    """`Any` stands for what a library without types gives, in few places outside the folders of the backends."""
    folder = Path(workers.__file__).parent
    found = [
        f"{path.relative_to(folder)}:{node.lineno}"
        for path in folder.rglob("*.py")
        if "backends" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "Any"
    ]
    assert len(found) < 20, found


def test_a_backend_that_orch_does_not_train_with_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    with pytest.raises(UsageError, match="tensorflow, jax"):
        backend.name()


@pytest.mark.parametrize(
    ("library", "words"), [("jax", r"orch-studies\[jax\]"), ("tensorflow", r"orch-studies\[gpu\]")]
)
def test_a_backend_that_is_not_installed_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, library: str, words: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", library)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    other = "KERAS_BACKEND=tensorflow" if library == "jax" else "KERAS_BACKEND=jax"
    # Also where the device is prepared, which is the first that a worker does, and the library is imported late.
    for ask in (backend.epoch_backend, lambda: preparation.prepare(1), preparation.import_quietly):
        with pytest.raises(UsageError, match=words) as raised:
            ask()
        assert other in str(raised.value)


def test_jax_without_a_device_says_what_is_wrong_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.backends.jax import device

    asked: list[str] = []

    def devices() -> None:
        if asked:
            return  # JAX has what started before the device that failed: the processor
        asked.append("devices")
        raise RuntimeError(
            "Unable to initialize backend 'cuda': FAILED_PRECONDITION: No visible GPU devices.\nmore"
        )

    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=devices))
    monkeypatch.setattr(device, "_started", [])
    monkeypatch.setattr(device, "_failed", [])
    for variable in ("TF_CPP_MIN_LOG_LEVEL", "XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_FLAGS"):
        monkeypatch.setenv(variable, "")
    with pytest.raises(DeviceError, match="Unable to initialize backend 'cuda'") as raised:
        device.set_threads(1)
    assert "more" not in raised.value.what
    for words in ("driver is too old", "CUDA_VISIBLE_DEVICES", "memory"):
        assert words in str(raised.value.why)
    assert "--gpus none" in str(raised.value.next_step)
    assert "NPROC" not in os.environ
    with pytest.raises(DeviceError, match="Unable to initialize backend 'cuda'"):
        device.set_threads(1)


def test_jax_that_is_told_to_use_a_gpu_that_is_not_there_says_so() -> None:
    program = "from workers.device import preparation; preparation.prepare(1)"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cuda"}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "DeviceError: JAX cannot start on this machine's device" in ran.stderr


@pytest.mark.parametrize(
    ("capabilities", "computed"),
    [
        (["9.0"], "tf32"),
        (["8.0", "12.0"], "tf32"),
        (["7.5"], "float32"),
        (["8.6", "7.0"], "float32"),
        (["gfx90a"], "float32"),
        ([], "float32"),
    ],
)
def test_what_is_on_record_of_a_gpu_without_tf32_is_float32(
    monkeypatch: pytest.MonkeyPatch, capabilities: list[str], computed: str
) -> None:
    gpus = [SimpleNamespace(platform="gpu", compute_capability=one) for one in capabilities]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=lambda: gpus))
    assert preparation.name_products("tf32") == computed
    pairs = {
        str(number): tuple(map(int, one.split("."))) for number, one in enumerate(capabilities) if "." in one
    }
    config = SimpleNamespace(
        list_physical_devices=lambda _: list(pairs) or ["one"] * len(capabilities),
        experimental=SimpleNamespace(get_device_details=lambda gpu: {"compute_capability": pairs.get(gpu)}),
    )
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=config))
    assert preparation.name_products("tf32") == computed
