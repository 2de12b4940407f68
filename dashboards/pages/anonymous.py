"""A chapter that may leave the house: machines are numbered, and accounts are not named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dashboards.pages.chapter import Chapter
from storage.spec import StudySpec, to_toml
from storage.studies.attempts import AttemptRecord

ACCOUNT = re.compile(r" by [^\s@]+@[^\s:]*[^\s:.]")
"""Who did something, as orch writes it down: " by anna@gpu-3.example.org"."""
FOLDER = re.compile(r"[/~\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]")
"""How a path of a machine begins."""


def leave_out_folders(value: Any) -> Any:
    """Plain data in which a file is named without the folder it lies in, which may be somebody's: "weights.h5" of "/home/anna/weights.h5"."""
    if isinstance(value, Mapping):
        return {leave_out_folders(key): leave_out_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(leave_out_folders(item) for item in value)
    if isinstance(value, str) and FOLDER.match(value):
        return value.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return value


def _shorten_spec(spec: StudySpec) -> StudySpec:
    named = ("backbone", "weights", "weights_of", "weights_hashes")
    short = {name: leave_out_folders(getattr(spec.model, name)) for name in named}
    search = {
        name: one.model_copy(update={"values": leave_out_folders(one.values)})
        for name, one in spec.search.items()
    }
    return spec.model_copy(update={"model": spec.model.model_copy(update=short), "search": search})


def hide_machines(chapter: Chapter) -> Chapter:
    """Return the chapter with "machine 1, worker 2" for each worker, and without the accounts of whoever did something.

    What a paper's readers do not need, and what its author should not have to look for: names of machines and of accounts. Which is
    which stays in the database, for `orch trial show` and the dashboard.
    """
    view, spec = chapter.view, _shorten_spec(chapter.view.study.spec)
    names = number_workers(view.attempts)
    hosts = {_host(worker): name.partition(",")[0] for worker, name in names.items()}

    def clean(text: str | None) -> str | None:
        for host, name in hosts.items():
            text = text and re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", name, text)
        return text

    return replace(
        chapter,
        view=replace(
            view,
            study=replace(view.study, spec=spec),
            points=[
                replace(
                    one,
                    worker=one.worker and names.get(one.worker),
                    error=clean(one.error),
                    params=leave_out_folders(one.params),
                )
                for one in view.points
            ],
            attempts=[
                replace(one, worker=one.worker and names[one.worker], error=clean(one.error))
                for one in view.attempts
            ],
            provenance=[ACCOUNT.sub("", sentence) for sentence in view.provenance],
        ),
        spec_text=to_toml(spec) if chapter.spec_text else "",
        openings=[ACCOUNT.sub("", line) for line in chapter.openings],
        evaluations=[replace(one, evaluated_by="") for one in chapter.evaluations],
    )


def number_workers(attempts: Sequence[AttemptRecord]) -> dict[str, str]:
    """Return a name for each worker: its machine and itself numbered in the order in which they began."""
    names: dict[str, str] = {}
    machines: dict[str, list[str]] = {}
    for one in attempts:
        if one.worker and one.worker not in names:
            of_machine = machines.setdefault(_host(one.worker), [])
            of_machine.append(one.worker)
            number = list(machines).index(_host(one.worker)) + 1
            names[one.worker] = f"machine {number}, worker {len(of_machine)}"
    return names


def _host(worker: str) -> str:
    # A worker is called host-process-random; a host may have dashes of its own.
    return worker.rsplit("-", 2)[0]
