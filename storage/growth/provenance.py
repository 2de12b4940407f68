"""Where the trials of a study come from, in words: its plan, its growth, other tools, and studies made elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

from storage.database.engine import Database
from storage.growth.evidence import read_evidence
from storage.studies.attempts import list_foreign
from storage.studies.study_records import ENQUEUED, EVIDENCE, EXTENDED, GUESSED, StudyRecord, growth_of
from storage.wording import say_command, say_count, say_instant


def describe_provenance(database: Database, study: StudyRecord) -> list[str]:
    """Return one sentence per addition to a study, per study that is its evidence, and on what other tools told; none for a plain one."""
    return [
        *describe_growth(study),
        *(_describe_evidence(one) for one in read_evidence(database, study)),
        *describe_foreign(Counter(trial.kind for trial in list_foreign(database, study))),
    ]


def describe_growth(study: StudyRecord) -> list[str]:
    """Return one sentence per addition, with when and by whom; enqueued trials are counted together."""
    told, enqueued = [], 0
    for entry in growth_of(study):
        when = f" on {say_instant(entry['at'])} by {entry['by']}"
        if entry["how"] == EXTENDED:
            told.append(f"Extended from {entry['from']} to {entry['to']} trials{when}.")
        elif entry["how"] == GUESSED:
            told.append(f"A trial with chosen hyperparameters was added{when}.")
        elif entry["how"] == ENQUEUED:
            first, last = entry["points"]
            enqueued += last - first + 1
    if enqueued:
        told.append(f"{say_count(enqueued, 'trial was', 'trials were')} enqueued in Optuna.")
    return told


def describe_foreign(kinds: Counter[str]) -> list[str]:
    """Return what to say of trials that orch did not make, by how many there are of each kind."""
    told = []
    if kinds["told"]:
        told.append(
            f"{say_count(kinds['told'], 'trial was', 'trials were')} written to Optuna's record by another tool: not trained by orch, and no "
            "part of the results, the best value or the pruning."
        )
    if kinds["enqueued"]:
        told.append(
            f"{say_count(kinds['enqueued'], 'trial is', 'trials are')} enqueued in Optuna; the next worker takes them up."
        )
    if kinds["refused"]:
        told.append(
            f"{say_count(kinds['refused'], 'enqueued trial', 'enqueued trials')} cannot be run; the attribute orch_refused of each says why."
        )
    return told


def reproduction_commands(study: StudyRecord, points: dict[int, dict[str, Any] | None]) -> list[str]:
    """Return the commands that let a new study of the same spec grow as this one did.

    Args:
        study: which.
        points: the parameters of its points, by number.
    """
    commands = []
    for entry in growth_of(study):
        if entry["how"] == EXTENDED:
            commands.append(say_command("study", "extend", study.name, "--trials", entry["to"]))
        elif entry["how"] in (GUESSED, ENQUEUED):
            first, last = entry.get("points") or (entry["point"], entry["point"])
            for number in range(first, last + 1):
                chosen = [
                    word
                    for name, value in (points.get(number) or {}).items()
                    for word in ("--set", f"{name}={value}")
                ]
                commands.append(say_command("study", "add", study.name, *chosen))
        elif entry["how"] == EVIDENCE:
            commands.append(
                say_command("study", "import-optuna", "URL", study.name, "--study", entry["study"])
            )
    return commands


def _describe_evidence(evidence: Any) -> str:
    best = evidence.best
    value = f"; best value there {best['value']:.4g}" if best else ""
    return (
        f"Evidence from the study {evidence.study!r} ({evidence.source}): {say_count(len(evidence.trials), 'trial')}, "
        f"{len(evidence.starts)} of them with every searched hyperparameter{value}. They are no results of this study."
    )
