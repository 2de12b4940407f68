"""What orch reads of the environment, and that what it sets for others is as before afterwards."""

from __future__ import annotations

import os

import pytest

from storage import settings
from storage.errors import UsageError


def test_variables_are_set_meanwhile_and_afterwards_all_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_TEST_THERE", "before")
    monkeypatch.delenv("ORCH_TEST_NEW", raising=False)
    with settings.changed_environment(ORCH_TEST_THERE="now", ORCH_TEST_NEW="now"):
        assert (os.environ["ORCH_TEST_THERE"], os.environ["ORCH_TEST_NEW"]) == ("now", "now")
    assert os.environ["ORCH_TEST_THERE"] == "before"
    assert not settings.is_set("ORCH_TEST_NEW")


def test_the_environment_of_a_child_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_TEST_THERE", "before")
    child = settings.environment_with({"ORCH_TEST_NEW": "x"})
    assert (child["ORCH_TEST_THERE"], child["ORCH_TEST_NEW"]) == ("before", "x")
    assert not settings.is_set("ORCH_TEST_NEW")


@pytest.mark.parametrize(("text", "found"), [("", None), ("4096", 4096)])
def test_the_share_of_a_gpu(monkeypatch: pytest.MonkeyPatch, text: str, found: int | None) -> None:
    monkeypatch.setenv("ORCH_GPU_MEBIBYTES", text)
    assert settings.gpu_mebibytes() == found


@pytest.mark.parametrize("text", ["many", "-1", "0", "1.5", "²"])
def test_a_share_of_a_gpu_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ORCH_GPU_MEBIBYTES", text)
    with pytest.raises(UsageError, match="ORCH_GPU_MEBIBYTES"):
        settings.gpu_mebibytes()
