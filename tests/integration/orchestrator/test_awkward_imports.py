"""Whole imports of awkward inputs: what cannot be sealed leaves nothing behind, and predictions get no foreign label."""

from __future__ import annotations

import json
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.models.prediction import find_images
from storage.data.datasets import load_dataset
from storage.database.address import parse_url
from storage.database.opening import open_database
from storage.errors import DataError, OrchError
from storage.holdout.sealed import find_unsealed, registered
from tests.pictures import make_data, write_image, write_table
from tests.postgres import PostgresServer

Run = Callable[..., subprocess.CompletedProcess[str]]

REFUSING = {
    "sqlite": [
        "CREATE TRIGGER refuse BEFORE INSERT ON orch_sealed_images BEGIN SELECT RAISE(ABORT, 'you only look'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'you only look'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON orch_sealed_images FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    ],
}
"""A database that lets a role look and not write."""

GROUPED = Choices(group_columns=("patient",), holdout=0.25)


@pytest.mark.parametrize("blocked", ["a file", "no folder"])
def test_an_import_whose_cache_cannot_be_written_leaves_nothing(tmp_path: Path, blocked: str) -> None:
    images, labels = make_data(tmp_path)
    cache = tmp_path / "cache"
    if blocked == "a file":
        cache.write_text("in the way")
    else:
        cache.mkdir()
        (cache / "sealed").symlink_to(tmp_path / "nowhere" / "at all")
    with pytest.raises(DataError, match=r"hold-out cannot be sealed: .*sealed cannot be written.*ORCH_CACHE"):
        import_dataset(images, labels, tmp_path / "out", GROUPED, cache=cache)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_an_import_that_the_database_refuses_leaves_nothing(tmp_path: Path, database_url: str) -> None:
    images, labels = make_data(tmp_path)
    database = open_database(database_url)
    try:
        with database.transaction() as connection:
            for statement in REFUSING[database_url.split(":")[0].split("+")[0]]:
                connection.execute(sa.text(statement))
        with pytest.raises(OrchError, match="you only look"):
            import_dataset(
                images, labels, tmp_path / "out", GROUPED, cache=tmp_path / "cache", database=database
            )
    finally:
        database.close()
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "cache" / "sealed").glob("*.txt"))


def test_a_role_that_only_looks_seals_nothing(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str, run_here: Run
) -> None:
    make_data(tmp_path)
    open_database(postgres_url).close()
    postgres_server.execute("DROP ROLE IF EXISTS importer")
    postgres_server.execute("CREATE ROLE importer LOGIN PASSWORD 'looks'")
    assert run_here("db", "grant-readonly", "importer", "--storage", postgres_url).returncode == 0
    looks = parse_url(postgres_url).set(username="importer", password="looks")
    words = ("data", "import", "images", "--labels", "labels.csv", "--group", "patient", "--out", "out")
    for _ in range(2):
        refused = run_here(*words, environment={"ORCH_STORAGE": looks.render_as_string(hide_password=False)})
        assert (refused.returncode, "permission denied" in refused.stderr) == (1, True), refused.stderr
        assert "looks" not in refused.stderr
        assert not list(tmp_path.glob("*out*"))
        assert not list((tmp_path / "cache" / "sealed").glob("*.txt"))
    done = run_here(*words, environment={"ORCH_STORAGE": postgres_url})
    assert done.returncode == 0, done.stderr
    assert "hold-out of another data set" not in done.stderr


def test_a_seal_is_taken_back_where_its_folder_cannot_be_made(tmp_path: Path, database_url: str) -> None:
    images, labels = make_data(tmp_path)
    dataset = import_dataset(images, labels, tmp_path / "out", GROUPED)
    sealed = [row["sha256"] for row in json.loads((tmp_path / "out" / "sealed.json").read_text())["images"]]
    cache = tmp_path / "cache"
    database = open_database(database_url)

    def known() -> bool:
        here, there = (
            find_unsealed(sealed, cache=cache, database=None),
            find_unsealed(sealed, cache=None, database=database),
        )
        assert bool(here) == bool(there)
        return bool(here)

    def fail_after_registering() -> None:
        with registered(dataset.folder, dataset.fingerprint, cache, database):
            assert known()
            raise RuntimeError("the disk is full")

    try:
        with pytest.raises(RuntimeError, match="disk is full"):
            fail_after_registering()
        assert not known()
        with registered(dataset.folder, dataset.fingerprint, cache, database):
            pass
        assert known()
        # What an earlier, equal import sealed stays sealed.
        with pytest.raises(RuntimeError, match="disk is full"):
            fail_after_registering()
        assert known()
    finally:
        database.close()


