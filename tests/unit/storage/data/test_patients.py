"""What names a patient: columns, cells, and spellings that are one."""

from __future__ import annotations

import unicodedata

import pytest

from storage.data.patients import (
    find_patient_columns,
    is_no_patient,
    is_rounded,
    names_patients,
    patient_key,
)


@pytest.mark.parametrize(
    "spellings",
    [
        ["17", "17.0", "17,0", "00017", " 17 ", "17.", "１７", "+17", "17\u200b", "\ufeff17", "17\u00a0"],
        ["P3", "p3", "P03", "p-3", "P 3", "P_003", "p3\u200d", "P3.0"],
        ["Ångström 1", unicodedata.normalize("NFD", "Ångström 1"), "ÅNGSTRÖM  1"],
        ["0", "000", "0.0"],
        ["1.2.840.1", "1.2.840.1 "],
        ["patient00001", "Patient 1"],
        ["17", "'0017", "١٧"],
        ["17", "1.7E1", "1,7E+01", "1.70e+1"],
        ["A-17", "A–17", "A—17", "A−17", "a17"],
        ["Smith^John", "SMITH^JOHN^^", "smith^john"],
        ["17a", "017A", "17 a", "17-A"],
        ["1-2", "01-02", "1/2", "001_0002"],
        ["İzmir 1", "izmir1", "IZMIR 1"],
    ],
)
def test_spellings_of_one_patient_are_one(spellings: list[str]) -> None:
    assert len({patient_key(cell) for cell in spellings}) == 1


@pytest.mark.parametrize(
    "different",
    [
        ["1", "10", "100"],
        ["1.1", "1.10", "11"],
        ["1-1", "11"],
        ["P1", "Q1", "PQ1"],
        ["01a1", "1a01"],
        ["1.2.840.1", "1.2.840.01"],
        ["a", "ä"],
        ["1E5", "1E6", "12E3", "12000"],
        ["17a", "17b", "17"],
        ["1-2", "2-1", "12"],
        ["1.7E+02", "1.71E+02"],
    ],
)
def test_different_patients_stay_different(different: list[str]) -> None:
    assert len({patient_key(cell) for cell in different}) == len(different)


@pytest.mark.parametrize(
    "cell",
    ["", " ", "NA", "n/a", "NaN", "None", "<NA>", "NULL", "unknown", "-", "?", "???", ".", "#N/A", "\u200b"],
)
def test_placeholders_name_no_patient(cell: str) -> None:
    assert is_no_patient(cell)


@pytest.mark.parametrize("cell", ["0", "17", "Nancy", "p?1", "NA1", "n"])
def test_names_are_names(cell: str) -> None:
    assert not is_no_patient(cell)


def test_what_a_spreadsheet_rounded_is_known() -> None:
    assert is_rounded("1.23457E+11")
    assert is_rounded("1,23457e+11")
    assert is_rounded("1.2E+05")
    assert not is_rounded("1.7E+01")
    assert not is_rounded("1E5")
    assert not is_rounded("123457000000")


@pytest.mark.parametrize(
    "column",
    [
        "patient_id",
        "Patient ID",
        "patientId",
        "PatientID",
        "patient",
        "patients",
        "subject_id",
        "participant",
        "MRN",
        "PID",
        "case_id",
        "Case No",
        "record_id",
        "study_id",
        "StudyID",
        "patientid",
        "Patientennummer",
        "Pat-Nr",
        "lesion_id",
        "Fallnummer",
        "person",
        "Patient Name",
    ],
)
def test_columns_that_name_patients(column: str) -> None:
    assert names_patients(column)


@pytest.mark.parametrize(
    "column",
    [
        "Patient Age",
        "patient_age",
        "PatientAge",
        "Patient Gender",
        "patientsex",
        "Patientenalter",
        "Patient's weight",
        "patient_birth_date",
        "study_date",
        "case",
        "study",
        "age",
        "filename",
        "view",
        "recording",
        "PatientOrientation",
        "personal history",
        "fracture",
        "id",
        "lesion",
    ],
)
def test_columns_that_name_no_patient(column: str) -> None:
    assert not names_patients(column)


def test_columns_are_found_by_name_and_cells() -> None:
    ids = [str(number) for number in range(40)]
    columns = [
        ("study_id", ids),
        ("Patient Age", ids),
        ("PatientID", ids),
        ("subject", ["A"] * 40),
        ("person", [f"{number}.5" for number in range(40)]),
    ]
    assert find_patient_columns(columns) == ["PatientID", "study_id"]
    assert find_patient_columns(columns, ["PatientID"]) == ["study_id"]


@pytest.mark.parametrize(
    "cell", ["k.A.", "keine Angabe", "sin dato", "ANON", "Anonymous^", "s/d", "неизвестно", "not recorded"]
)
def test_other_words_for_an_unknown_patient(cell: str) -> None:
    assert is_no_patient(cell)


@pytest.mark.parametrize(
    "name",
    ["sujet", "患者ID", "пациент", "numero_paciente", "anon_id", "pseudonym", "AccessionNumber", "Pacjent"],
)
def test_names_of_patients_in_other_languages(name: str) -> None:
    assert names_patients(name)


@pytest.mark.parametrize(
    "name",
    ["Größe Patient", "num_patients", "is_patient", "patient_eta", "Geburtsdatum Patient", "anon", "exam"],
)
def test_what_a_patient_has_names_none(name: str) -> None:
    assert not names_patients(name)
