"""What every section of a spec is: frozen, without unknown keys, and written so that the hash of an older spec stays."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Section(BaseModel):
    """One frozen section; an unknown key is an error.

    Attributes:
        later: keys that are younger than specs that are stored. They are written only where they are not the default, so that
            the text and the hash of a spec that does not use them stay as they were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _leave_out_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for key in self.later:
            if getattr(self, key) == type(self).model_fields[key].get_default(call_default_factory=True):
                written.pop(key, None)
        return written


def flatten(document: Any, prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted keys."""
    if not isinstance(document, dict):
        return {prefix: document}
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat.update(flatten(value, f"{prefix}.{key}" if prefix else key))
    return flat
