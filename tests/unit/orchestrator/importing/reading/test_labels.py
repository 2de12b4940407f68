"""Reading the labels file: what is a label, what is a group, and what is wrong with a cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.reading.classes import Labels
from orchestrator.importing.reading.groups import read_groups
from orchestrator.importing.reading.labels import find_side, read_labels, read_split
from orchestrator.importing.reading.tables import Table, read_table
from storage.errors import DataError


def table_of(tmp_path: Path, text: str | bytes) -> Table:
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


def labels_of(tmp_path: Path, text: str, **choices: object) -> Labels:
    arguments = {"targets": None, "class_column": None, "excluded": ["filename"], **choices}
    return read_labels(table_of(tmp_path, text), **arguments)  # type: ignore[arg-type]


def test_every_column_of_0_1_and_blank_is_a_target(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "filename,age,a,b,note\nx,50,0,,ok\ny,61,1.0,1,ok\nz,70,,0.0,bad\n")
    assert labels.targets == ("a", "b")
    np.testing.assert_array_equal(labels.values, np.float32([[0, np.nan], [1, 1], [np.nan, 0]]))


def test_named_targets_keep_their_order(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "filename,a,b\nx,0,1\ny,1,1\n", targets=["b", "a"])
    assert labels.targets == ("b", "a")
    np.testing.assert_array_equal(labels.values, [[1, 0], [1, 1]])


def test_a_column_of_words_becomes_one_target_per_class(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "filename,finding\nw,fracture\nx,normal\ny,fracture\nz,\n")
    assert labels.targets == ("finding=fracture", "finding=normal")
    np.testing.assert_array_equal(labels.values, [[1, 0], [0, 1], [1, 0], [np.nan, np.nan]])


def test_a_class_column_may_hold_numbers_when_it_is_named(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "filename,grade\nw,1\nx,2\ny,3\nz,1\n", class_column="grade")
    assert labels.targets == ("grade=1", "grade=2", "grade=3")


@pytest.mark.parametrize("targets", [None, ["a"], ["a", "b"]])
def test_a_label_that_is_not_0_1_or_blank_is_named_with_its_line(
    tmp_path: Path, targets: list[str] | None
) -> None:
    with pytest.raises(DataError, match=r"line 4: label 'a' is '2', not 0, 1 or blank"):
        labels_of(tmp_path, "filename,a,b\nw,0,0\nx,1,1\ny,2,1\nz,1,0\n", targets=targets)


def test_a_word_among_labels_is_an_error_and_not_a_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lines 3, 5: label 'a' is 'yes'"):
        labels_of(tmp_path, "filename,a\nw,0\nx,yes\ny,1\nz,no\n", targets=["a"])


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 6: label 'a' is '7'"):
        labels_of(tmp_path, 'filename,note,a\nw,"two\nlines",1\n\nx,,0\ny,,7\nz,,1\n')


def test_a_table_without_labels_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no label column.*filename, age") as caught:
        labels_of(tmp_path, "filename,age\nx,50\ny,61\n")
    assert "--task number --targets age" in str(caught.value.next_step)


@pytest.mark.parametrize("text", ["", "\n\n", "filename,a\n", "filename,a\n\n ,\n"])
def test_an_empty_table_is_said_to_be_empty(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="is empty"):
        table_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("filename,a\nx,0,1\n", "line 2 has 3 cells, but the header has 2"),
        ("filename,a,a\nx,0,1\n", "names column 'a' twice"),
        ('filename,a\n"x,0\n', "line 2 is not CSV"),
        ("filename,a\nä,0\n".encode("latin-1"), "not text in UTF-8"),
    ],
)
def test_a_table_that_is_no_table_is_refused(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        table_of(tmp_path, text)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_other_countries_are_read(tmp_path: Path, delimiter: str) -> None:
    table = table_of(tmp_path, "\ufefffilename, a \nx.png, 1 \n".replace(",", delimiter))
    assert table.columns == ("filename", "a")
    assert table.rows == [["x.png", "1"]]


def test_the_row_index_of_pandas_is_left_out(tmp_path: Path) -> None:
    assert table_of(tmp_path, ",filename,a\n0,x,1\n1,y,0\n").columns == ("filename", "a")


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    table = table_of(tmp_path, "filename,patient_id,a\nx,1,0\n")
    with pytest.raises(DataError, match=r"no column 'patient'.*--group.*Did you mean 'patient_id'"):
        read_groups(table, ["patient"])


def test_several_columns_together_name_a_group(tmp_path: Path) -> None:
    table = table_of(tmp_path, "filename,study,patient\nx,A,1\ny,B,1\nz,A,1\n")
    first, second, third = read_groups(table, ["study", "patient"])
    assert first == third != second


def test_a_blank_group_is_named_with_its_line(tmp_path: Path) -> None:
    table = table_of(tmp_path, "filename,patient\nx,1\ny,\nz, \n")
    with pytest.raises(DataError, match=r"'patient' is blank in 2 rows \(lines 3, 4\)"):
        read_groups(table, ["patient"])


def test_an_unknown_split_value_is_named_with_its_line(tmp_path: Path) -> None:
    table = table_of(tmp_path, "filename,part\nx,Train\ny,valid\nz,external\n")
    with pytest.raises(DataError, match=r"line 4: 'external' in the split column 'part'"):
        read_split(table, "part")


@pytest.mark.parametrize(
    ("words", "sides"),
    [
        (["TRAIN", "Val", "test"], ["train", "valid", "test"]),
        (["Training Set", "validation_set", "Test-Images"], ["train", "valid", "test"]),
        (["development", "hold-out", "tuning"], ["train", "test", "valid"]),
        (["tr", "te", "va"], ["train", "test", "valid"]),
        (["entrenamiento", "prueba", "Validación"], ["train", "test", "valid"]),
        (["TrainSet", "test2017"], ["train", "test"]),
    ],
)
def test_a_side_is_read_in_many_words(tmp_path: Path, words: list[str], sides: list[str]) -> None:
    table = table_of(tmp_path, "filename,part\n" + "".join(f"x,{word}\n" for word in words))
    assert read_split(table, "part") == sides


@pytest.mark.parametrize("word", ["trainee", "attest", "bus", "1", "testis", "contest images", "train test"])
def test_another_word_is_no_side(word: str) -> None:
    assert find_side(word) is None


def test_a_column_of_numbers_and_words_is_not_dropped_in_silence(tmp_path: Path) -> None:
    rows = [f"{place},{place % 3 % 2},{('0', '1+', '2+', '3+')[place % 4]}" for place in range(24)]
    notes: list[str] = []
    text = "\n".join(["filename,fx,her2", *rows])
    assert labels_of(tmp_path, text, note=notes.append).targets == ("fx",)
    assert "her2 (numbers and words, 4 different ones)" in notes[0]
    alone = labels_of(tmp_path, text, excluded=["filename", "fx"])
    assert alone.targets == ("her2=0", "her2=1+", "her2=2+", "her2=3+")
