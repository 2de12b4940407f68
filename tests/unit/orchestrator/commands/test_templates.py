"""The files that `orch init` writes are true: they read back to the defaults, and explain every key."""

import itertools
from pathlib import Path

import orchestrator
from orchestrator.commands.setup import TEMPLATES
from orchestrator.planning.regimes import build_spec, regime_one
from storage.settings import KEYS, read_settings_file
from storage.spec import valid_keys

FOLDER = Path(orchestrator.__file__).parent


def test_the_study_template_is_regime_one() -> None:
    spec = build_spec("x", spec_file=FOLDER / "study.toml")
    assert spec.to_json() == regime_one("x").to_json()


def test_the_study_template_holds_every_key() -> None:
    text = (FOLDER / "study.toml").read_text()
    section = ""
    found = set()
    for line in text.splitlines():
        words = line.lstrip("# ")
        if words.startswith("["):
            section = words.strip("[]")
        elif "=" in words:
            found.add(f"{section}.{words.partition('=')[0].strip()}")
    wanted = {key for key in valid_keys() if not key.startswith("search.") and key != "study.name"}
    assert wanted <= found


def test_every_key_of_the_study_template_has_a_comment_at_hand() -> None:
    lines = (FOLDER / "study.toml").read_text().splitlines()
    bare = {"epochs", "folds", "type", "low", "high", "log", "values", "reduction_factor", "min_resource"}
    bare |= {"epsilon", "beta_1", "beta_2"}  # explained with learning_rate
    for before, line in itertools.pairwise(lines):
        key = line.partition(" =")[0]
        if " = " in line and not line.startswith("#") and key not in bare:
            assert before.startswith("#"), line


def test_the_settings_template_changes_nothing_and_explains_every_setting(tmp_path: Path) -> None:
    text = (FOLDER / "orch.toml").read_text()
    (tmp_path / "orch.toml").write_text(text)
    assert read_settings_file(tmp_path)[1] == {}
    uncommented = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if " = " in line and "postgresql" not in line
    )
    (tmp_path / "orch.toml").write_text(uncommented)
    assert set(read_settings_file(tmp_path)[1]) == set(KEYS)
    assert TEMPLATES == ("orch.toml", "study.toml")
