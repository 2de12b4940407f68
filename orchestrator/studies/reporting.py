"""From the names of studies to the page about them, and to the files of their figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.figures.gallery import draw_studies, write_pictures
from dashboards.figures.practice import SHOWN
from dashboards.pages.anonymous import hide_machines, leave_out_folders
from dashboards.pages.chapter import Chapter, tells
from dashboards.pages.paper import collect_documents, collect_references, collect_texts
from dashboards.pages.printing import draw_vectors, find_browser, print_page
from dashboards.pages.report import write_page
from dashboards.pages.word import can_write
from dashboards.tables.examples import Example, ShownExample, choose_examples
from dashboards.tables.outcomes import Outcomes, find_dataset, read_outcomes
from dashboards.tables.performance import RESAMPLES
from dashboards.tables.view import read_view
from orchestrator.studies.comparing import compare_studies
from orchestrator.terminal.progress import show_progress
from storage.data.datasets import read_columns
from storage.errors import DataError, NothingToExportError, UsageError
from storage.files.documents import to_json
from storage.files.model_files import read_card
from storage.files.writing import write_bytes, write_text
from storage.holdout.openings import find_openings
from storage.practice.decisions import decision_curve
from storage.practice.population import describe_population
from storage.results.evaluations import list_evaluations
from storage.spec import to_toml
from storage.studies.study import load_study
from storage.trust.learning_curve import find_learning_curve
from storage.trust.selection import judge_selection
from storage.wording import say_instant
from workers.device.versions import library_versions

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord


ShowExamples = Callable[["Dataset", Sequence[str], Sequence[Example], "Path | None"], list[ShownExample]]
"""`orchestrator.models.heat_maps.show_examples`, which needs Keras for the heat maps alone."""


@dataclass(frozen=True)
class Pictures:
    """That images of patients are to be on a page, which are on none without being asked for.

    Attributes:
        show: what draws them.
        model: the final model whose heat maps lie over those of its study; None for the images alone.
    """

    show: ShowExamples
    model: Path | None = None


def write_report(
    database: Database,
    names: Sequence[str],
    folders: Sequence[Path],
    output: Path,
    *,
    images: Pictures | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> list[Chapter]:
    """Write the page; the file appears whole or not at all.

    Args:
        database: where the studies are.
        names: of the studies, in the order of the page.
        folders: dataset folders of this machine, for the figures that need labels.
        output: the file.
        images: examples of images are wanted.
        warn: told of which study there are none, and why.

    Raises:
        StudyNotFoundError: there is no study of one of the names.
        UsageError: the model is of none of these studies, or has no heat maps.
        DataError: an image is missing or changed.
    """
    studies = [load_study(database, name) for name in names]
    owner = _read_card(images.model, names)["study"] if images and images.model else None
    chapters = []
    for study in studies:
        chapter = read_chapter(database, study, folders)
        if images is not None:
            chapter = _add_examples(
                chapter, images if study.name == owner else Pictures(images.show), folders, warn
            )
        chapters.append(chapter)
    write_text(output, write_page(chapters, library_versions(), _compare(database, names, folders)))
    return chapters


def draw_report(database: Database, name: str, folders: Sequence[Path]) -> str:
    """The page about one study, for a browser that asks for it.

    Args:
        database: where the study is.
        name: of the study.
        folders: dataset folders of this machine, for the figures that need labels.

    Raises:
        StudyNotFoundError: there is no study of that name.
    """
    return write_page([read_chapter(database, load_study(database, name), folders)], library_versions())


def write_paper(
    database: Database,
    names: Sequence[str],
    folders: Sequence[Path],
    output: Path,
    *,
    model: Path | None,
    images: Pictures | None = None,
    warn: Callable[[str], None],
) -> list[Path]:
    """Write page, PDF, figures, tables, methods and references into a folder; files of the same names are replaced.

    Args:
        database: where the studies are.
        names: of the studies.
        folders: dataset folders of this machine.
        output: the folder.
        model: the final model, whose card is added; of one of these studies.
        images: examples of images are wanted on the page.
        warn: told what could not be written, and why.

    Raises:
        StudyNotFoundError: there is no study of one of the names.
        UsageError: the model is of another study, or the folder cannot be made.
    """
    # What is wrong with the names or the model is found before a folder is made.
    for name in names:
        load_study(database, name)
    card = _read_card(model, names) if model is not None else None
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be made a folder: {error.strerror}.", next_step="Name another one with -o.") from error  # fmt: skip
    page = output / "report.html"
    chapters = write_report(database, names, folders, page, images=images, warn=warn)
    versions = library_versions()
    texts = {"references.bib": collect_references(chapters, versions)}
    if card is not None:
        texts["model-card.json"] = to_json(leave_out_folders(card))
    pictures = {}
    documents: dict[str, bytes] = {}
    if not can_write():
        warn(
            "python-docx is not installed, so there are no tables as .docx. Install orch with its extra `publish`, or open the CSV files."
        )
    for chapter in chapters:
        prefix = f"{_file_name(chapter.view.study.name)}-" if len(chapters) > 1 else ""
        texts |= {prefix + name: text for name, text in collect_texts(chapter, versions, prefix).items()}
        if can_write():
            documents |= {prefix + name: content for name, content in collect_documents(chapter).items()}
        for picture in chapter.draw():
            if tells(picture):
                pictures[f"{prefix}figure-{picture.name}"] = picture
                texts[f"{prefix}figure-{picture.name}.csv"] = picture.table.to_csv()
    written = [page]
    browser = find_browser()
    if browser is None:
        warn(
            "No Chromium is on this machine, so there is no PDF and no SVG. Install it (Debian: apt-get install chromium), or name one in "
            "BROWSER_PATH; or open report.html, print it, and save each figure with the camera above it."
        )
    else:
        try:
            texts |= {f"{name}.svg": text for name, text in draw_vectors(browser, pictures).items()}
            print_page(browser, page, output / "report.pdf")
            written.append(output / "report.pdf")
        except UsageError as error:
            warn(str(error))
    for name, text in texts.items():
        write_text(output / name, text)
    for name, content in documents.items():
        write_bytes(output / name, content)
    written += [output / name for name in (*texts, *documents)]
    return written


def _add_examples(
    chapter: Chapter, images: Pictures, folders: Sequence[Path], warn: Callable[[str], None]
) -> Chapter:
    study, outcomes = chapter.view.study, chapter.outcomes
    dataset = find_dataset(study, folders)
    if dataset is None or outcomes is None:
        warn(
            f"No images of {study.name!r}: they need its dataset folder (--data DIR) and a complete trial whose predictions were kept."
        )
        return chapter
    examples = images.show(dataset, outcomes.targets, choose_examples(outcomes), images.model)
    return replace(chapter, examples=examples)


def _read_card(model: Path, names: Sequence[str]) -> dict[str, Any]:
    card = read_card(model)
    study = (card or {}).get("study")
    if study not in names:
        raise UsageError(
            f"{model} is not a model of {' or '.join(map(repr, names))}.",
            why=f"Its card names the study {study!r}." if card else "It has no card of orch.",
            next_step="Name its study, or a model that `orch model train` made from one of these.",
        )
    return card or {}


def _compare(database: Database, names: Sequence[str], folders: Sequence[Path]) -> dict[str, Any] | None:
    """How the best trials of these studies differ; None where they cannot be compared."""
    if len(names) < 2:
        return None
    try:
        return compare_studies(database, names, folders)
    except (UsageError, NothingToExportError):
        return None


def read_chapter(database: Database, study: StudyRecord, folders: Sequence[Path]) -> Chapter:
    """Read what the page says of one study; machines are numbered and accounts left out, because a page is made to be sent."""
    view = read_view(database, study)
    dataset = find_dataset(study, folders)
    best = view.best
    openings = find_openings(study.fingerprint, dataset.folder if dataset else None, database)
    outcomes = read_outcomes(database, study, best.point, dataset) if best else None
    chapter = Chapter(
        view=view,
        outcomes=outcomes,
        spec_text=to_toml(study.spec),
        data_summary=dataset.summary if dataset else None,
        selection=judge_selection(database, study) if best else None,
        openings=[f"{say_instant(one.opened_at, UTC)} by {one.opened_by}: {one.purpose}" for one in openings],
        evaluations=list_evaluations(database, study.uuid),
        population=_describe_patients(dataset) if dataset else None,
        practice=_weigh_decisions(outcomes) if outcomes else None,
        learning_curve=find_learning_curve(database, study),
    )
    return hide_machines(chapter)


def _describe_patients(dataset: Dataset) -> dict[str, Any] | None:
    """Who the development patients are; None where the data set has no columns beside its labels."""
    try:
        columns = read_columns(dataset)
    except DataError:
        return None
    return describe_population(columns, dataset.groups)


def _weigh_decisions(outcomes: Outcomes) -> dict[str, Any] | None:
    """Decision curves of the labels that a figure shows; None of what is no question of yes and no."""
    if not outcomes.task.is_called or outcomes.groups is None:
        return None
    labels, values = outcomes.pooled
    return {
        target: {
            "decision_curve": decision_curve(
                labels[:, place], values[:, place], outcomes.groups, resamples=RESAMPLES, seed=0
            ),
            "abstention": [],
        }
        for place, target in enumerate(outcomes.targets[:SHOWN])
    }


def write_figures(chapters: Sequence[Chapter], folder: Path, formats: Sequence[str]) -> int:
    """Write every figure's numbers, and its pictures where asked for; one folder per study. Returns how many files.

    Raises:
        UsageError: pictures are asked for and cannot be drawn here; the numbers are written.
    """
    drawn = [(folder, [draw_studies([chapter.view for chapter in chapters])])] if len(chapters) > 1 else []
    for chapter in chapters:
        place = folder / _file_name(chapter.view.study.name) if len(chapters) > 1 else folder
        drawn.append((place, chapter.draw()))
    with show_progress("Drawing") as report:
        return len(write_pictures(drawn, formats, report))


def _file_name(name: str) -> str:
    return (
        "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name).strip(".")
        or "study"
    )
