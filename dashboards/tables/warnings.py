"""Everything that a reader of a study's numbers should know before believing them, one sentence each."""

from __future__ import annotations

from dashboards.tables.view import StudyView, describe_attempt
from storage.states import AttemptEnd, StudyState


def list_warnings(view: StudyView) -> list[str]:
    """The warnings given when the study was made, and those that its results call for."""
    study, counts, best = view.study, view.counts, view.best
    found = [str(warning) for warning in study.facts.get("warnings") or []]
    left = counts.open + counts.running
    if left:
        state = "was stopped" if study.state == StudyState.STOPPED else "is not finished"
        found.append(f"The study {state}: {left:,} of {counts.planned:,} trials have no result yet.")
    if counts.failed:
        found.append(
            f"{counts.failed:,} of {counts.planned:,} trials failed; their errors are in the table of trials."
        )
    if best is None:
        found.append("No trial is complete, so there is no best trial.")
        return found
    lost = sum(describe_attempt(attempt) == AttemptEnd.LOST for attempt in view.attempts)
    if lost:
        found.append(
            f"{lost:,} attempts were lost because their worker vanished; all of these trials were started again."
        )
    attempt = view.attempt_of.get(best.point)
    if attempt and attempt.best_epoch == study.spec.training.epochs:
        found.append(
            f"The best epoch ({attempt.best_epoch}) of the best trial is the last one: longer training might score higher."
        )
    if counts.complete > 1:
        found.append(
            f"The best of {counts.complete:,} completed trials was selected by this very value, so expect a lower one on new "
            "data. See 'How much folds differ' for the size of random variation."
        )
    if not study.spec.data.targets and not study.facts.get("targets"):
        found.append("The objective includes every label of the data set, because no targets were chosen.")
    return found
