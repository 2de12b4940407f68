"""The cases of `cases`: each with its input, the options of its import, and what is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.case_inputs import (
    CLASSES,
    COUNT,
    Judge,
    Make,
    column,
    deep,
    folders,
    grouped,
    patients,
    plain,
    refused,
    shades,
    sided,
    split,
    table,
    taken,
    two_row,
)


@dataclass(frozen=True)
class Case:
    """One input, the options of its import, and what is right."""

    name: str
    make: Make
    options: Sequence[str]
    is_right: Judge


WHOLE = ("--holdout", "0", "--no-group")
BY_PID = ("--holdout", "0", "--group", "pid")


def in_sides(
    name: str, sides: Sequence[str], is_right: Judge, form: str = "{side}/{name}/{side}{n}.png"
) -> Case:
    """Class folders of a published split, taken by their names."""
    return Case(name, sided(form, sides), ("--class-folders", "--task", "labels"), is_right)


CASES = [
    # tables
    Case(
        "table: semicolons, commas in the header",
        table("filename;pid;fx;site, ward, room", lambda n: f"{n}.png;p{n // 2};{n % 2};a"),
        BY_PID,
        taken("0 1 0 1"),
    ),
    Case(
        "table: tabs in UTF-16",
        table("filename\tpid\tfx", two_row("\t"), encoding="utf-16"),
        BY_PID,
        taken("0 1 0 1"),
    ),
    Case(
        "table: bars, Windows line ends",
        table("filename|pid|fx", two_row("|"), end="\r\n"),
        BY_PID,
        taken("0 1 0 1"),
    ),
    Case(
        "table: a byte order mark",
        table("filename,pid,fx", two_row(","), encoding="utf-8-sig"),
        BY_PID,
        taken("0 1 0 1"),
    ),
    Case("table: sep= line", table("sep=;\nfilename;pid;fx", two_row(";")), BY_PID, taken("0 1 0 1")),
    Case(
        "table: blanks after commas and quotes",
        table('"filename", "pid", "fx"', lambda n: f'"{n}.png", "p{n // 2}", "{n % 2}"'),
        BY_PID,
        grouped(6),
    ),
    Case(
        "table: a separator at the end of rows",
        table("filename,pid,fx", lambda n: f"{n}.png,p{n // 2},{n % 2},"),
        BY_PID,
        grouped(6),
    ),
    Case(
        "table: line ends in quotes",
        table("filename,pid,note,fx", lambda n: f'{n}.png,p{n // 2},"a\nb",{n % 2}'),
        BY_PID,
        taken("0 1 0 1"),
    ),
    Case(
        "table: a title above the header", table("Export of May\nfilename,fx", plain), WHOLE, refused("title")
    ),
    Case(
        "table: Latin 1",
        table("filename,pid,fx", lambda n: f"{n}.png,Müller{n},{n % 2}", encoding="latin-1"),
        BY_PID,
        refused("UTF-8"),
    ),
    Case(
        "table: JSON",
        table('{"images": [', lambda n: f'{{"file": "{n}.png"}},'),
        WHOLE,
        refused("JSON, not a table"),
    ),
    # names of images
    Case(
        "names: paths of a Windows machine",
        table("filename,fx", lambda n: f"D:\\study\\xr\\{n}.png,{n % 2}"),
        WHOLE,
        taken("0 1 0 1", "another machine"),
    ),
    Case(
        "names: a network share",
        table("filename,fx", lambda n: f"\\\\server\\share\\{n}.png,{n % 2}"),
        WHOLE,
        taken("0 1 0 1"),
    ),
    Case(
        "names: another format",
        table("filename,fx", lambda n: f"{n}.dcm,{n % 2}"),
        WHOLE,
        taken("0 1 0 1", "taken for"),
    ),
    Case(
        "names: zeros lost",
        table("filename,fx", lambda n: f"{n},{n % 2}", [f"{n:05d}.png" for n in range(COUNT)]),
        WHOLE,
        taken("0 1 0 1"),
    ),
    Case(
        "names: numbers with a point",
        table("image_id,fx", lambda n: f"{n}.0,{n % 2}"),
        ("--filename-column", "image_id", *WHOLE),
        taken("0 1 0 1"),
    ),
    Case(
        "names: mixed case",
        table("filename,fx", lambda n: f"IMG{n}.png,{n % 2}", [f"img{n}.PNG" for n in range(COUNT)]),
        WHOLE,
        taken("0 1 0 1"),
    ),
    Case(
        "names: of another folder",
        table("filename,fx", lambda n: f"b/{n}.png,{n % 2}", [f"a/{n}.png" for n in range(COUNT)]),
        WHOLE,
        refused("no image"),
    ),
    Case(
        "names: two suffixes of one stem",
        table("filename,fx", lambda n: f"{n},{n % 2}", [*(f"{n}.png" for n in range(COUNT)), "3.jpg"]),
        WHOLE,
        refused("2 images"),
    ),
    Case(
        "names: of web addresses",
        table(
            "filename,fx",
            lambda n: f"my%20picture%20{n}.png,{n % 2}",
            [f"my picture {n}.png" for n in range(COUNT)],
        ),
        WHOLE,
        taken("0 1 0 1", "web addresses"),
    ),
    Case(
        "names: two slashes, marks that are not seen",
        table(
            "filename,fx", lambda n: f"\u202aa//{n}.png\u200e,{n % 2}", [f"a/{n}.png" for n in range(COUNT)]
        ),
        WHOLE,
        taken("0 1 0 1"),
    ),
    Case(
        "names: no header and no suffix",
        table(
            "", lambda n: f"IMG_{n},{('benign', 'malignant')[n % 2]}", [f"IMG_{n}.png" for n in range(COUNT)]
        ),
        WHOLE,
        taken("0 1 0 1"),
    ),
    # patients
    Case("patients: 17, 17.0, 017", patients(["17", "17.0", "017", "18", "18,0", "018"]), BY_PID, grouped(2)),
    Case("patients: case, width, hyphens", patients(["P-7", "p7", "Ｐ７", "P 007"]), BY_PID, grouped(1)),
    Case("patients: marks of spreadsheets", patients(["'0017", '="0017"', "17", "17"]), BY_PID, grouped(1)),
    Case("patients: digits of another script", patients(["١٧", "17", "18", "18"]), BY_PID, grouped(2)),
    Case(
        "patients: exponents, dashes, letters",
        patients(["17", "1.7E+01", "A–3", "a-03", "4 b", "04B"]),
        BY_PID,
        grouped(3),
    ),
    Case(
        "patients: a column that is not there is declined",
        table("filename,study_id,fx", two_row(",")),
        ("--holdout", "0", "--not-patient", "studyid"),
        refused("Did you mean 'study_id'?"),
    ),
    Case("patients: NA", patients(["1", "NA", "2", "3"]), BY_PID, refused("names no patient", "NA")),
    Case(
        "patients: k.A. and sin dato",
        patients(["1", "k.A.", "sin dato", "3"]),
        BY_PID,
        refused("names no patient"),
    ),
    Case(
        "patients: rounded by a spreadsheet",
        patients(["1.23457E+11", "1.2E+05", "2", "3"]),
        BY_PID,
        refused("rounded"),
    ),
    Case(
        "patients: forgotten, in another language",
        table("filename,numero_paciente,fx", two_row(",")),
        ("--holdout", "0"),
        refused("--group", "numero_paciente"),
    ),
    Case(
        "patients: an age names nobody",
        table("filename,Patient Age,fx", lambda n: f"{n}.png,{50 + n // 2},{n % 2}"),
        ("--holdout", "0"),
        taken("0 1 0 1"),
    ),
    Case(
        "patients: a height names nobody",
        table("filename,Größe Patient,fx", lambda n: f"{n}.png,{150 + n // 2},{n % 2}"),
        ("--holdout", "0"),
        taken("0 1 0 1"),
    ),
    # labels
    Case("labels: TRUE and FALSE", column(["TRUE", "FALSE"]), WHOLE, taken("1 0 1 0", "true = 1")),
    Case("labels: WAHR and FALSCH", column(["WAHR", "FALSCH"]), WHOLE, taken("1 0 1 0")),
    Case("labels: 0.000000", column(["0.000000", "1.000000", ""]), WHOLE, taken("0 1 - 0")),
    Case("labels: decimal commas", column(["0,0", "1,0"]), WHOLE, taken("0 1 0 1")),
    Case("labels: Pos and Neg.", column(["Pos", "Neg."]), WHOLE, taken("1 0 1 0")),
    Case("labels: ticks", column(["✓", "✗"]), WHOLE, taken("1 0 1 0")),
    Case(
        "labels: NA in most cells",
        column(["1", "NA", "0", "NA", "NA"]),
        WHOLE,
        taken("1 - 0 - -", "not assessed"),
    ),
    Case("labels: yes beside 1", column(["1", "0", "yes", "no"]), WHOLE, refused("fx", "yes")),
    Case("labels: 1 and 2", column(["1", "2"]), WHOLE, refused("--positive")),
    Case("labels: x or blank", column(["x", ""]), WHOLE, refused("--positive x --blank negative")),
    Case("labels: -1", column(["1", "0", "-1"]), WHOLE, refused("--uncertain")),
    Case(
        "labels: -1 as positive, blank as negative",
        column(["1", "0", "-1", ""]),
        ("--uncertain", "positive", "--blank", "negative", *WHOLE),
        taken("1 0 1 0"),
    ),
    Case(
        "labels: 1,200 as a number",
        table("filename;los", lambda n: f"{n}.png;1,{200 + n}"),
        ("--task", "number", "--targets", "los", *WHOLE),
        refused("1200 or 1.200"),
    ),
    # classes and lists
    Case(
        "classes: one in three spellings",
        column(["Normal", "normal ", "NORMAL.", "Fracture"], "dx"),
        (*WHOLE, "--task", "labels"),
        taken("01 01 01 10"),
    ),
    Case(
        "classes: accents differ", column(["Fractura", "fractúra", "normal"], "dx"), WHOLE, refused("accents")
    ),
    Case(
        "classes: a hyphen before a number",
        column(["BI-RADS 1", "BIRADS 1", "BI-RADS 2"], "dx"),
        WHOLE,
        refused("hyphens"),
    ),
    Case(
        "classes: unknown is none",
        column(["a", "b", "unknown", "NA"], "dx"),
        (*WHOLE, "--task", "labels"),
        taken("10 01 -- --"),
    ),
    Case("lists: bars", column(["A|B", "A", "No Finding", "B"], "dx"), WHOLE, taken("11 10 00 01")),
    Case(
        "lists: of Python",
        column(["['A', 'B']", "['A']", "['No Finding']", "['B']"], "dx"),
        WHOLE,
        taken("11 10 00 01"),
    ),
    Case("lists: of NumPy", column(["['A' 'B']", "['A']", "[]", "['B']"], "dx"), WHOLE, taken("11 10 00 01")),
    Case(
        "lists: semicolons are asked about",
        table("filename,dx", lambda n: f"{n}.png,{('A;B', 'A', 'B', 'none')[n % 4]}"),
        WHOLE,
        refused("--separator ';'"),
    ),
    Case(
        "lists: no finding stands alone",
        table("filename\tdx", lambda n: f"{n}.png\t{('a, b', 'b, c', 'a, c')[n % 3]}"),
        WHOLE,
        refused("--separator ','"),
    ),
    # folders
    in_sides("folders: train and test", ("train", "test"), split(CLASSES, 4)),
    in_sides(
        "folders: Training and Testing in one folder",
        ("Training", "Testing"),
        split(CLASSES, 4),
        "set/{side}/{name}/{side}{n}.png",
    ),
    in_sides("folders: train_images and test_images", ("train_images", "test_images"), split(CLASSES, 4)),
    in_sides(
        "folders: the split within the classes",
        ("train", "holdout"),
        split(CLASSES, 4),
        "{name}/{side}/{side}{n}.png",
    ),
    in_sides(
        "folders: a second copy beside train and test",
        ("train", "test", "chest_xray"),
        refused("train are sides of a split", "Move chest_xray"),
    ),
    in_sides(
        "folders: auto_test beside train, val and test",
        ("train", "val", "test", "auto_test"),
        split(CLASSES, 8),
    ),
    Case(
        "folders: a class that is called test",
        folders([f"{name}/{n}.png" for name in ("test", "control") for n in range(6)]),
        ("--class-folders", "--holdout", "0", "--task", "labels"),
        split(("control", "test"), 0),
    ),
    Case(
        "folders: folds",
        sided("{side}/{name}/{side}{n}.png", ("fold1", "fold2")),
        ("--class-folders", "--holdout", "0", "--task", "labels"),
        split(CLASSES, 0),
    ),
    Case(
        "folders: a test part without classes",
        folders(["train/NORMAL/1.png", "train/PNEUMONIA/2.png", "test/3.png"]),
        ("--class-folders", "--task", "labels"),
        refused("sides of a split, not classes"),
    ),
    Case(
        "folders: masks beside images",
        folders(
            [f"{name}/{kind}/{n}.png" for name in CLASSES for kind in ("images", "masks") for n in range(3)]
        ),
        ("--class-folders", "--holdout", "0", "--task", "labels"),
        lambda out: out.code == 0 and out.document["images"] == 6 and "masks" in out.said,
    ),
    # pixels
    Case("pixels: 12 bits in 16", deep(0, 4095), WHOLE, shades(120)),
    Case("pixels: 12 bits, one of them dark", deep(0, 4095, 100), WHOLE, shades(120)),
    Case("pixels: Hounsfield units with an offset", deep(31768, 35768), WHOLE, shades(120)),
    Case("pixels: 12 bits inverted in 16", deep(61440, 65535), WHOLE, shades(120)),
]
