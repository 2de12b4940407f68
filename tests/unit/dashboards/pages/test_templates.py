"""Templates: whatever a study is called, nothing in it becomes markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.figures.drawing import Picture, make_empty
from dashboards.pages.anonymous import hide_machines, leave_out_folders, number_workers
from dashboards.pages.chapter import Chapter
from dashboards.pages.html import POLICY, _cell, _prose, show_pictures
from dashboards.pages.report import write_page
from dashboards.tables.examples import Example, ShownExample
from dashboards.tables.view import Table
from orchestrator.studies.reporting import read_chapter
from storage.database.opening import open_database
from storage.spec import to_toml
from tests.generated_studies import sized_study

EVIL = "</script><img src=x onerror=alert(1)> `code` {{ 7 * 7 }}"


def test_no_text_from_a_study_becomes_markup() -> None:
    picture = Picture(
        "roc", f"study: {EVIL}", EVIL, Table((EVIL,), [(EVIL,), (None,)]), make_empty(EVIL, EVIL)
    )
    page = show_pictures(EVIL, EVIL, [picture])
    own = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "<img" not in own
    assert "7 * 7" in own
    assert "<code>code</code>" in own
    assert POLICY in own
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page)
    assert json.loads(figures)["p-roc"]["layout"]["title"]["text"] == EVIL


def test_intervals_and_options_stay_on_a_line_and_numbers_have_a_minus() -> None:
    whole = '<span class="ends">{}</span>'
    assert str(_cell("0.011 (-0.081 to 0.100); see")) == f"0.011 {whole.format('(−0.081 to 0.100);')} see"
    assert str(_cell("repeats (--repeats) with -o x-ray.html")) == (
        f"repeats ({whole.format('--repeats')}) with {whole.format('-o')} x-ray.html"
    )
    assert [str(_cell(text)) for text in ("-1.2 ± 1.4", "a=-1", "2026-11-27", "1e-05")] == [
        "−1.2 ± 1.4",
        "a=-1",
        "2026-11-27",
        "1e-05",
    ]
    assert (_cell(-0.25), _cell(-0.25, "value")) == ("−0.25", "−0.2500")
    assert (
        str(_prose("`orch study create NAME --from b.json`"))
        == f"<code>orch study create NAME {whole.format('--from')} b.json</code>"
    )


@pytest.fixture(scope="module")
def chapter(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chapter]:
    """A small study without its data set."""
    path = tmp_path_factory.mktemp("page") / "orch.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = open_database(f"sqlite:///{path}")
    yield read_chapter(database, sized_study(database, "small", 6, folds=2, epochs=3), [])
    database.close()


def test_a_page_to_send_names_no_machine_and_no_account(chapter: Chapter) -> None:
    page = write_page([chapter], {"orch": "0"})
    assert "machine 1, worker 1" in page
    assert not re.search(r"gpu-\d-4\d\d\d", page)
    view = chapter.view
    tries = [
        replace(view.attempts[0], worker=name)
        for name in ("ct-lab-7-a1", "ct-lab-8-b2", "ct-9-c3", "ct-lab-7-a1")
    ]
    numbers = {
        "ct-lab-7-a1": "machine 1, worker 1",
        "ct-lab-8-b2": "machine 1, worker 2",
        "ct-9-c3": "machine 2, worker 1",
    }
    assert number_workers(tries) == numbers
    point = replace(
        view.points[0], worker="ct-9-c3", error="OSError: ct-lab: no space; ct-lab-x and ct are others"
    )
    hidden = hide_machines(
        replace(
            chapter,
            view=replace(
                view,
                attempts=tries,
                points=[point],
                provenance=["Extended on Monday by anna@ct-lab.example.org."],
            ),
            openings=["2026-01-02 by anna@ct-lab: orch model evaluate"],
        )
    )
    assert [one.worker for one in hidden.view.points] == ["machine 2, worker 1"]
    assert hidden.view.points[0].error == "OSError: machine 1: no space; ct-lab-x and machine 2 are others"
    assert hidden.view.provenance == ["Extended on Monday."]
    assert hidden.openings == ["2026-01-02: orch model evaluate"]


def test_a_file_is_named_without_the_folder_that_may_be_somebodys(chapter: Chapter) -> None:
    folder, windows = "/home/anna/Müller's files", "C:\\Users\\anna"
    model = chapter.view.study.spec.model.model_copy(
        update={
            "weights": f"{folder}/in net.h5",
            "weights_of": {"ResNet50": f"{windows}\\res.h5", "/home/anna/preset": "none"},
        }
    )
    spec = chapter.view.study.spec.model_copy(update={"model": model})
    view = replace(chapter.view, study=replace(chapter.view.study, spec=spec))
    page = show(hide_machines(replace(chapter, view=view, spec_text=to_toml(spec))))
    assert "anna" not in page
    for name in ("in net.h5", "res.h5"):
        assert name in page
    card = {
        "spec": {"model": {"weights": f"{folder}/net.h5"}},
        "at": "2026-11-27",
        "range": "1/2",
        "list": [f"{windows}\\x"],
    }
    assert leave_out_folders(card) == {
        "spec": {"model": {"weights": "net.h5"}},
        "at": "2026-11-27",
        "range": "1/2",
        "list": ["x"],
    }


def show(chapter: Chapter) -> str:
    """The page without its scripts."""
    return re.sub(r"<script.*?</script>", "", write_page([chapter], {"orch": "0"}), flags=re.DOTALL)


def test_images_are_on_the_page_only_where_they_were_asked_for(chapter: Chapter) -> None:
    plain = show(chapter)
    assert "data:image" not in plain
    assert "images of patients" not in plain
    examples = [
        ShownExample(Example(0, 0, "true <positive>", "fracture: predicted 0.90"), b"one"),
        ShownExample(Example(1, 0, "false positive", "fracture: predicted 0.80"), b"two", b"heat"),
    ]
    shown = show(replace(chapter, examples=examples))
    assert re.findall(r'<img src="data:image/jpeg;base64,(\w+=*)" alt="([^"]*)">', shown) == [
        ("b25l", "true &lt;positive&gt;, image"), ("dHdv", "false positive, image"), ("aGVhdA==", "false positive, heat map"),
    ]  # fmt: skip
    assert "This page contains images of patients" in shown
    ids = re.findall(r'(?<![\w-])id="([^"]+)"', shown)
    assert len(ids) == len(set(ids))
    assert "Grad-CAM" in shown


def test_each_answer_of_a_check_list_leads_to_the_place_that_gives_it(chapter: Chapter) -> None:
    page = show(chapter)
    rows = re.findall(r'<td>(?:from orch|partly)</td><td class="long">(.*?)</td>', page)
    assert len(rows) > 40
    assert sum("<a href=" in one for one in rows) > 0.8 * len(rows)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
