"""What the tests of whole ways share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import open_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all pages of a file; each test opens a tab with a context of its own."""
    with open_browser() as opened:
        yield opened
