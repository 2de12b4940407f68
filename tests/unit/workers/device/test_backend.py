"""Only two rooms name a backend's library; heads, features and extraction speak Keras, whatever its backend."""

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

import workers
from storage.errors import UsageError
from workers.device import backend, contract


@pytest.mark.parametrize("library", ["tensorflow", "jax"])
def test_only_the_room_of_a_backend_imports_it(library: str) -> None:
    folder = Path(workers.__file__).parent
    found = {
        str(path.relative_to(folder)) if path.parts[-3] != "backends" else f"backends/{path.parent.name}"
        for path in folder.rglob("*.py")
        if re.search(rf"^\s*(import|from) {library}\b", path.read_text(), re.MULTILINE)
    }
    assert found == {f"backends/{library}"}


@pytest.mark.parametrize("name", backend.BACKENDS)
def test_the_device_of_a_backend_is_what_the_contract_says(name: str) -> None:
    """Modules of functions, which no type checker compares with a protocol when they are named in a text."""
    module = importlib.import_module(f"workers.backends.{name}.device")
    asked = {key: value for key, value in vars(contract.Device).items() if not key.startswith("_")}
    assert len(asked) == 8
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


def test_a_backend_that_is_not_installed_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delitem(sys.modules, "workers.backends.jax.epoch", raising=False)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(UsageError, match=r"orch-studies\[jax\]"):
        backend.epoch_backend()
