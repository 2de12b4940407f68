"""The whole audit of a data set or of a labels file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.baselines import Baseline, judge_baselines, score_baselines
from orchestrator.audit.copies.near_duplicates import Stage
from orchestrator.audit.evidence import Evidence
from orchestrator.audit.findings import Finding, sort_findings
from orchestrator.audit.images import (
    find_copies,
    find_range_differences,
    find_sealed_elsewhere,
    look_at_images,
)
from orchestrator.audit.relations import find_impossible, find_twins, judge_twins
from orchestrator.audit.splits import find_groups_with_labels, find_single_classes, find_split_patients

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database

SCHEMA = "orch.audit/1"


@dataclass(frozen=True)
class Audit:
    """Findings, the worst first; the scores of models without pixels; whether the images were looked at."""

    evidence: Evidence
    findings: list[Finding]
    baselines: list[Baseline]
    saw_images: bool

    @property
    def without_anatomy(self) -> list[Baseline]:
        """The baselines that know neither anatomy nor another target, the best first; none where no model has an AUC to be held against them."""
        if not self.evidence.has_auc:
            return []
        found = [one for one in self.baselines if "target" not in one.kind and one.macro == one.macro]
        return sorted(found, key=lambda one: one.macro, reverse=True)

    def to_document(self) -> dict[str, Any]:
        """What `orch data audit --json` prints."""
        return {
            "schema": SCHEMA,
            "source": self.evidence.source,
            "images": len(self.evidence.labels),
            "groups": len(set(self.evidence.groups.tolist())),
            "grouped": self.evidence.grouped,
            "targets": list(self.evidence.targets),
            "folds": len(self.evidence.folds),
            "images_looked_at": self.saw_images,
            "findings": [finding.to_document() for finding in self.findings],
            "baselines": [baseline.to_document() for baseline in self.baselines],
        }


def audit_evidence(
    evidence: Evidence,
    *,
    file_facts: dict[str, list[str]] | None = None,
    trivial: NDArray[np.float32] | None = None,
    further: list[Finding] | None = None,
) -> Audit:
    """Audit what is known without pixels; `further` findings are sorted in."""
    twins = find_twins(evidence)
    baselines = score_baselines(
        evidence, {name: set(others) for name, others in twins.items()}, file_facts, trivial
    )
    findings = [
        *(further or []),
        *find_split_patients(evidence),
        *find_groups_with_labels(evidence),
        *find_single_classes(evidence),
        *judge_twins(twins),
        *find_impossible(evidence, twins),
        *judge_baselines(
            baselines, {name: set(others) for name, others in twins.items()}, has_auc=evidence.has_auc
        ),
    ]
    return Audit(evidence, sort_findings(findings), baselines, file_facts is not None)


def audit_dataset(
    dataset: Dataset,
    evidence: Evidence,
    *,
    cache: Path,
    database: Database | None,
    with_images: bool = True,
    report: Stage | None = None,
) -> Audit:
    """Audit a data set, with its images unless told otherwise.

    `report` is called with (what is done, how much of it, out of how much).

    Raises:
        DataError: an image moved or changed.
    """
    further = find_sealed_elsewhere(dataset, cache, database)
    if not with_images:
        return audit_evidence(evidence, further=further)
    facts = look_at_images(dataset, cache, report)
    further += [*find_copies(dataset, facts), *find_range_differences(dataset, facts)]
    return audit_evidence(evidence, file_facts=facts.columns, trivial=facts.trivial, further=further)
