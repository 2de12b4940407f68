"""Names of a backend stay in a few rooms; heads, features and extraction speak Keras, whatever its backend."""

import re
import sys
from pathlib import Path

import pytest

import workers
from storage.errors import UsageError
from workers import backend

BACKEND_ROOMS = {
    "augmentation.py",
    "compiled_epoch.py",
    "dropout.py",
    "explain.py",
    "image_epoch.py",
    "image_set.py",
    "optimizers.py",
    "tensorflow_device.py",
}
JAX_ROOMS = {"jax_device.py", "jax_epoch.py", "jax_optimizers.py", "jax_stack.py"}


@pytest.mark.parametrize(("library", "rooms"), [("tensorflow", BACKEND_ROOMS), ("jax", JAX_ROOMS)])
def test_only_the_rooms_of_a_backend_import_it(library: str, rooms: set[str]) -> None:
    folder = Path(workers.__file__).parent
    found = {
        path.name
        for path in folder.rglob("*.py")
        if re.search(rf"^\s*(import|from) {library}\b", path.read_text(), re.MULTILINE)
    }
    assert found == rooms


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
    monkeypatch.delitem(sys.modules, "workers.jax_epoch", raising=False)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(UsageError, match=r"orch-studies\[jax\]"):
        backend.epoch_room()
