"""What to do next with a study, in a sentence; commands that end say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from storage.wording import best_file, say_command, say_count

if TYPE_CHECKING:
    from storage.studies.point_records import PointCounts
    from storage.studies.study_records import StudyRecord, UnreadableStudy


def tell_warnings(name: str, warnings: Sequence[str]) -> list[str]:
    """What is said with a result of the warnings that were shown in full when the study was made.

    An error that somebody accepted is repeated with every result; of the others one line tells where they are.
    """
    from orchestrator.audit.admission import ACCEPTED

    told = [warning for warning in warnings if warning.startswith(ACCEPTED)]
    known = len(warnings) - len(told)
    if known:
        told.append(
            f"{say_count(known, 'warning was', 'warnings were')} recorded at creation; show {'it' if known == 1 else 'them'} with `{say_command('study', 'show', name, '--warnings')}`"
        )
    return told


def tell_left_to_others(studies: Sequence[StudyRecord | UnreadableStudy]) -> list[str]:
    """Of each study that this orch cannot read: which orch made it, and what it does not understand."""
    from storage.studies.study_records import UnreadableStudy

    return [
        f"{study.name!r} was created by {study.made_with} and is left to workers of that version: {study.problem}."
        for study in studies
        if isinstance(study, UnreadableStudy)
    ]


def tell_settled(name: str, counts: PointCounts) -> str:
    """What to do once no point of a study is left."""
    next_step = (
        f"{say_command('study', 'export', name, '-o')} {best_file(name)}"
        if counts.complete
        else say_command("study", "show", name)
    )
    return f"Study {name!r} is complete. Next: {next_step}"


def tell_stopped(name: str, counts: PointCounts) -> str:
    """What to do with a stopped study; without it, a command that ends there has no visible reason."""
    left = counts.open + counts.running
    return (
        f"The study {name!r} is stopped with {left} of {say_count(counts.planned, 'trial')} left, so workers start none. "
        f"`{say_command('study', 'resume', name)}` opens it again."
    )


def tell_left(name: str, counts: PointCounts) -> str:
    """How to go on with a study whose worker was told to stop; its counts of nothing look like a failure."""
    left = counts.open + counts.running
    return (
        f"{left} of {say_count(counts.planned, 'trial')} of {name!r} {'is' if left == 1 else 'are'} left; "
        f"`{say_command('worker', name)}` continues."
    )
