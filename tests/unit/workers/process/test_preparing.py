"""What a worker says while it prepares a study."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from storage.spec import parse
from workers.device import backend
from workers.process.preparing import describe_compiling

LENET = {"kind": "lenet", "image_size": [32, 32]}


@pytest.mark.parametrize(
    ("library", "model", "is_told"),
    [("jax", LENET, True), ("jax", {"weights": "none"}, False), ("tensorflow", LENET, False)],
)
def test_a_user_of_jax_is_told_that_whole_networks_are_compiled(
    monkeypatch: pytest.MonkeyPatch, library: str, model: dict[str, Any], is_told: bool
) -> None:
    # Not by the environment: a test before this one may have imported Keras into this process.
    monkeypatch.setattr(backend, "name", lambda: library)
    study = SimpleNamespace(name="s", spec=parse({"study": {"name": "s"}, "model": model}, source="a test"))
    told = describe_compiling(cast("Any", study))
    assert ("may take minutes" in told) == is_told
