"""The hold-out is opened on record or not at all, and sealed images are recognised when they come back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from orchestrator.cli import run
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.models import prediction
from storage.data.datasets import Dataset, load_dataset
from storage.database.opening import open_database
from storage.errors import DataError, DeviceError, OrchError
from storage.holdout import sealed
from storage.holdout.forgetting import forget_holdout
from storage.holdout.openings import list_openings
from storage.holdout.sealed import find_unsealed, open_holdout, register_sealed, sketch_sealed
from tests.pictures import make_data
from tests.studies import make_study

CHOICES = Choices(group_columns=("patient",), holdout=0.25)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    images, labels = make_data(tmp_path)
    return import_dataset(images, labels, tmp_path / "data", CHOICES, cache=tmp_path / "cache")


def test_an_opening_gives_the_rows_and_is_on_record(dataset: Dataset, database_url: str) -> None:
    database = open_database(database_url)
    try:
        holdout = open_holdout(
            dataset, database=database, model_sha256="ab" * 32, purpose="the last word", study_uuid="u"
        )
        assert len(holdout.files) == 6
        assert all(path.is_file() for path in holdout.files)
        assert holdout.labels.shape == (6, 2)
        assert holdout.labels.dtype == np.float32
        assert not set(holdout.sha256) & set(dataset.sha256)
        assert len(set(holdout.groups.tolist())) == 3
        assert holdout.columns["filename"] == [path.name for path in holdout.files]
        (dataset.folder / "openings.jsonl").unlink()
        (from_database,) = list_openings(dataset, database)
        assert from_database == holdout.opening
        assert (from_database.model_sha256, from_database.purpose) == ("ab" * 32, "the last word")
        assert "@" in from_database.opened_by
    finally:
        database.close()


def test_predicting_sealed_images_is_told_and_asked_before_it_opens_and_named_afterwards(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", "{}")
    whole = prediction.find_images(tmp_path / "images", None, "filename", [])
    sealed = next(place for place, digest in enumerate(whole.digests) if digest not in dataset.sha256)
    images = prediction.Images(whole.names[sealed:], whole.files[sealed:], whole.digests[sealed:], {}).first(
        1
    )
    said: list[str] = []

    def look(*, agree: bool, make_ready: Callable[[], object] = lambda: None) -> None:
        prediction.notice_sealed(
            model, images, None, tmp_path / "cache", said.append, agree=lambda: agree, make_ready=make_ready
        )

    def break_down() -> None:
        raise DeviceError("JAX cannot start.")

    with pytest.raises(OrchError, match="the hold-out stays sealed"):
        look(agree=False)
    (told,) = said
    assert (
        f"{images.names[0]}. Predicting it opens that hold-out, and this is recorded: an estimate on" in told
    )
    assert list_openings(dataset, None) == []
    with pytest.raises(DeviceError):
        look(agree=True, make_ready=break_down)
    assert list_openings(dataset, None) == [], "nothing was seen"
    look(agree=True)
    with pytest.raises(
        DataError, match=r"opened before: once, .* for predicting with model.keras \(1 sealed"
    ):
        open_holdout(dataset, database=None, model_sha256="cd" * 32, purpose="judging")
    assert run(["data", "show", str(dataset.folder)]) == 0
    assert "predicting with model.keras (1 sealed image)" in capsys.readouterr().out


def test_an_import_that_was_a_mistake_is_forgotten_until_something_was_judged_on_it(
    dataset: Dataset, tmp_path: Path, database_url: str
) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels.csv"
    cache = tmp_path / "cache"
    database = open_database(database_url)
    again = import_dataset(
        images,
        labels,
        tmp_path / "again",
        Choices(group_columns=("patient",), holdout=0.25, seed=7),
        cache=cache,
        database=database,
    )

    def sealed_elsewhere() -> list[str]:
        return list(
            find_unsealed(dataset.sha256, cache=cache, database=database, besides=dataset.fingerprint)
        )

    assert sealed_elsewhere() == [again.fingerprint]
    assert forget_holdout(again.fingerprint, again.folder, cache, database) == 6
    assert sealed_elsewhere() == []
    assert forget_holdout(again.fingerprint, None, cache, database) == 0
    register_sealed(again.folder, again.fingerprint, cache, None)
    assert sealed_elsewhere() == [again.fingerprint]
    assert forget_holdout(again.fingerprint, again.folder, cache, None) == 6, "on this machine alone"
    assert sealed_elsewhere() == []
    register_sealed(again.folder, again.fingerprint, cache, database)
    open_holdout(again, database=database, model_sha256="m", purpose="p")
    with pytest.raises(DataError, match="was opened"):
        forget_holdout(again.fingerprint, None, cache, database)
    assert sealed_elsewhere() == [again.fingerprint]
    database.close()


def test_a_data_set_that_a_study_was_made_on_is_not_forgotten(
    dataset: Dataset, tmp_path: Path, sqlite_url: str
) -> None:
    database = open_database(sqlite_url)
    make_study(database, "first", **{"data.fingerprint": dataset.fingerprint})
    with pytest.raises(DataError, match="study 'first'"):
        forget_holdout(dataset.fingerprint, dataset.folder, tmp_path / "cache", database)
    database.close()


def test_both_records_of_one_opening_count_once(dataset: Dataset, sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    open_holdout(dataset, database=database, model_sha256="m", purpose="p")
    assert len(list_openings(dataset, database)) == len(list_openings(dataset, None)) == 1
    database.close()


def test_a_second_opening_must_be_asked_for(dataset: Dataset) -> None:
    open_holdout(dataset, database=None, model_sha256="m", purpose="first look", opened_by="ann@host")
    with pytest.raises(
        DataError, match=r"was opened before: once, on .* by ann@host for first look.*--again"
    ):
        open_holdout(dataset, database=None, model_sha256="m", purpose="second look")
    assert len(list_openings(dataset, None)) == 1
    open_holdout(dataset, database=None, model_sha256="m", purpose="second look", again=True)
    assert [opening.purpose for opening in list_openings(dataset, None)] == ["first look", "second look"]
    with pytest.raises(DataError, match=r"was opened before: 2 times, last on .* for second look"):
        open_holdout(dataset, database=None, model_sha256="m", purpose="third look")


@pytest.mark.parametrize("kind", ["folder", "sqlite", "postgresql"])
def test_of_two_openings_at_one_moment_one_is_refused(
    dataset: Dataset, kind: str, request: pytest.FixtureRequest
) -> None:
    """In the folder alone, and for copies of it in the database alone: eight at once, each after its own look."""
    url = (
        request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
        if kind != "folder"
        else ""
    )
    ready = threading.Barrier(8)
    kept = sealed.list_openings

    def look_together(*arguments: Any) -> list[Any]:
        openings = kept(*arguments)
        if not openings:
            with contextlib.suppress(threading.BrokenBarrierError):
                ready.wait(20)
        return openings

    def open_it(number: int) -> str:
        database = open_database(url) if url else None
        copied = dataset
        if database is not None:
            shutil.copytree(dataset.folder, dataset.folder.with_name(f"copy{number}"))
            copied = dataclasses.replace(dataset, folder=dataset.folder.with_name(f"copy{number}"))
        try:
            open_holdout(copied, database=database, model_sha256="m", purpose=f"look {number}")
            return "opened"
        except DataError as error:
            return "refused" if "was opened before" in str(error) else str(error)
        finally:
            if database is not None:
                database.close()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr(sealed, "list_openings", look_together)
        said = list(pool.map(open_it, range(8)))
    assert sorted(said) == ["opened"] + ["refused"] * 7


def test_an_opening_that_the_database_does_not_take_was_none(
    dataset: Dataset, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(sqlite_url)
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON orch_holdout_openings BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    record = dataset.folder / "openings.jsonl"
    with pytest.raises(sa.exc.SQLAlchemyError):
        open_holdout(dataset, database=database, model_sha256="m", purpose="p")
    assert not record.exists()
    open_holdout(dataset, database=None, model_sha256="m", purpose="first look")
    with pytest.raises(sa.exc.SQLAlchemyError):
        open_holdout(dataset, database=database, model_sha256="m", purpose="second look", again=True)
    assert [opening.purpose for opening in list_openings(dataset, None)] == ["first look"]
    database.close()


@pytest.mark.parametrize("is_there", [True, False])
def test_an_opening_whose_transaction_does_not_end_was_none(
    dataset: Dataset, sqlite_url: str, is_there: bool
) -> None:
    database, record = open_database(sqlite_url), dataset.folder / "openings.jsonl"

    def refuse(_: sa.Connection) -> None:
        assert record.exists()
        if not is_there:
            record.unlink()
        raise sa.exc.OperationalError("COMMIT", {}, OSError("disk I/O error"))

    sa.event.listen(database.engine, "commit", refuse)
    with pytest.raises(sa.exc.SQLAlchemyError):
        open_holdout(dataset, database=database, model_sha256="m", purpose="p")
    assert not record.exists()
    sa.event.remove(database.engine, "commit", refuse)
    open_holdout(dataset, database=database, model_sha256="m", purpose="p")
    database.close()


def test_what_names_patients_or_sealed_labels_is_private(dataset: Dataset) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in dataset.folder.iterdir()}
    assert modes["sealed.json"] == modes["columns.csv"] == 0o600
    assert modes["manifest.json"] == modes["places.json"] != 0o600


def test_what_cannot_be_recorded_stays_closed(dataset: Dataset) -> None:
    (dataset.folder / "openings.jsonl").symlink_to(dataset.folder / "nowhere" / "openings.jsonl")
    with pytest.raises(DataError, match="stays closed: its opening cannot be recorded"):
        open_holdout(dataset, database=None, model_sha256="m", purpose="p")


def test_a_damaged_record_keeps_the_holdout_closed(dataset: Dataset) -> None:
    (dataset.folder / "openings.jsonl").write_text('{"opened_at": 1}\n')
    with pytest.raises(DataError, match=r"record of openings .* cannot be read"):
        open_holdout(dataset, database=None, model_sha256="m", purpose="p")


def test_the_record_is_written_before_the_rows_are_read(dataset: Dataset) -> None:
    (dataset.folder / "sealed.json").unlink()
    with pytest.raises(DataError, match=r"sealed.json cannot be read"):
        open_holdout(dataset, database=None, model_sha256="m", purpose="p")
    assert len(list_openings(dataset, None)) == 1


def test_sealed_rows_that_were_edited_are_refused(dataset: Dataset) -> None:
    path = dataset.folder / "sealed.json"
    document = json.loads(path.read_text())
    document["images"][0]["labels"][0] = 1 - document["images"][0]["labels"][0]
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match="was changed since it was sealed"):
        open_holdout(dataset, database=None, model_sha256="m", purpose="p")


def test_no_holdout_no_opening(tmp_path: Path) -> None:
    images, labels = make_data(tmp_path)
    dataset = import_dataset(images, labels, tmp_path / "data", Choices(holdout=0))
    assert not (tmp_path / "data" / "sealed.json").exists()
    with pytest.raises(DataError, match="has no hold-out"):
        open_holdout(dataset, database=None, model_sha256="m", purpose="p")


def test_sealed_pictures_are_looked_at_where_they_still_are(dataset: Dataset) -> None:
    names = sketch_sealed(dataset, lambda file: file.name)
    assert len(names) == 6
    assert not set(names) & {file.name for file in dataset.files}
    (gone,) = dataset.folder.parent.rglob(names[0])
    gone.unlink()
    assert sketch_sealed(dataset, lambda file: file.name) == names[1:]
    (dataset.folder / "sealed.json").unlink()
    assert sketch_sealed(dataset, lambda file: file.name) == []


def test_each_opening_is_on_the_disk_before_a_row_is_given(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def sync(number: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{number}"))
        fsync(number)

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", sync)
    for again in (False, True):
        open_holdout(dataset, database=None, model_sha256="ab" * 32, purpose="x", again=again)
        # The first record is written under another name, and given its own at once.
        assert any(name.startswith(f"{dataset.folder}/") for name in synced), again
        assert str(dataset.folder) in synced
        synced.clear()


def test_once_sealed_images_are_noticed_under_another_seed(dataset: Dataset, tmp_path: Path) -> None:
    again = import_dataset(
        tmp_path / "images",
        tmp_path / "labels.csv",
        tmp_path / "again",
        Choices(group_columns=("patient",), holdout=0.25, seed=2),
        cache=tmp_path / "cache",
    )
    *_, warning = load_dataset(again.folder).warnings
    assert "sealed in the hold-out of another data set" in warning
    assert dataset.fingerprint[:19] in warning


def test_the_same_import_again_is_no_breach(dataset: Dataset, tmp_path: Path) -> None:
    arguments = (tmp_path / "images", tmp_path / "labels.csv", tmp_path / "again", CHOICES)
    again = import_dataset(*arguments, cache=tmp_path / "cache")
    assert again.fingerprint == dataset.fingerprint
    assert not any("sealed" in warning for warning in again.warnings)


def test_the_database_knows_sealed_images_on_every_machine(
    dataset: Dataset, database_url: str, tmp_path: Path
) -> None:
    database = open_database(database_url)
    try:
        for _ in range(2):
            assert register_sealed(dataset.folder, dataset.fingerprint, None, database) == 6
        sealed = [row["sha256"] for row in json.loads((dataset.folder / "sealed.json").read_text())["images"]]
        looked_at = [*dataset.sha256, sealed[0]]
        assert find_unsealed(looked_at, cache=None, database=database) == {dataset.fingerprint: {sealed[0]}}
        assert find_unsealed(dataset.sha256, cache=None, database=database) == {}
        again = import_dataset(
            tmp_path / "images",
            tmp_path / "labels.csv",
            tmp_path / "again",
            Choices(group_columns=("patient",), holdout=0.25, seed=2),
            cache=tmp_path / "another machine",
            database=database,
        )
        assert sum("sealed in the hold-out" in warning for warning in again.warnings) == 1
    finally:
        database.close()


def test_the_openings_are_known_without_the_data_set_and_stand_on_the_page(
    dataset: Dataset, sqlite_url: str, tmp_path: Path
) -> None:
    from orchestrator.studies.reporting import write_report
    from storage.holdout.openings import find_openings
    from tests.studies import make_study

    database = open_database(sqlite_url)
    try:
        study = make_study(database, **{"data.fingerprint": dataset.fingerprint})
        assert study.fingerprint == dataset.fingerprint
        open_holdout(dataset, database=database, model_sha256="m", purpose="evaluating one.keras")
        open_holdout(dataset, database=database, model_sha256="m", purpose="a second look", again=True)
        known = find_openings(dataset.fingerprint, None, database)
        assert [one.purpose for one in known] == ["evaluating one.keras", "a second look"]
        write_report(database, ["small"], [], tmp_path / "page.html")
    finally:
        database.close()
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 times" in page
    assert "a second look" in page
