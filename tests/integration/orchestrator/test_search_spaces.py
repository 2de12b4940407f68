"""The search spaces of docs/search-spaces.md are specs: each is created, and its trials are what it says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.planning.regimes import build_spec
from storage.spec import acts
from tests.conftest import REPOSITORY
from tests.pictures import make_data

SPACES = 10


def test_each_search_space_of_the_docs_is_created(
    run_orch: Callable[..., subprocess.CompletedProcess[str]], sqlite_url: str, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs" / "search-spaces.md").read_text(encoding="utf-8")
    specs = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert (
        len(specs)
        == SPACES
        == len(re.findall(r"^## \d+\. (?:KerasTuner|AutoGluon|Optuna)", page, re.MULTILINE))
    )
    images, labels = make_data(tmp_path)
    choices = Choices(group_columns=("patient",), holdout=0.0)
    import_dataset(images, labels, tmp_path / "data", choices, cache=tmp_path / "cache")
    for number, text in enumerate(specs, start=1):
        path = tmp_path / f"space-{number}.toml"
        path.write_text(text)
        spec = build_spec(f"space-{number}", spec_file=path)
        created = run_orch(
            "study", "create", f"space-{number}", "--spec", path, "--data", "data", "--set", "cv.folds=3", "--json",
            "--storage", sqlite_url,
        )  # fmt: skip
        assert created.returncode == 0, created.stderr
        report = json.loads(created.stdout)
        assert report["search"].keys() == spec.search.keys()
        shown = run_orch("study", "show", f"space-{number}", "--json", "--storage", sqlite_url)
        points = json.loads(shown.stdout)["all_points"]
        assert len(points) == spec.point_count
        for params in (point["params"] for point in points):
            if spec.sampler.name == "tpe":
                assert params is None
            else:
                assert {name for name in spec.search if acts(spec.search, name, params)} == params.keys()
