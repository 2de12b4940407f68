"""What people may build on: the names, parameters and members that docs/python.md promises."""

from __future__ import annotations

import inspect
import re

import orch
from tests.conftest import REPOSITORY

SURFACE = {
    "create_study": [
        "name",
        "data",
        "regime",
        "best",
        "spec",
        "trials",
        "seed",
        "pruner",
        "settings",
        "accept",
        "storage",
    ],
    "work": [
        "name",
        "data",
        "gpus",
        "per_gpu",
        "processes",
        "at_once",
        "forever",
        "grace",
        "on_finish",
        "track",
        "storage",
    ],
    "open_study": ["name", "storage", "data"],
    "list_study_names": ["storage"],
}
MEMBERS = {
    *("name", "spec", "facts", "counts", "best", "selection", "trials", "attempts", "folds", "means"),
    *("figure", "figure_names", "numbers", "table", "refresh", "close"),
}


def test_the_functions_keep_their_parameters() -> None:
    found = {name: list(inspect.signature(getattr(orch, name)).parameters) for name in SURFACE}
    assert found == SURFACE
    assert set(orch.__all__) == {*SURFACE, "Study", "OrchError", "UsageError"}
    assert set(dir(orch)) == set(orch.__all__)


def test_everything_but_the_name_is_given_by_its_name() -> None:
    for name in SURFACE:
        for parameter in inspect.signature(getattr(orch, name)).parameters.values():
            assert parameter.name == "name" or parameter.kind is parameter.KEYWORD_ONLY, (name, parameter)
            assert parameter.annotation is not parameter.empty


def test_a_study_keeps_its_members() -> None:
    assert {name for name in vars(orch.Study) if not name.startswith("_")} == MEMBERS


def test_the_page_names_all_of_it() -> None:
    page = (REPOSITORY / "docs" / "python.md").read_text()
    for name, parameters in SURFACE.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| `orch.{name}("))
        assert set(re.findall(r"(\w+)(?:=|\b)", line.split("|")[1])) >= set(parameters), line
    for member in MEMBERS:
        assert f"`{member}" in page
