"""Documents as JSON text: best.json, model cards, what commands print; and the digest that names what is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def to_json(document: dict[str, Any]) -> str:
    """Return a document as the text of a JSON file."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest_key(key: Mapping[str, Any]) -> str:
    """SHA-256, in hex digits, of all that something kept depends on, as JSON with sorted names and no spaces."""
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def without_nan(value: Any) -> Any:
    """Return plain data with every number that JSON cannot hold replaced by None."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
