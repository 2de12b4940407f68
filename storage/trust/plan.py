"""A plan of analysis that is fixed before the first trial: read from TOML, hashed, kept with the study, and held against what was done."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.errors import SpecError
from storage.metrics.objectives import METRICS
from storage.metrics.thresholds import read_rule
from storage.results.evaluations import EvaluationKind
from storage.spec import StudySpec, read_toml
from storage.studies.chain import digest_text
from storage.wording import say_times

FACT = "plan"
"""The key of a study's facts that holds its plan."""
LONGEST = 2000

KEYS: dict[str, str] = {
    "question": "a sentence: what the study is to answer",
    "targets": "a list of labels",
    "primary_metric": "one of the metrics that a study can maximise",
    "trials": "a whole number of trials",
    "threshold": "a number, youden, or sensitivity=0.9",
    "subgroups": "a list of columns",
    "comparisons": "a list of studies that this one is compared with",
    "margin": "a number from 0 to below 1",
    "holdout": "once or never",
    "notes": "a text",
}


def read_plan(path: Path) -> dict[str, Any]:
    """Read a plan.

    Raises:
        SpecError: it is no TOML, has an unknown key, or a value that means nothing; names the nearest key.
    """
    document = read_toml(path)
    if set(document) != {"plan"} or not isinstance(document["plan"], dict):
        raise SpecError(
            f"{path} is no plan: it needs one section, [plan].",
            next_step='Write [plan] and below it keys such as primary_metric = "val_auc" (docs/plan.md).',
        )
    plan = document["plan"]
    for key, value in plan.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(KEYS)}."
            raise SpecError(f"A plan has no key {key!r}.", next_step=hint)
        if not _CHECKS[key](value):
            raise SpecError(f"plan.{key} = {value!r} is not valid.", why=f"It is {KEYS[key]}.")
    if not plan:
        raise SpecError(
            f"The plan in {path} is empty.",
            next_step=f"Say at least primary_metric. Known: {', '.join(KEYS)}.",
        )
    return dict(plan)


def check_against(
    plan: Mapping[str, Any], spec: StudySpec, targets: Sequence[str], columns: Sequence[str]
) -> None:
    """Make sure that a study begins as its plan says.

    Args:
        plan: as `read_plan` gives it.
        spec: of the study that is about to be made.
        targets: what it predicts.
        columns: the other columns of the data set.

    Raises:
        SpecError: names what differs.
    """
    differing = [
        f"plan.{key} is {plan[key]!r} and {name} is {value!r}"
        for key, name, value in (
            ("primary_metric", "study.metric", spec.metric.name),
            ("trials", "study.trials", spec.point_count),
            ("targets", "data.targets", list(targets)),
        )
        if key in plan and plan[key] != value
    ]
    missing = [name for name in plan.get("subgroups", ()) if name not in columns]
    if missing:
        differing.append(f"plan.subgroups names {', '.join(missing)}, which the data set does not have")
    if differing:
        raise SpecError(
            f"The study does not begin as its plan says: {'; '.join(differing)}.",
            next_step="Change the plan or the study, before the first trial.",
        )


def seal_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a plan: itself, its hash, and when it was fixed (seconds since 1970)."""
    return {"plan": dict(plan), "hash": hash_plan(plan), "at": time.time()}


def hash_plan(plan: Mapping[str, Any]) -> str:
    """The hash of a plan: of its JSON with sorted keys."""
    return "sha256:" + digest_text(json.dumps(plan, sort_keys=True))


def find_plan(facts: str) -> dict[str, Any] | None:
    """The sealed plan in a study's facts (their JSON), or None."""
    try:
        found = json.loads(facts).get(FACT)
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, dict) else None


def check_plan(sealed: Mapping[str, Any]) -> list[str]:
    """Whether a sealed plan still has its hash, in sentences."""
    if isinstance(sealed.get("plan"), dict) and hash_plan(sealed["plan"]) == sealed.get("hash"):
        return []
    return ["The plan was changed after it was fixed: it does not have the hash that was recorded then."]


def describe_deviations(
    sealed: Mapping[str, Any],
    spec: StudySpec,
    openings: Sequence[Mapping[str, Any]],
    planned: int | None = None,
    evaluations: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """What was done otherwise than planned, as far as the database knows, one sentence each.

    Args:
        sealed: as `seal_plan` made it.
        spec: of the study as it is.
        openings: of the hold-out of its data set.
        planned: how many trials the study has by now; as in its spec when left out.
        evaluations: rows of `orch_evaluations` of its models; those on the hold-out are held against the plan.
    """
    plan, said = sealed["plan"], []
    if "primary_metric" in plan and plan["primary_metric"] != spec.metric.name:
        said.append(
            f"the primary metric was to be {plan['primary_metric']}, and the study maximises {spec.metric.name}."
        )
    trials = spec.point_count if planned is None else planned
    if "trials" in plan and plan["trials"] != trials:
        said.append(f"{plan['trials']} trials were planned, and the study has {trials}.")
    if "targets" in plan and spec.data.targets and plan["targets"] != list(spec.data.targets):
        said.append(
            f"the labels were to be {plan['targets']}, and the study predicts {list(spec.data.targets)}."
        )
    own = [one for one in openings if one.get("opened_at", 0) >= sealed.get("at", 0)]
    if plan.get("holdout") == "never" and own:
        said.append(f"the hold-out was not to be opened, and was, {say_times(len(own))}.")
    if plan.get("holdout") == "once" and len(own) > 1:
        said.append(f"the hold-out was to be opened once, and was opened {say_times(len(own))}.")
    earlier = [one for one in openings if one.get("opened_at", 0) < sealed.get("at", 0)]
    if earlier:
        said.append(f"the hold-out had been opened {say_times(len(earlier))} before the plan was fixed.")
    judged = [json.loads(one["document"]) for one in evaluations if one["kind"] == EvaluationKind.HOLD_OUT]
    return [*said, *dict.fromkeys(_differ_in_evaluation(plan, judged))]


def _differ_in_evaluation(plan: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for document in documents:
        rule = str(document.get("threshold_rule"))
        if "threshold" in plan and read_rule(rule) != read_rule(str(plan["threshold"])):
            yield f"the threshold was to be {plan['threshold']}, and the hold-out was judged with {rule}."
        missing = [name for name in plan.get("subgroups", ()) if name not in document.get("subgroups", {})]
        if missing:
            yield f"the subgroups by {', '.join(missing)} were planned, and an evaluation of the hold-out does not have them."


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_text(one) for one in value)


def _is_rule(value: Any) -> bool:
    try:
        read_rule(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "question": _is_text,
    "targets": _are_names,
    "primary_metric": lambda value: isinstance(value, str) and value in METRICS,
    "trials": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "threshold": _is_rule,
    "subgroups": _are_names,
    "comparisons": _are_names,
    "margin": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1,
    "holdout": lambda value: value in ("once", "never"),
    "notes": _is_text,
}
