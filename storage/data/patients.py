"""What names a patient: which columns do, which cells do not, and when two spellings are one patient.

Import, DICOM grouping and audit read patients through this module, so that they never disagree. Two spellings are
taken for one patient where they can hardly be two: a patient in two groups stands on both sides of a split, while two
patients in one group cost a little precision.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

PATIENT_WORDS = frozenset(
    [
        "patient",
        "patients",
        "pat",
        "pid",
        "subject",
        "subjects",
        "subj",
        "person",
        "case",
        "fall",
        "mrn",
        "participant",
        "proband",
        "record",
        "study",
        "lesion",
        "paziente",
        "paciente",
        "sujet",
        "sujeto",
        "soggetto",
        "pacient",
        "pacjent",
        "potilas",
        "hasta",
        "пациент",
        "пациента",
        "больной",
        "患者",
        "患者id",
        "病人",
        "病人id",
        "환자",
        "anon",
        "pseudonym",
        "client",
        "dossier",
        "exam",
        "examination",
        "accession",
        "encounter",
    ]
)
PATIENT_STEMS = ("patient", "subject", "person", "proband", "participant", "pacient", "pazient")
"""Words that name a patient also as the first part of one word, as in `patientid` and `Patientennummer`."""

NEEDS_A_NUMBER = frozenset(
    [
        *("case", "fall", "record", "study", "lesion", "pat", "anon", "client", "dossier", "hasta"),
        *("exam", "examination", "accession", "encounter"),
    ]
)
"""Words that name a patient only beside a word for a number: `study_id` does, `study` and `case` alone do not."""

FINER = frozenset(
    ["case", "fall", "record", "study", "lesion", "exam", "examination", "accession", "encounter"]
)
"""Words that may name less than a patient; a column with a better word comes before them."""

NUMBER_WORDS = frozenset(
    ["id", "ids", "nr", "no", "num", "number", "code", "key", "uid", "pseudonym", "identifier"]
)

ATTRIBUTE_WORDS = frozenset(
    [
        "age",
        "ages",
        "alter",
        "sex",
        "gender",
        "geschlecht",
        "weight",
        "height",
        "size",
        "bmi",
        "birth",
        "birthday",
        "born",
        "dob",
        "date",
        "time",
        "year",
        "years",
        "month",
        "day",
        "position",
        "orientation",
        "comment",
        "comments",
        "note",
        "notes",
        "history",
        "race",
        "ethnicity",
        "insurance",
        "count",
        "age_approx",
        "smoker",
        "state",
        "status",
        "type",
        "class",
        "group",
        "side",
        "laterality",
        "description",
        "outcome",
        "gewicht",
        "groesse",
        "sexe",
        "edad",
        "poids",
        *(
            "grosse",
            "taille",
            "talla",
            "peso",
            "altura",
            "altezza",
            "eta",
            "idade",
            "sexo",
            "sesso",
            "genere",
        ),
        *(
            "geburtsdatum",
            "geburtstag",
            "geburtsjahr",
            "datum",
            "fecha",
            "nacimiento",
            "naissance",
            "nascita",
        ),
        *("days", "hours", "weeks", "months", "species", "pregnant"),
    ]
)
"""Words for what a patient has: `Patient Age` names nobody, although it says "patient"."""

NO_PATIENT = frozenset(
    [
        "na",
        "n/a",
        "n.a.",
        "n.a",
        "#n/a",
        "#value!",
        "#ref!",
        "#name?",
        "#num!",
        "nan",
        "<na>",
        "nat",
        "none",
        "null",
        "nil",
        "unknown",
        "unk",
        "unbekannt",
        "inconnu",
        "desconocido",
        "anonymous",
        "anonymized",
        "anonymised",
        "anonym",
        "anonymisiert",
        "missing",
        "undefined",
        "unspecified",
        "unassigned",
        "tbd",
        "xxx",
        "xxxx",
        "anon",
        "k.a",
        "k.a.",
        "k. a.",
        "n.b.",
        "n.d.",
        "n/d",
        "s/d",
        "sin dato",
        "sin datos",
        "onbekend",
        "sconosciuto",
        "desconhecido",
        "okänd",
        "ukjent",
        "neznámý",
        "nieznany",
        "неизвестно",
        "未知",
        "不明",
    ]
) | {
    "not available",
    "not known",
    "no id",
    "without id",
    "not recorded",
    "not specified",
    "keine angabe",
    "ohne angabe",
    "no data",
}
"""Cells that say that the patient is not known, in the form of `patient_key`."""

ROWS_PER_PATIENT = 50

REMEMBERED = 2**17
"""Cells whose reading is remembered, as a table has the same ones again and again."""


@lru_cache(REMEMBERED)
def clean(cell: str) -> str:
    """A cell without differences that are not seen or not meant: width, invisible characters, case, repeated blanks."""
    if cell.isascii() and cell.isprintable():
        return " ".join(cell.casefold().split())
    text = unicodedata.normalize("NFKC", cell)
    seen = (one for one in text if one.isspace() or unicodedata.category(one) not in ("Cf", "Cc"))
    return " ".join("".join(seen).casefold().split())


@lru_cache(REMEMBERED)
def patient_key(cell: str) -> str:
    """The form in which two spellings of one patient are equal.

    What `clean` sets aside does not count; a number is a number (`17`, `17.0`, `00017`), also at the end of a name
    (`P017`, `p-17`).
    """
    # Spreadsheets mark text by an apostrophe.
    text = _write_digits(clean(cell).strip("'`’"))
    if not text.isascii():
        # A dash of any length, the minus, and the dot that a Turkish capital I leaves behind.
        text = re.sub(r"[‐-―−]", "-", text).replace("i\u0307", "i")
    # Names in DICOM end with a mark for each part that was left out.
    text = text.rstrip("^ ") or text
    if exact := _read_exponent(text):
        return exact
    if number := re.fullmatch(r"\+?(\d+)(?:[.,]0*)?", text):
        return number[1].lstrip("0") or "0"
    if named := re.fullmatch(r"([^\W\d_]+(?:[\s_-]+[^\W\d_]+)*)[\s_-]*(\d+)(?:[.,]0+)?", text):
        return re.sub(r"[\s_-]+", " ", named[1]) + (named[2].lstrip("0") or "0")
    if lettered := re.fullmatch(r"(\d+)[\s_-]*([^\W\d_]{1,2})", text):
        return (lettered[1].lstrip("0") or "0") + lettered[2]
    if re.fullmatch(r"\d+(?:[\s_/-]+\d+)+", text):
        return "-".join(number.lstrip("0") or "0" for number in re.split(r"[\s_/-]+", text))
    return text


def _read_exponent(text: str) -> str | None:
    """The whole number that a spreadsheet wrote as 1.7E+01, where all its digits are there; None otherwise.

    Without a point or a sign it is no such number, but a name such as 12E3.
    """
    found = re.fullmatch(r"(\d)[.,](\d+)e\+?(\d{1,2})", text)
    if found is None or len(digits := found[2].rstrip("0")) > int(found[3]) or len(found[2]) < int(found[3]):
        return None
    return (found[1] + digits.ljust(int(found[3]), "0")).lstrip("0") or "0"


def _write_digits(text: str) -> str:
    """The digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)


