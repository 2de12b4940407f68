"""Predictions made on single files that are known to be sealed: on record, and no opening.

They are kept in the database, and in the cache of the machine, under the fingerprint of the data set whose hold-out they
belong to; `storage.holdout.openings.list_openings` counts them with the openings.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.database.tables import holdout_openings as table
from storage.settings import name_user
from storage.wording import say_count

if TYPE_CHECKING:
    from storage.database.engine import Database

FOLDER = "looks"


def record_sealed_predictions(
    found: Mapping[str, set[str]],
    *,
    cache: Path,
    database: Database | None,
    model_sha256: str,
    purpose: str,
) -> None:
    """Record that sealed images were predicted.

    Args:
        found: from `storage.holdout.sealed.find_unsealed`: fingerprint -> images.
        cache: the cache folder of this machine.
        database: the study database, or None.
        model_sha256: the model that predicted.
        purpose: what for, in words; the number of images is put after it.
    """
    for fingerprint, images in found.items():
        row = {
            "fingerprint": fingerprint,
            "opened_at": time.time(),
            "opened_by": f"{name_user()}@{socket.gethostname()}",
            "model_sha256": model_sha256,
            "purpose": f"{purpose} ({say_count(len(images), 'sealed image')})",
            "study_uuid": None,
        }
        path = _file(cache, fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if database is not None:
            with database.transaction() as connection:
                connection.execute(table.insert(), row)


def read_sealed_predictions(cache: Path, fingerprint: str) -> list[dict[str, Any]]:
    """The predictions that this machine knows of, as the fields of an opening."""
    path = _file(cache, fingerprint)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _file(cache: Path, fingerprint: str) -> Path:
    return cache / FOLDER / f"{fingerprint.removeprefix('sha256:')}.jsonl"
