"""What workers and the dashboard are handed so that the pages in optuna-dashboard stay fresh."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

log = logging.getLogger(__name__)


def make_publisher(database: Database) -> Callable[[StudyRecord], None]:
    """A function to call after each trial; it never raises, and costs a worker next to nothing."""
    publisher: Callable[[StudyRecord], None] | None = None

    def publish(study: StudyRecord) -> None:
        nonlocal publisher
        if publisher is None:
            from dashboards.pages.publish import Publisher

            publisher = Publisher(database)
        publisher(study)

    return publish


def publish_unpublished(database: Database) -> threading.Thread:
    """Write, in the background, the pages of studies that nobody has published; a role that only reads cannot, and need not.

    For studies whose workers ended before they could, or belong to an older orch.
    """

    def work() -> None:
        try:
            from dashboards.pages.publish import publish_study
            from storage.studies.publishing import list_unpublished

            for study in list_unpublished(database):
                publish_study(database, study)
        except Exception:
            log.debug("Pages could not be updated; the existing ones are shown.", exc_info=True)

    thread = threading.Thread(target=work, name="publish", daemon=True)
    thread.start()
    return thread
