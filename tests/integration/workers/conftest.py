"""What is about JAX alone is tested where KERAS_BACKEND=jax, by itself; `test_jax_backend.py` runs it beside TensorFlow's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.settings import keras_backend


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Take `jax_*.py` for tests; a file that was named is taken anyway."""
    is_named = parent.session.isinitpath(file_path)
    if keras_backend() != "jax" or is_named or not file_path.match("jax_*.py"):
        return None
    return pytest.Module.from_parent(parent, path=file_path)
