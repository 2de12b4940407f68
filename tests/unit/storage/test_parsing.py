"""TOML and JSON of strangers: a byte order mark is read past, and whatever is wrong is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.planning.regimes import build_spec, repeat_finalists
from orchestrator.planning.settings import parse_settings
from orchestrator.studies.best import read_best
from storage import parsing
from storage.errors import SpecError, UsageError
from storage.settings import cache_folder, data_folders
from tests.studies import make_spec

MARK = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_read_past(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(MARK + b"[study]\ntrials = 3\n")
    (tmp_path / "a.json").write_bytes(MARK + b'{"a": 1}')
    assert parsing.read_toml(tmp_path / "a.toml") == {"study": {"trials": 3}}
    assert parsing.read_json(tmp_path / "a.json") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        ("a = 'é'".encode("latin-1"), "UTF-8"),
        ("a = 1".encode("utf-16"), "UTF-8"),
        (b"a = ", "Invalid value"),
    ],
)
def test_what_is_no_spec_is_said_in_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=words) as refused:
        build_spec("x", spec_file=path)
    assert len(refused.value.what) < 300


def test_a_deep_value_on_the_command_line_is_refused() -> None:
    with pytest.raises(SpecError, match="nested too deeply"):
        parse_settings(["study.trials=" + "[" * 100_000])


def make_best() -> dict:
    return {
        "schema": "orch.best/1",
        "params": {"batch_size": 32},
        "fixed": {},
        "spec": make_spec().model_dump(mode="json"),
        "study_uuid": "u",
        "selection": None,
    }


@pytest.mark.parametrize("value", [None, 3, "text", [1]])
@pytest.mark.parametrize("section", ["model", "study", "search", "sampler"])
def test_a_section_of_a_best_json_that_is_none_is_named(tmp_path: Path, section: str, value: object) -> None:
    best = make_best()
    best["spec"][section] = value
    path = tmp_path / "best.json"
    path.write_text(json.dumps(best))
    with pytest.raises(SpecError, match=f"spec.{section}"):
        read_best(path)


@pytest.mark.parametrize(
    "change",
    [
        {"selection": [1]},
        {"selection": {"indistinguishable": 3}},
        {"selection": {"indistinguishable": [{"params": None}]}},
        {"metric": 5},
        {"params": None},
        {"spec": []},
    ],
)
def test_a_best_json_that_was_edited_is_refused(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "best.json"
    path.write_text(json.dumps(make_best() | change))
    with pytest.raises(SpecError):
        read_best(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "nul", "\x00"])
def test_what_is_no_json_is_said_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "best.json"
    path.write_text(text)
    with pytest.raises(SpecError, match="not valid JSON"):
        read_best(path)


def test_repeats_of_an_edited_spec_are_refused_and_of_a_whole_one_made() -> None:
    best = make_best()
    spec = repeat_finalists("again", best, repeats=2, finalists=1)
    assert spec.study.trials == 2
    del best["spec"]["study"]
    with pytest.raises(SpecError):
        repeat_finalists("again", best, repeats=2, finalists=1)
    best["spec"]["study"] = {"name": "x", "seed": "no"}
    with pytest.raises(SpecError):
        repeat_finalists("again", best, repeats=2, finalists=1)


@pytest.mark.parametrize("line", ["data = 5", "storage = [1]", "cache = {a = 1}"])
def test_settings_of_another_kind_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCH_DATA", raising=False)
    (tmp_path / "orch.toml").write_bytes(MARK + line.encode())
    with pytest.raises(UsageError, match="must be a text"):
        data_folders()


def test_a_user_without_a_home_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*_: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCH_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", no_home)
    with pytest.raises(UsageError, match="ORCH_CACHE"):
        cache_folder()
