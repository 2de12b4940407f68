"""What an audit found, as plain records that are kept with a study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
ORDER = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        name: what kind it is; the word for `--accept`.
        severity: "error" (no study is made on it unless accepted), "warning" (kept with the study, counted with every result), "note".
        message: what was found, with its figures, one sentence.
        advice: what to do about it.
        details: the figures as plain JSON data.
    """

    name: str
    severity: Severity
    message: str
    advice: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Message and advice in one line."""
        return f"{self.name}: {self.message} {self.advice}".strip()

    def to_document(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; otherwise as they came."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.severity))


def errors_of(findings: Sequence[Finding], accepted: Iterable[str] = ()) -> list[Finding]:
    """The errors that nobody accepted."""
    names = set(accepted)
    return [finding for finding in findings if finding.severity == "error" and finding.name not in names]
