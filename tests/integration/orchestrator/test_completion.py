"""What the shell offers after Tab, asked as bash, zsh and fish ask."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.database.opening import open_database
from tests.studies import make_study

Ask = Callable[..., list[str]]


@pytest.fixture
def ask(orch_program: Path, tmp_path: Path) -> Ask:
    """The words that a shell is offered for a command line whose last word is being typed."""

    def asked(line: str, *, shell: str = "zsh", **environment: str) -> list[str]:
        words = shlex.split(line) + ([""] if line.endswith(" ") else [])
        if shell == "bash":
            split = [
                part
                for word in words
                for part in (word.replace("=", " = ").split(" ") if "=" in word else [word])
            ]
            asking = {
                "_ORCH_COMPLETE": "complete_bash",
                "COMP_WORDS": " ".join(split),
                "COMP_CWORD": str(len(split) - 1),
            }
        else:
            asking = {
                "_ORCH_COMPLETE": "complete_fish",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
                "_TYPER_COMPLETE_ARGS": line,
            }
        kept = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "ORCH_STORAGE": "sqlite:///none.db",
            **asking,
            **environment,
        }
        made = subprocess.run(
            [orch_program], env=kept, capture_output=True, text=True, cwd=tmp_path, timeout=60
        )
        assert made.stderr == ""
        return [one.partition("\t")[0] for one in made.stdout.splitlines() if one.strip()]

    return asked


def test_studies_settings_and_columns_are_offered(ask: Ask, sqlite_url: str, tmp_path: Path) -> None:
    database = open_database(sqlite_url)
    for name in ("first", "second", "fifth one"):
        make_study(database, name)
    database.close()
    assert ask("orch study show fi", ORCH_STORAGE=sqlite_url) == ["fifth one", "first"]
    assert ask("orch report first s", ORCH_STORAGE=sqlite_url) == ["second"]
    assert ask(f"orch study show --storage {sqlite_url} s") == ["second"]
    assert ask("orch worker ", shell="bash", ORCH_STORAGE=sqlite_url) == ["fifth one", "second", "first"]
    assert ask("orch study create new --set cv.fo") == ["cv.folds="]
    assert ask("orch study create new --set model.resize=", shell="bash") == ["stretch", "pad", "crop"]
    assert ask("orch study add second --set ", ORCH_STORAGE=sqlite_url) == ["batch_size="]
    folder = tmp_path / "my-data"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"targets": ["fracture", "view"]}))
    (folder / "columns.csv").write_text("sha256,age,sex\nx,1,f\n")
    create = "orch study create new --data my-data --set data.targets="
    assert ask(f"{create}fr") == ["data.targets=fracture"]
    assert ask(f"{create}view,") == ["data.targets=view,fracture"]
    assert ask(f"{create}fr", shell="bash") == ["fracture"]
    assert ask("orch study evaluate first --subgroup a", ORCH_DATA="my-data") == ["age"]
    (tmp_path / "labels.csv").write_text("filename,patient,fracture\na.png,1,0\n")
    assert ask("orch data import images --labels labels.csv --group p") == ["patient"]


@pytest.mark.thorough
def test_keys_and_their_words_are_offered(ask: Ask) -> None:
    assert ask("orch study create new --set data.fing") == []
    assert ask("orch study create new --set search.bat") == ["search.batch_size="]
    assert ask("orch study create new --set training.use_ema=t") == ["training.use_ema=true"]
    assert ask("orch study create new --set sampler.name=l") == []
    assert ask("orch study create new --set training.epochs=") == []
    assert ask("orch data import images --preset mu") == ["mura"]


def test_nothing_is_said_and_nothing_is_waited_for_when_the_database_is_away(
    ask: Ask, tmp_path: Path
) -> None:
    began = time.monotonic()
    for url in ("postgresql://me:secret@127.0.0.1:1/none", "sqlite:///missing.db", "nonsense://x"):
        assert ask("orch study show ", ORCH_STORAGE=url) == []
    assert time.monotonic() - began < 30
    assert not (tmp_path / "missing.db").exists()
