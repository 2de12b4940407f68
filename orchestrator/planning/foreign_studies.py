"""Read a study that another program made with Optuna; only read, its database is left as it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.database.address import parse_url, show_url
from storage.errors import OrchError, SpecError, StorageError, StorageNotFoundError
from storage.growth.evidence import Evidence
from storage.spec import require_whole
from storage.spec.distributions import from_optuna
from storage.wording import name_few, say_count

if TYPE_CHECKING:
    from storage.spec import StudySpec

JOURNAL_SUFFIXES = (".log", ".journal")
LARGEST_EVIDENCE = 10_000
"""More trials than TPE can learn from in reasonable time."""


def read_foreign_study(url: str, name: str | None, spec: StudySpec) -> Evidence:
    """Read the complete trials of a study made elsewhere.

    Args:
        url: of an Optuna database (SQLite or PostgreSQL), or the path of a journal file of Optuna.
        name: of the study; needed where there are several.
        spec: of the study that takes them as evidence.

    Raises:
        StorageNotFoundError: there is no such database or file.
        StorageError: it cannot be read.
        SpecError: there is no study of that name, several to choose from, or none of its trials says anything of this search.
    """
    import optuna

    storage, shown = _open(url)
    # Optuna raises anything for rows and log lines that it did not write so: KeyError, AssertionError, UnicodeDecodeError.
    try:
        names = optuna.get_all_study_names(storage)
        chosen = _choose(names, name, shown)
        study = optuna.load_study(study_name=chosen, storage=storage)
        if len(study.directions) > 1:
            raise SpecError(
                f"The study {chosen!r} in {shown} has {len(study.directions)} objectives, and evidence has one."
            )
        trials = study.get_trials(deepcopy=False)
        minimizes = study.direction == optuna.study.StudyDirection.MINIMIZE
    except OrchError:
        raise
    except Exception as error:
        raise _unreadable(shown, error) from error
    kept, left_out = _select(trials, spec)
    if not kept:
        raise SpecError(
            f"The study {chosen!r} in {shown} has no trial that is evidence for this search of {', '.join(sorted(spec.search))}.",
            why=f"Of its {say_count(len(trials), 'trial')}: {', '.join(f'{count} {what}' for what, count in left_out.items()) or 'none'}.",
        )
    return Evidence(shown, chosen, "minimize" if minimizes else "maximize", tuple(kept), left_out)


def _open(url: str) -> tuple[Any, str]:
    import optuna
    import sqlalchemy as sa
    from optuna.storages.journal import JournalFileBackend

    path = Path(url).expanduser()
    if path.suffix in JOURNAL_SUFFIXES and "://" not in url:
        if not path.is_file():
            raise StorageNotFoundError(f"There is no file {path}.")
        try:
            return optuna.storages.JournalStorage(JournalFileBackend(str(path))), path.name
        except Exception as error:
            raise _unreadable(path.name, error) from error
    address = parse_url(url if "://" in url else f"sqlite:///{path}")
    if address.drivername == "sqlite":
        file = Path(address.database or "").expanduser()
        if not file.is_file():
            raise StorageNotFoundError(
                f"There is no SQLite file {file}.", next_step="Write sqlite:///FILE.db."
            )
        # Opened to read only: Optuna would make its tables in whatever file it is given.
        address = address.set(database=f"file:{file.resolve()}", query={"mode": "ro", "uri": "true"})
        shown = f"sqlite:///{file.name}"
    else:
        shown = show_url(address)
    try:
        with sa.create_engine(address, poolclass=sa.pool.NullPool).connect() as connection:
            present = sa.inspect(connection).has_table("trials") and sa.inspect(connection).has_table(
                "studies"
            )
    except sa.exc.SQLAlchemyError as error:
        raise StorageError(
            f"{shown} cannot be opened: {str(error).splitlines()[0][:200]}",
            why="It is no database, or the server does not let this address in.",
        ) from error
    if not present:
        raise StorageError(f"{shown} holds no study of Optuna.")
    return (
        optuna.storages.RDBStorage(
            address.render_as_string(hide_password=False), engine_kwargs={"poolclass": sa.pool.NullPool}
        ),
        shown,
    )


def _unreadable(shown: str, error: Exception) -> StorageError:
    first = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return StorageError(
        f"The studies in {shown} cannot be read: {first}.",
        why="It is no database of Optuna, or one of another version.",
        next_step="`optuna storage upgrade` of the program that made it brings it up to date.",
    )


def _choose(names: list[str], name: str | None, shown: str) -> str:
    if name is not None and name not in names:
        raise SpecError(f"{shown} has no study {name!r}; it has {name_few(map(repr, names)) or 'none'}.")
    if name is None and len(names) != 1:
        raise SpecError(
            f"{shown} has {say_count(len(names), 'study', 'studies')}: {name_few(map(repr, names))}.",
            next_step="Name one with --study.",
        )
    return name if name is not None else names[0]


def _select(trials: list[Any], spec: StudySpec) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The complete trials that name a searched hyperparameter, and how many others there are of each kind."""
    import math

    kept: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for trial in trials:
        if trial.state.name != "COMPLETE" or not trial.values or not math.isfinite(trial.values[0]):
            left_out[
                f"{trial.state.name.lower()}" if trial.state.name != "COMPLETE" else "without a value"
            ] += 1
            continue
        named = {name: value for name, value in trial.params.items() if name in spec.search}
        shared = from_optuna(spec, named)
        if not shared:
            left_out["without a searched hyperparameter"] += 1
            continue
        if len(kept) == LARGEST_EVIDENCE:
            left_out[f"beyond the first {LARGEST_EVIDENCE}"] += 1
            continue
        try:
            params, is_start = require_whole(spec, shared), True
        except SpecError:
            params, is_start = shared, False  # not all of them, or outside of a range: shown, and no start
        kept.append(
            {"number": trial.number, "params": params, "value": float(trial.values[0]), "is_start": is_start}
        )
    return kept, dict(left_out)