@lru_cache(REMEMBERED)
def is_no_patient(cell: str) -> bool:
    """Whether a cell says that the patient is not known: blank, `NA`, `unknown`, `-`, `???`."""
    key = patient_key(cell).strip("^ ")
    return key in NO_PATIENT or not any(character.isalnum() for character in key)


def is_rounded(cell: str) -> bool:
    """Whether a spreadsheet rounded an identifier: `1.23457E+11` was many patients once."""
    text = clean(cell)
    return bool(re.fullmatch(r"\d([.,]\d+)?e\+\d+", text)) and _read_exponent(text) is None


def names_patients(column: str) -> bool:
    """Whether the name of a column says that its cells name patients.

    `Patient ID`, `patientId`, `subject`, `MRN`, `study_id` do; `Patient Age`, `weight` and `study_date` do not.
    """
    words = _words(column)
    if any(word in ATTRIBUTE_WORDS for word in words) or (words and words[0] in ("is", "has", "was")):
        return False
    if (
        words
        and words[0] in ("n", "nb", "num", "number")
        and words[-1] in ("patients", "subjects", "persons")
    ):
        return False
    numbered = any(word in NUMBER_WORDS for word in words)
    for word in words:
        if word in PATIENT_WORDS and (numbered or word not in NEEDS_A_NUMBER):
            return True
        for stem in PATIENT_STEMS:
            rest = word.removeprefix(stem)
            if rest != word and not any(rest.endswith(other) for other in ATTRIBUTE_WORDS):
                return True
        if re.fullmatch(
            r"(case|fall|record|study|lesion|pat|anon|accession|exam)(id|nr|no|num|number|nummer)", word
        ):
            return True
    return False


def find_patient_columns(
    columns: Iterable[tuple[str, Sequence[str]]], declined: Sequence[str] = ()
) -> list[str]:
    """The columns that may name patients, the likeliest first: by their name, and by many values that are no measures.

    Args:
        columns: names and cells.
        declined: columns of which the user said that they name no patient.
    """
    found = [
        name
        for name, cells in columns
        if name not in declined and names_patients(name) and _may_be_patients(cells)
    ]
    return sorted(found, key=lambda name: any(word.startswith(tuple(FINER)) for word in _words(name)))


def _may_be_patients(cells: Sequence[str]) -> bool:
    named = {patient_key(cell) for cell in cells if not is_no_patient(cell)}
    if len(named) < max(3, len(cells) / ROWS_PER_PATIENT):
        return False
    measures = sum(bool(re.fullmatch(r"-?\d+[.,]\d*[1-9]\d*|\d{4}-\d{2}-\d{2}.*", name)) for name in named)
    return measures < len(named) / 2


def _words(column: str) -> list[str]:
    bare = "".join(one for one in unicodedata.normalize("NFKD", column) if not unicodedata.combining(one))
    spread = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])", " ", unicodedata.normalize("NFC", bare))
    spread = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", " ", spread)
    return [word for word in re.split(r"[\W_]+", spread.casefold()) if word]
