"""What the shell offers after Tab: names of studies, keys of --set and their words, and columns of a data set or a table.

It is quick, says nothing when something is missing, and changes nothing: what cannot be found is not offered.
"""

from __future__ import annotations

import csv
import json
import shlex
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

import typer

BASH = "complete_bash"
ANSWER_SECONDS = 2.0
"""How long the database may take for the names."""
PATIENCE_SECONDS = 10.0
"""How long a shell waits in all: on a busy machine the imports alone take seconds, and a name server may never answer."""
LARGEST_MANIFEST = 64 * 2**20
WRITTEN_BY_ORCH = frozenset(
    {
        *("study.part_of", "cv.assigned", "cv.outer", "cv.is_test", "cv.train_percent", "data.fingerprint"),
        "sampler.name=listed",
    }
)

_key_of_bash: list[str] = []
"""The key whose value is being typed, where bash asks for the value alone."""


def complete_study(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of studies, the newest first."""
    flag = ctx.params.get("storage")
    return _offer(lambda: _list_studies(flag), incomplete)


def complete_setting(ctx: typer.Context, incomplete: str) -> list[str]:
    """Keys of a spec as `--set` takes them, and what may stand after the =: words of the spec, labels, columns of the data set."""
    key, is_value, value = (_key_of_bash[-1], "=", incomplete) if _key_of_bash else incomplete.partition("=")
    if not is_value:
        return _offer(_list_settings, incomplete)
    found: list[str]
    if key == "data.targets":
        found = _offer_listed(lambda: _list_labels(ctx), value)
    elif key == "cv.by":
        found = _offer(lambda: _list_columns(ctx), value)
    else:
        found = _offer(lambda: _list_words(key), value)
    return found if _key_of_bash else [f"{key}={one}" for one in found]


def complete_hyperparameter(ctx: typer.Context, incomplete: str) -> list[str]:
    """What the study of the command line searches, as `orch study add --set` takes it."""
    # While the value of an option is missing, arguments are not taken yet.
    name, flag = ctx.params.get("name") or next(iter(ctx.args), None), ctx.params.get("storage")
    return _offer(lambda: _list_searched(flag, name), incomplete) if name else []


def complete_column(ctx: typer.Context, incomplete: str) -> list[str]:
    """Labels and other columns of the dataset folder that the command line names."""
    return _offer_listed(lambda: [*_list_labels(ctx), *_list_columns(ctx)], incomplete)


def complete_table_column(ctx: typer.Context, incomplete: str) -> list[str]:
    """Columns of the tables that `--labels` names."""
    return _offer_listed(lambda: _list_header(ctx), incomplete)


def join_words() -> bool:
    """Bash hands `--set data.targets=a` over as three words: make one of them again, or of the last its value, whose key is remembered.

    Returns:
        Whether a shell asks what it may offer, and nothing else is to be said.
    """
    from storage.settings import completing_shell, retype_words, typed_words

    if completing_shell() != BASH:
        return bool(completing_shell())
    line, number = typed_words()
    try:
        words, place = shlex.split(line), int(number)
    except ValueError:
        return True
    words = [*words, *[""] * (place + 1 - len(words))][: place + 1]
    joined: list[str] = []
    goes_on = False
    for word in words:
        if joined and (goes_on or word == "="):
            joined[-1] += word
        else:
            joined.append(word)
        goes_on = word == "="
    key, is_value, value = joined[-1].partition("=")
    if is_value and not key.startswith("-"):
        # Bash replaces what stands after the =, the other shells the whole word.
        _key_of_bash.append(key)
        joined[-1] = value
    retype_words(shlex.join(joined), len(joined) - 1)
    return True


def _offer(find: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    """What begins with what was typed; nothing when it cannot be found, or not soon enough."""
    found: list[str] = []

    def look() -> None:
        try:
            found.extend(one for one in find() if one.startswith(incomplete))
        except BaseException:
            # Whatever it is: a shell that completes a word is no place for a message.
            found.clear()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    return [] if thread.is_alive() else list(dict.fromkeys(found))


def _offer_listed(find: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    """The same for a list of names with commas: its last one is completed."""
    before, comma, last = incomplete.rpartition(",")
    taken = set(before.split(","))
    return [before + comma + one for one in _offer(find, last) if one not in taken]


def _list_studies(flag: str | None) -> list[str]:
    import sqlalchemy as sa

    from storage.database import tables

    return _read(flag, sa.select(tables.studies.c.name).order_by(tables.studies.c.created_at.desc()))


def _list_searched(flag: str | None, name: str) -> list[str]:
    import sqlalchemy as sa

    from storage.database import tables

    specs = _read(flag, sa.select(tables.studies.c.spec).where(tables.studies.c.name == name))
    return [f"{key}=" for spec in specs for key in json.loads(spec)["search"]]


def _read(flag: str | None, query: Any) -> list[str]:
    """The first column of what a query finds in the study database; nothing where there is none."""
    from storage.database.address import parse_url
    from storage.database.deadlines import answering_within
    from storage.database.engine import Database
    from storage.settings import storage_url

    database = Database(parse_url(storage_url(flag)))
    if database.is_sqlite and not database.file.is_file():
        return []
    try:
        with answering_within(ANSWER_SECONDS), database.reading() as connection:
            return list(connection.execute(query).scalars())
    finally:
        database.close()


def _list_settings() -> list[str]:
    from storage.spec import SEARCHABLE, StudySpec

    keys = [f"search.{name}" for name in SEARCHABLE]
    for name, section in StudySpec.model_fields.items():
        for key in getattr(section.annotation, "model_fields", ()):
            keys.append(f"{name}.{key}")
    return [f"{key}=" for key in keys if key not in WRITTEN_BY_ORCH]


def _list_words(key: str) -> list[str]:
    """What a key of a spec may be, where that is one of a few words."""
    from storage.spec import StudySpec

    section, _, name = key.partition(".")
    field = StudySpec.model_fields[section].annotation.model_fields[name].annotation  # type: ignore[union-attr]
    words = ("true", "false") if field is bool else get_args(field)
    return [word for word in words if isinstance(word, str) and f"{key}={word}" not in WRITTEN_BY_ORCH]


def _folders(ctx: typer.Context) -> list[Path]:
    from storage.settings import data_folders

    given: Any = ctx.params.get("data")
    flags = [given] if isinstance(given, str | Path) else list(given or ())
    return [Path(one) for one in data_folders([Path(one) for one in flags])]


def _list_labels(ctx: typer.Context) -> list[str]:
    names: list[str] = []
    for folder in _folders(ctx):
        path = folder / "manifest.json"
        if path.is_file() and path.stat().st_size <= LARGEST_MANIFEST:
            names += map(str, json.loads(path.read_text(encoding="utf-8"))["targets"])
    return names


def _list_columns(ctx: typer.Context) -> list[str]:
    names: list[str] = []
    for folder in _folders(ctx):
        path = folder / "columns.csv"
        if path.is_file():
            names += _read_header(path)[1:]
    return names


def _list_header(ctx: typer.Context) -> list[str]:
    given: Any = ctx.params.get("labels")
    tables = [given] if isinstance(given, str | Path) else list(given or ())
    return [name for table in tables if Path(table).is_file() for name in _read_header(Path(table))]


def _read_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(LARGEST_MANIFEST // 64)
    separator = max(",;\t", key=line.count)
    return [name.strip() for name in next(csv.reader([line], delimiter=separator)) if name.strip()]
