"""Every bench can still be started: it is imported, and run small where that is cheap."""

from __future__ import annotations

import importlib
import re
import sys

import pytest

from tests.conftest import REPOSITORY

BENCHES = sorted(path.stem for path in (REPOSITORY / "bench").glob("*.py"))


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_is_imported(name: str) -> None:
    importlib.import_module(f"bench.{name}")


def test_there_is_one_way_to_name_and_to_run_a_bench() -> None:
    texts = [path for folder in ("bench", "docs") for path in (REPOSITORY / folder).glob("*.[pm][yd]")]
    texts += [REPOSITORY / name for name in ("Makefile", "README.md", "CONTRIBUTING.md")]
    assert not [name for name in BENCHES if name.startswith("bench_")]
    for path in texts:
        text = path.read_text()
        assert not re.search(r"bench/\w+\.py", text), f"{path} runs a bench as a script"
        named = set(re.findall(r"-m bench\.(\w+)", text)) - {"NAME"}
        assert named <= set(BENCHES), path


@pytest.mark.main_tier("selection-the truly best", "startup-heavy imports        none")
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("selection", "the truly best"),
        ("importance", "two equal effects"),
        ("nested", "as reported"),
        ("learning_curve", "the band at 2 x the patients"),
        ("practice", "useless models"),
        ("startup", "heavy imports        none"),
        ("import_rate", "an import takes"),
    ],
)
def test_a_bench_runs_small(
    name: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether its goals are met so is no matter: they hold for its full size."""
    monkeypatch.setattr(sys, "argv", [f"bench.{name}", "6" if name == "import_rate" else "2"])
    monkeypatch.delenv("ORCH_TEST_DATA", raising=False)
    with pytest.raises(SystemExit) as left:
        importlib.import_module(f"bench.{name}").main()
    assert not isinstance(left.value.code, bool), "wandb, once begun in the process, hands it on as a number"
    assert printed in capsys.readouterr().out


def test_the_comparison_of_models_is_simulated_small(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench import compare

    monkeypatch.setattr(sys, "argv", ["bench.compare", "--small"])
    assert compare.main() == 0
    printed = capsys.readouterr().out
    assert "areas (Obuchowski)" in printed
    assert "folds (Nadeau and Bengio)" in printed
