"""Tables however they are stored: separators, encodings, packing, headers; and joining and merging them."""

from __future__ import annotations

import gzip
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.reading.cells import Rules
from orchestrator.importing.reading.classes import read_classes
from orchestrator.importing.reading.joining import join_table
from orchestrator.importing.reading.merging import find_rows, merge_equal, merge_labels, merge_table
from orchestrator.importing.reading.tables import MOST_COLUMNS, Table, append_tables, read_table
from storage.errors import DataError, OrchError

NAN = np.nan


def read(tmp_path: Path, content: str | bytes, name: str = "l.csv", sheet: str | None = None) -> Table:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, sheet=sheet)


def table(columns: str, *rows: str) -> Table:
    return Table(
        Path("l.csv"), tuple(columns.split()), [row.split(",") for row in rows], list(range(2, len(rows) + 2))
    )


PLAIN = "filename,a\nx.png,1\ny.png,0\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-be").join([b"\xfe\xff", b""]),
        gzip.compress(PLAIN.encode(), mtime=0),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", "|").encode(),
        b"sep=;\r\n" + PLAIN.replace(",", ";").encode(),
        b"\xef\xbb\xbf" + b'"sep=,"\n' + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        "\u202afilename\u200b,a\nx.png\u200e,1\ufeff\n\u200by.png\u2060,0\n".encode(),
        b"'filename','a'\n'x.png','1'\n'y.png', '0'\n",
    ],
)
def test_one_table_in_many_forms(tmp_path: Path, content: bytes) -> None:
    found = read(tmp_path, content)
    assert found.columns == ("filename", "a")
    assert found.rows == [["x.png", "1"], ["y.png", "0"]]


def test_the_separator_is_what_gives_every_row_the_same_cells(tmp_path: Path) -> None:
    header = "filename;fx;site, ward, room;age, years, months, days"
    assert len(read(tmp_path, f"{header}\nx.png;1;a;9\ny.png;0;b;8\n").columns) == 4
    assert read(tmp_path, "filename;share\nx;3,5\ny;4,5\n").rows == [["x", "3,5"], ["y", "4,5"]]
    assert read(tmp_path, "filename,found\nx,A|B\ny,A\n").rows == [["x", "A|B"], ["y", "A"]]
    assert read(tmp_path, 'filename,note\nx,"a;b;c;d"\ny,"e, f"\n').rows == [["x", "a;b;c;d"], ["y", "e, f"]]


def test_lists_of_paths_have_no_header(tmp_path: Path) -> None:
    paths = read(tmp_path, "MURA/train/patient1/image1.png\nMURA/train/patient2/image1.png\n")
    assert paths.columns == ("column 1",)
    assert len(paths.rows) == 2
    assert read(tmp_path, "a/study1_positive/,1\nb/study1_negative/,0\n").columns == ("column 1", "column 2")
    assert read(tmp_path, "Frontal/Lateral,a\nFrontal,1\n").columns == ("Frontal/Lateral", "a")
    read(tmp_path, "a/study1_positive/,1\nb/study1_negative/,0\n")
    assert read_table(tmp_path / "l.csv", header=True).columns == ("a/study1_positive/", "1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"images": [], "annotations": [{"bbox": [1, 2]}]}', "is JSON, not a table"),
        ('[{"id": 1}]', "is JSON, not a table"),
        (PLAIN.encode("utf-16-le"), "zero bytes"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "old Excel"),
        (b"PK\x03\x04" + bytes(100), "packed archive"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:20], "cannot be unpacked"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("module", "name", "content"),
    [("openpyxl", "l.xlsx", b"PK\x03\x04"), ("pyarrow", "l.parquet", b"PAR1")],
)
def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, content: bytes
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OrchError, match=f"{module}.*not installed.*extra"):
        read(tmp_path, content, name)


def test_several_tables_are_one(tmp_path: Path) -> None:
    both = append_tables([table("a b", "1,2"), table("b a", "4,3")])
    assert both.rows == [["1", "2"], ["3", "4"]]
    with pytest.raises(DataError, match="different columns: b, c"):
        append_tables([table("a b", "1,2"), table("a c", "1,2")])


