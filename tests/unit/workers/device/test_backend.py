"""Only two rooms name a backend's library; heads, features and extraction speak Keras, whatever its backend."""

import re
import sys
from pathlib import Path

import pytest

import workers
from storage.errors import UsageError
from workers.device import backend


@pytest.mark.parametrize("library", ["tensorflow", "jax"])
def test_only_the_room_of_a_backend_imports_it(library: str) -> None:
    folder = Path(workers.__file__).parent
    found = {
        str(path.relative_to(folder)) if path.parts[-3] != "backends" else f"backends/{path.parent.name}"
        for path in folder.rglob("*.py")
        if re.search(rf"^\s*(import|from) {library}\b", path.read_text(), re.MULTILINE)
    }
    assert found == {f"backends/{library}"}


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
        backend.epoch_room()
