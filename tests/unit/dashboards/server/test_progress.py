"""Where a trial is, and when it has been there for too long."""

from types import SimpleNamespace
from typing import Any

from dashboards.server.progress import STALL_SECONDS, Progress, describe_place
from tests.studies import make_spec
from tests.unit.dashboards.server.test_login import Clock


def held(token: str = "a", epoch: int = 0, claimed_at: float = 0.0) -> Any:
    return SimpleNamespace(token=token, epoch=epoch, claimed_at=claimed_at)


def test_a_trial_that_gets_no_further_stalls_and_one_that_is_slow_does_not() -> None:
    clock = Clock()
    progress = Progress(clock)

    def look(claim: Any, reached: dict[int, int], now: float) -> float | None:
        return progress.find_stall(claim, reached, now)

    assert look(held(), {}, 0.0) is None
    clock.now += STALL_SECONDS
    assert look(held(), {}, STALL_SECONDS) is None
    clock.now += 1
    assert look(held(), {}, STALL_SECONDS + 1) == STALL_SECONDS + 1
    # An epoch, of one fold or of all, and it goes on; another trial of the same worker does, too.
    assert look(held(), {0: 1}, STALL_SECONDS + 2) is None
    clock.now += STALL_SECONDS + 1
    assert look(held(token="b"), {}, 0.0) is None
    # Epochs of 1,000 s: ten times as long is waited for.
    assert look(held("c", 2), {0: 2, 1: 2}, 2000.0) is None
    clock.now += 9_999
    assert look(held("c", 2), {0: 2, 1: 2}, 2000.0 + 9_999) is None
    clock.now += 2
    assert look(held("c", 2), {0: 2, 1: 2}, 2000.0 + 10_001) == 10_001
    progress.keep(set())
    assert look(held("c", 2), {0: 2, 1: 2}, 2000.0 + 10_001) is None


def test_a_place_is_an_epoch_or_a_fold_and_an_epoch() -> None:
    spec = make_spec()
    assert describe_place(spec, 0, {}) == "epoch 0 of 4"
    assert describe_place(spec, 2, {0: 3, 1: 3, 2: 2}) == "epoch 3 of 4"
    assert describe_place(spec, 0, {0: 4, 1: 2}) == "fold 2 of 3, epoch 2 of 4"
    assert describe_place(make_spec(**{"cv.schedule": "sequential"}), 0, {}) == "fold 1 of 3, epoch 0 of 4"