def test_names_in_another_unicode_form_are_found_on_another_machine(tmp_path: Path) -> None:
    names = [f"e\u0301{number}.png" for number in range(6)]
    for number, name in enumerate(names):
        write_image(tmp_path / "here" / "images" / name, seed=number)
    rows = [
        [unicodedata.normalize("NFC", name), f"p{number}", number % 2] for number, name in enumerate(names)
    ]
    labels = write_table(tmp_path / "here" / "labels.csv", ["filename", "patient", "fx"], rows)
    choices = Choices(group_columns=("patient",), holdout=0)
    import_dataset(tmp_path / "here" / "images", labels, tmp_path / "here" / "data", choices)
    (tmp_path / "there" / "images").mkdir(parents=True)
    shutil.copytree(tmp_path / "here" / "data", tmp_path / "there" / "data")
    for name in names:
        shutil.move(
            tmp_path / "here" / "images" / name,
            tmp_path / "there" / "images" / unicodedata.normalize("NFC", name),
        )
    load_dataset(tmp_path / "there" / "data").check_images()


def test_a_row_of_another_image_is_no_label_of_a_prediction(tmp_path: Path) -> None:
    for number, name in enumerate(["left/1.png", "right/1.png", "left/2.JPG", "left/3.gif"]):
        path = tmp_path / "new" / name
        if path.suffix == ".gif":
            path.write_bytes(b"GIF89a")
        else:
            write_image(path, seed=number)
    rows = [["left/1.png", "TRUE", "A"], ["other/1.png", "FALSE", "B"], ["2", "no", " a "]]
    labels = write_table(tmp_path / "l.csv", ["filename", "fx", "kind"], [[*row] for row in rows[:2]])
    images = find_images(tmp_path / "new", labels, "filename", ["fx", "kind=A"])
    assert images.names == ("left/1.png", "left/2.JPG", "right/1.png")
    assert images.labels == {"fx": [1, None, None], "kind=A": [1, None, None]}
    assert "left/3.gif" in images.remarks[0]
    assert "2 images without a row" in images.remarks[1]
    write_table(tmp_path / "l.csv", ["filename", "kind"], [[row[0], row[2]] for row in rows])
    assert find_images(tmp_path / "new", labels, "filename", ["kind=A"]).labels == {"kind=A": [1, 1, None]}
    write_table(tmp_path / "l.csv", ["filename", "fx"], [["left/1.png", "7"]])
    with pytest.raises(DataError, match=r"line 2: label 'fx' is '7', not 0, 1 or blank"):
        find_images(tmp_path / "new", labels, "filename", ["fx"])


def test_class_folders_are_cleaned_and_what_they_leave_out_is_kept(tmp_path: Path) -> None:
    for number in range(12):
        write_image(
            tmp_path / "images" / ("Normal", "normal", "Fracture")[number % 3] / f"{number}.png", seed=number
        )
    (tmp_path / "images" / "Fracture" / "x.gif").write_bytes(b"GIF89a")
    notes: list[str] = []
    dataset = import_dataset(
        tmp_path / "images", None, tmp_path / "out", Choices(holdout=0), note=notes.append
    )
    assert dataset.targets == ("class=Fracture",)
    assert any("1 .gif (Fracture/x.gif)" in note for note in notes)
    (kept,) = [warning for warning in dataset.warnings if ".gif" in warning]
    assert "1 picture file of kinds that orch does not read" in kept
    assert "x.gif" not in kept


def test_patients_and_classes_out_of_names(tmp_path: Path) -> None:
    for number in range(12):
        write_image(
            tmp_path / "images" / f"p{number // 2:03d}_{'fx' if number % 4 else 'ok'}_{number}.png",
            seed=number,
        )
    choices = Choices(group_pattern=r"(p\d+)", class_pattern=r"_(fx|ok)_", holdout=0)
    dataset = import_dataset(tmp_path / "images", None, tmp_path / "out", choices)
    assert dataset.targets == ("class=fx",)
    assert (dataset.grouped, dataset.summary["groups"]) == (True, 6)
    for path in (tmp_path / "images").iterdir():
        path.rename(path.with_name(path.name.replace("fx", "positive").replace("ok", "negative")))
    choices = Choices(group_pattern=r"(p\d+)", class_pattern=r"_(positive|negative)_", holdout=0)
    assert import_dataset(tmp_path / "images", None, tmp_path / "one", choices).targets == ("class",)


def test_a_hold_out_without_a_positive_is_warned_of(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(20)]
    for number, name in enumerate(names):
        write_image(tmp_path / "images" / name, seed=number)
    rows = [
        [name, number, int(number < 2), number % 2, "test" if number > 15 else "train"]
        for number, name in enumerate(names)
    ]
    labels = write_table(tmp_path / "l.csv", ["filename", "patient", "rare", "common", "part"], rows)
    dataset = import_dataset(
        tmp_path / "images",
        labels,
        tmp_path / "out",
        Choices(group_columns=("patient",), split_column="part"),
    )
    assert any(
        "hold-out cannot score 1 label" in warning and "rare (no image has it)" in warning
        for warning in dataset.warnings
    )
    assert any(
        "hold-out is small" in warning and "common (2 patients with it, 2 without)" in warning
        for warning in dataset.warnings
    )
