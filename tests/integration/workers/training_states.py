"""What `test_jax_backend.py` runs in a process of the other backend: it writes down what that computes."""

from __future__ import annotations

import os

import pytest

from tests.training_contract import Agree, TrainingContract, Written
from workers.device import preparation as devices


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


class TestTraining(TrainingContract):
    """Written down, to be compared by the process that asked."""

    @pytest.fixture
    def agree(self) -> Agree:
        return Written(os.environ.get("ORCH_TEST_STATES"))
