"""Create a study: its data chosen, its images audited, its trials planned; for `orch study create` and for Python alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.audit.admission import audit_for_study, note_baselines, note_findings, refuse_errors
from orchestrator.importing.given_folds import fill_in_folds
from orchestrator.planning.analysis_plan import take_plan
from orchestrator.planning.names import check_new_name
from orchestrator.planning.own_models import fill_in_options
from orchestrator.planning.parts import plan_repeats_of_winner
from orchestrator.planning.plan import plan_points
from orchestrator.planning.presets import size_to_data
from orchestrator.planning.review import (
    Review,
    choose_dataset,
    count_training,
    fill_in_data,
    fill_in_features,
    fill_in_weights,
    review_study,
)
from storage.growth.parts import make_searches
from storage.settings import cache_folder
from storage.studies.study import StudyRecord, create_study
from storage.studies.study_records import find_row
from storage.trust.plan import FACT

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.spec import StudySpec


@dataclass(frozen=True)
class Proposal:
    """A study that could be created, and what is worth knowing of it before.

    Attributes:
        spec: the whole of it, with the fingerprint of its data.
        points: the hyperparameters of every trial, in order; None where the sampler chooses them when a worker asks.
        dataset: what it is made on.
        review: facts that are kept with it, and warnings.
    """

    spec: StudySpec
    points: list[dict[str, Any] | None]
    dataset: Dataset
    review: Review


def propose_study(
    spec: StudySpec,
    *,
    data: Sequence[Path] | None,
    database: Database | None,
    accept: Sequence[str] = (),
    remarks: Sequence[str] = (),
    plan: Path | None = None,
    preset: str | None = None,
    report: Callable[[str, int, int], None] | None = None,
) -> Proposal:
    """Choose the data of a study, audit it, and plan its trials; writes nothing but the audit's cache.

    Args:
        spec: what is searched.
        data: dataset folders; else ORCH_DATA and orch.toml name them.
        database: where the study would go; None where there is no database yet.
        accept: findings of the audit that are accepted.
        remarks: warnings that are known already, kept with those of the review.
        plan: a file with the plan of analysis, which is kept with the study.
        preset: a key of `orchestrator.planning.presets.PRESETS` that the spec was made of; it is sized to the data.
        report: told (what is done, how far, of how many).

    Raises:
        DataError: the audit found an error that was not accepted, or the data is not what the spec asks for.
        SpecError: a new study cannot have this name, or a value does not fit the data or the plan.
        StudyExistsError: the study exists with another plan.
        UsageError: no data set is named, or several.
    """
    dataset = choose_dataset(data, spec.data.fingerprint)
    spec = fill_in_features(fill_in_data(spec, dataset), dataset)
    spec, given = fill_in_folds(fill_in_options(fill_in_weights(spec)), dataset)
    if preset is not None:
        spec = size_to_data(spec, preset, count_training(spec, dataset))
    existing = find_row(database, spec.study.name) if database is not None else None
    spec = plan_repeats_of_winner(spec, existing)
    points = plan_points(spec)
    review = review_study(spec, points, dataset)
    if given is not None:
        review.facts["fold_names"] = list(given.names)
        review.warnings.extend(given.notes)
    if existing is None:
        check_new_name(spec.study.name)
    if plan is not None:
        review.facts[FACT] = take_plan(plan, spec, dataset, existing)
    audit = audit_for_study(spec, dataset, cache=cache_folder(), database=database, report=report)
    refuse_errors(audit.findings, accept)
    note_findings(review.facts, audit.findings, accept)
    note_baselines(review.facts, audit)
    review.warnings.extend(remarks)
    return Proposal(spec, points, dataset, review)


def create_proposed(database: Database, proposal: Proposal) -> StudyRecord:
    """Write a proposed study with all its trials, and the searches of its outer folds; one that is there with the same spec stays as it is.

    Raises:
        StudyExistsError: a study of that name has another spec; the differing keys are named.
    """
    study = create_study(
        database,
        proposal.spec,
        proposal.points,
        data_folder=str(proposal.dataset.folder.resolve()),
        facts=proposal.review.facts,
    )
    make_searches(database, study, proposal.dataset, plan_points)
    return study