def test_joining_looks_up_and_expands() -> None:
    notes: list[str] = []
    labels = table("study fx", "s1,1", "s2,0", "s3,1")
    looked_up = join_table(labels, table("study side", "s2,test", "s1,train"), "study", notes.append)
    assert looked_up.columns == ("study", "fx", "side")
    assert looked_up.rows == [["s1", "1", "train"], ["s2", "0", "test"], ["s3", "1", ""]]
    assert "1 row of l.csv has no row" in notes[0]
    images = table("image study", "a,s1", "b,s1", "c,s2")
    assert join_table(labels, images, "study", notes.append).rows == [
        ["s1", "1", "a"],
        ["s1", "1", "b"],
        ["s2", "0", "c"],
    ]
    assert "left out" in notes[1]
    other = table("name side", "s1,train", "s2,test", "s3,test")
    assert join_table(labels, other, "study=name", notes.append).columns == ("study", "fx", "side")
    # Keys are compared as patients are, and rows that say the same twice count once.
    floats = table("study side", "1.0,train", "02,test", "1.0,train")
    numbers = join_table(table("study fx", "1,1", "2,0"), floats, "study", notes.append)
    assert numbers.rows == [["1", "1", "train"], ["2", "0", "test"]]
    assert "1 row of l.csv repeats another one" in notes[-1]
    unknown = join_table(
        table("study fx", "1,1", ",0", "NA,0"), table("study patient", "1,P1", ",P2"), "study", notes.append
    )
    assert [row[2] for row in unknown.rows] == ["P1", "", ""], "who is not known is not the same patient"
    with pytest.raises(DataError, match="No row of"):
        join_table(table("study fx", "NA,1"), table("study patient", "NA,P1", "NA,P2"), "study", notes.append)
    stems = join_table(
        table("image fx", "a/x.png,1"), table("name side", "x,test"), "image=name", notes.append
    )
    assert stems.rows == [["a/x.png", "1", "test"]]
    with pytest.raises(DataError, match="both have several rows"):
        join_table(table("study fx", "s1,1", "s1,0"), images, "study", notes.append)
    with pytest.raises(DataError, match="No row of"):
        join_table(labels, table("study x", "9,1"), "study", notes.append)


@pytest.mark.parametrize(
    ("way", "merged"),
    [("any", [1, 1, 1, 0, NAN, 1]), ("all", [1, 0, 0, 0, NAN, 1]), ("majority", [1, 1, NAN, 0, NAN, 1])],
)
def test_rows_of_one_image_are_merged(way: str, merged: list[float]) -> None:
    rows = np.array([[1, 1, 1, 0, NAN, 1], [1, 1, 0, 0, NAN, NAN], [1, 0, NAN, 0, NAN, NAN]], np.float32)
    np.testing.assert_array_equal(merge_labels(rows, [[0, 1, 2]], way), [merged])


def test_a_reader_counts_once_however_many_rows() -> None:
    rows = np.array([[1], [1], [1], [0], [0]], np.float32)
    readers = ["A", "A", "A", "B", "C"]
    assert merge_labels(rows, [[0, 1, 2, 3, 4]], "majority", readers).tolist() == [[0]]
    assert merge_labels(rows, [[0, 1, 2, 3, 4]], "majority").tolist() == [[1]]


def test_the_other_columns_of_merged_rows_stand_side_by_side() -> None:
    rows = table("image reader", "a,R1", "b,R1", "a,R2", "a,R1")
    rows_of = find_rows(["a", "b", "a", "a"])
    assert rows_of == [[0, 2, 3], [1]]
    assert merge_table(rows, rows_of).rows == [["a", "R1|R2"], ["b", "R1"]]
    with pytest.raises(DataError, match="rows of one image have different patients: lines 2, 4, 5"):
        merge_equal(rows, ["p", "q", "r", "p"], rows_of, "patients")


