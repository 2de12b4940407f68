"""What a process of orch's own leaves out while Keras is imported, and nobody else's."""

from __future__ import annotations

import gc
import importlib
import sys

import pytest

from workers.device import spared_imports
from workers.device.spared_imports import spare_imports, without_what_is_offered


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages that are not imported, and one that is; in a process that has said nothing yet."""
    monkeypatch.setattr(spared_imports, "OFFERED", ("wave", "sched", "json"))
    monkeypatch.setattr(spared_imports, "_processes_of_ours", [])
    for name in ("wave", "sched"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("asked")
def test_a_process_of_orch_spares_what_is_not_imported_and_can_import_it_afterwards() -> None:
    spare_imports()
    with without_what_is_offered("sched"):
        with pytest.raises(ImportError):
            importlib.import_module("wave")
        importlib.import_module("sched")
        importlib.import_module("json")
        assert not gc.isenabled()
    assert gc.isenabled()
    importlib.import_module("wave")


@pytest.mark.usefixtures("asked")
def test_in_a_process_of_somebody_else_nothing_is_left_out() -> None:
    with without_what_is_offered("tensorflow"):
        importlib.import_module("wave")


@pytest.mark.usefixtures("asked")
def test_an_import_that_fails_leaves_nothing_hidden() -> None:
    spare_imports()
    with pytest.raises(RuntimeError), without_what_is_offered("tensorflow"):
        raise RuntimeError("no driver")
    assert gc.isenabled()
    importlib.import_module("wave")
