"""Whether a study may be made on its data: no error that nobody accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.audit.baselines import Baseline
from orchestrator.audit.copies.near_duplicates import Stage
from orchestrator.audit.evidence import from_dataset
from orchestrator.audit.findings import Finding, errors_of
from orchestrator.audit.report import Audit, audit_dataset
from storage.errors import DataError, UsageError

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.spec import StudySpec

ACCEPTED = "Accepted when the study was created: "
"""How the warning begins that an accepted error leaves; it is shown with every result."""
SAID_AT_IMPORT = frozenset({"patients-unknown", "pixel-ranges"})
"""Findings that the import has warned of already, in its own words."""


def audit_for_study(
    spec: StudySpec,
    dataset: Dataset,
    *,
    cache: Path,
    database: Database | None,
    report: Stage | None = None,
) -> Audit:
    """Audit the targets and folds of a study, with the images where they are on this machine."""
    evidence = from_dataset(dataset, spec.data.targets, spec.cv.folds, spec.study.seed, spec.cv.given)
    try:
        return audit_dataset(dataset, evidence, cache=cache, database=database, report=report)
    except DataError as error:
        audit = audit_dataset(dataset, evidence, cache=cache, database=database, with_images=False)
        unseen = Finding(
            "images-not-seen",
            "warning",
            f"The audit did not look at the images. {error.what}",
            "Run `orch data audit` on a machine that has the images: it finds copies across patients only there.",
        )
        return replace(audit, findings=[*audit.findings, unseen])


def refuse_errors(findings: Sequence[Finding], accepted: Sequence[str]) -> None:
    """Let no study be made on an error that was not accepted.

    Raises:
        DataError: names the errors.
        UsageError: something is accepted that was not found.
    """
    names = {finding.name for finding in findings}
    unknown = [name for name in accepted if name not in names]
    if unknown:
        raise UsageError(
            f"--accept {unknown[0]}: the audit found nothing of that name.",
            why=f"It found {', '.join(sorted(names))}." if names else "It found nothing.",
            next_step="Leave it out.",
        )
    refused = errors_of(findings, accepted)
    if refused:
        flags = " ".join(f"--accept {name}" for name in dict.fromkeys(finding.name for finding in refused))
        raise DataError(
            "The audit found errors in the data that make results too optimistic: "
            + "\n".join(f"{finding.name}: {finding.message}" for finding in refused),
            # A line for each: some end with a command to paste.
            why="\n".join(finding.advice for finding in refused),
            next_step=f"Correct the data; or accept it with {flags}, which is recorded with the study and shown with every result.",
        )


def note_baselines(facts: dict[str, Any], audit: Audit) -> None:
    """Keep among a study's facts what models score that see no anatomy: the best of each kind, on the folds of the study."""
    best: dict[str, Baseline] = {}
    for one in audit.without_anatomy:
        best.setdefault(one.kind, one)
    facts["without_anatomy"] = [{"predictor": one.predictor, "auc": one.macro} for one in best.values()]


def note_findings(facts: dict[str, Any], findings: Sequence[Finding], accepted: Sequence[str]) -> None:
    """Keep findings among a study's facts, errors that were accepted and warnings among its warnings too."""
    warnings = facts.setdefault("warnings", [])
    for finding in findings:
        if finding.severity == "error":
            warnings.append(f"{ACCEPTED}{finding.text}")
        elif finding.severity == "warning" and finding.name not in SAID_AT_IMPORT:
            warnings.append(finding.text)
    facts["findings"] = [finding.to_document() for finding in findings]
    facts["accepted"] = sorted(set(accepted))