def test_workbooks_are_read_as_they_show(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed (extra excel)")
    book = openpyxl.Workbook()
    for row in (["filename", "patient_id", "fx"], ["1.png", 17, True], ["2.png", 17.0, False], [None] * 3):
        book.active.append(row)
    book.save(tmp_path / "l.xlsx")
    assert read_table(tmp_path / "l.xlsx").rows == [["1.png", "17", "TRUE"], ["2.png", "17", "FALSE"]]
    book.create_sheet("more").append(["x"])
    book.save(tmp_path / "l.xlsx")
    with pytest.raises(DataError, match=r"2 sheets that are not empty: 'Sheet' \(3 rows\), 'more' \(1 row\)"):
        read_table(tmp_path / "l.xlsx")
    assert read_table(tmp_path / "l.xlsx", sheet="sheet ").columns == ("filename", "patient_id", "fx")
    with pytest.raises(DataError, match=r"no sheet 'labels' .*'Sheet', 'more'"):
        read_table(tmp_path / "l.xlsx", sheet="labels")
    with pytest.raises(DataError, match=r"and .*l\.csv is none"):
        read(tmp_path, "filename,a\nx.png,1\n", sheet="more")


def test_parquet_is_read_with_its_lists(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra parquet)")
    import pyarrow
    from pyarrow import parquet

    made = pyarrow.table({"filename": ["1.png", "2.png"], "fx": [1.0, None], "found": [["a", "b"], []]})
    parquet.write_table(made, tmp_path / "l.parquet")
    assert read_table(tmp_path / "l.parquet").rows == [["1.png", "1", "['a', 'b']"], ["2.png", "", "[]"]]


@pytest.mark.parametrize(
    "content",
    [
        '"filename", "a"\n"x.png", "1"\n"y.png", "0"\n',
        "filename,a\nx.png,1,\ny.png,0,,\n",
        'filename,a\nx.png,"=""1"""\ny.png,="0"\n'.replace('\\"', '"'),
    ],
)
def test_what_programs_add_to_a_table_is_no_part_of_it(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, content)
    assert (found.columns, found.rows) == (("filename", "a"), [["x.png", "1"], ["y.png", "0"]])


def test_a_title_above_the_header_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the first line has one: Export of May"):
        read(tmp_path, "Export of May\nfilename,a\nx.png,1\n")
    for separator in ";\t":
        with pytest.raises(DataError, match="line 3 has 2 cells, but the first line has one: # made in May"):
            read(tmp_path, f"# made in May\n# by me\nfilename{separator}a\nx.png{separator}1\n")


def test_a_column_that_lost_its_name_is_kept_and_row_numbers_are_not(tmp_path: Path) -> None:
    assert read(tmp_path, ",filename,\n0,x.png,1\n1,y.png,0\n").columns == ("filename", "column 3")
    assert read(tmp_path, ",a\nx.png,1\ny.png,0\n").columns == ("column 1", "a")


@pytest.mark.parametrize("start", [b"BZh9", b"\xfd7zXZ\0", b"7z\xbc\xaf"])
def test_other_archives_are_refused_as_such(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(DataError, match="is a packed archive"):
        read(tmp_path, start + b"\xff\x80")


def test_a_workbook_that_fills_the_memory_is_one_sentence(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book, plain, path = openpyxl.Workbook(), tmp_path / "plain.xlsx", tmp_path / "bomb.xlsx"
    book.active.append(["filename", "a"])
    book.active.append(["x.png", 1])
    book.save(plain)
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>'
    with (
        zipfile.ZipFile(plain) as whole,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bomb,
    ):
        for member in whole.infolist():
            if member.filename != "xl/worksheets/sheet1.xml":
                bomb.writestr(member, whole.read(member))
        with bomb.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file:
            file.write(sheet)
            for _ in range(400):
                file.write(b"a" * 2**20)
            file.write(b"</t></is></c></row></sheetData></worksheet>")
    with pytest.raises(DataError, match=r"cannot be read: .*(MiB of memory|out of memory)"):
        read_table(path)
    assert read_table(plain).columns == ("filename", "a")


@pytest.mark.parametrize("count", [16_000, 100_000])
@pytest.mark.parametrize("twice", [True, False])
def test_a_table_of_many_columns_takes_no_time(tmp_path: Path, count: int, twice: bool) -> None:
    columns = ["a" if twice else f"c{n}" for n in range(count)]
    path = tmp_path / "wide.csv"
    path.write_text("filename\t" + "\t".join(columns) + "\nx.png" + "\t1" * len(columns) + "\n")
    began = time.process_time()
    if count > MOST_COLUMNS or twice:
        says = (
            "100,001 columns, and orch reads at most 16,384"
            if count > MOST_COLUMNS
            else "names column 'a' twice"
        )
        with pytest.raises(DataError, match=says):
            read_table(path)
    else:
        table = read_table(path)
        assert len([table.column(name, option="--targets") for name in table.columns]) == count + 1
    assert time.process_time() - began < 5


def test_a_column_of_reports_is_no_class_column_and_says_so_soon(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    words = [
        f"finding of {'abcdefghijklmnop'[n % 16]}{'qrstuvwxyz'[n % 10]} kind {chr(97 + n % 26)}" * 3
        for n in range(80)
    ]
    path.write_text(
        "filename,report\n" + "".join(f"{n}.png,{words[n % 80]} {'x' * (n // 80)}\n" for n in range(8000))
    )
    began = time.process_time()
    with pytest.raises(DataError, match="different values"):
        read_classes(read_table(path), "report", option="--class-column", rules=Rules(), note=lambda _: None)
    assert time.process_time() - began < 10


def test_lists_whose_cells_are_separated_by_blanks(tmp_path: Path) -> None:
    found = read(tmp_path, "1 0.png positive ricord\n2  1.png negative  rsna\n")
    assert found.columns == ("column 1", "column 2", "column 3", "column 4")
    assert found.rows[1] == ["2", "1.png", "negative", "rsna"]
    # Blanks may be part of a name.
    assert read(tmp_path, "left 0.png\nleft 1.png\n").columns == ("column 1",)
    assert read(tmp_path, "filename\nleft 0.png\n").columns == ("filename",)
    assert read(tmp_path, "17,0.png,1\n18,1.png,0\n").rows == [["17", "0.png", "1"], ["18", "1.png", "0"]]
