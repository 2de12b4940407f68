"""A database that is away, full or busy is waited for: how long between tries, and what is said meanwhile."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from storage.database.deadlines import answering_within
from storage.database.trouble import away, described, is_passing
from storage.errors import DatabaseRefusedError
from storage.wording import say_duration

__all__ = ["Patience", "described", "wait_for"]

log = logging.getLogger(__name__)
Result = TypeVar("Result")

FIRST_DELAY = 0.2
LONGEST_DELAY = 15.0
SAID_AFTER = 3.0
"""What lasts less, in seconds, is not worth a word."""


def wait_for(
    operation: Callable[[int], Result],
    *,
    give_up_after: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
    refused_too: bool = True,
    sleep: Callable[[float], object] = time.sleep,
) -> Result:
    """Run an operation until the database answers.

    Args:
        operation: called with the number of the try, 0 first; a later try must settle what an earlier one,
            whose answer was lost, may already have done.
        give_up_after: seconds after which the error is raised; None waits for ever.
        stopped: asked before each new try; when true the error is raised.
        refused_too: wait for a server that refuses the login as well, as it did not before.
        sleep: how to wait, in seconds.

    Raises:
        DatabaseAwayError: the time is over or the caller was stopped.
        DatabaseRefusedError: the server refuses, and that is not waited for.
    """
    began = time.monotonic()
    delay = FIRST_DELAY
    tries = 0
    has_said = False
    while True:
        try:
            if give_up_after is None:
                result = operation(tries)
            else:
                with answering_within(max(give_up_after - (time.monotonic() - began), 0.5)):
                    result = operation(tries)
            if has_said:
                log.warning("The database answers again, after %s.", say_duration(time.monotonic() - began))
            return result
        except Exception as error:
            if not is_passing(error):
                raise
            told = away(error)
            if isinstance(told, DatabaseRefusedError) and not refused_too:
                raise told from error
            waited = time.monotonic() - began
            if stopped() or (give_up_after is not None and waited >= give_up_after):
                raise told from error
            if delay > 1.0 or waited > SAID_AFTER:
                has_said = True
                waits = say_duration(waited), say_duration(delay)
                log.warning("%s Waited %s so far; trying again in %s.", told.what, *waits)
        sleep(delay * random.uniform(0.5, 1.0))
        delay = min(delay * 2, LONGEST_DELAY)
        tries += 1


@dataclass(frozen=True)
class Patience:
    """Who waits for the database until told to stop.

    Attributes:
        stopped: whether to wait no more.
        sleep: how to wait, in seconds; ends early where `stopped` becomes true.
    """

    stopped: Callable[[], bool]
    sleep: Callable[[float], object]

    def wait(self, call: Callable[[], Result]) -> Result:
        """Make a call that may be repeated, as soon as the database answers.

        Raises:
            DatabaseAwayError: the caller was told to stop.
        """
        return wait_for(lambda _: call(), stopped=self.stopped, sleep=self.sleep)
