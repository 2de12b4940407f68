"""Studies in a notebook: tables for pandas, figures for the screen.

    from orch import open_study

    with open_study("first") as study:
        study.table()         # a pandas.DataFrame of the trials; study.trials is the same as a list of dictionaries
        study.figure("search")

`table` needs pandas (the extra `notebook`); everything else is lists of dictionaries with equal keys, and needs nothing.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from dashboards.figures.gallery import draw_study
from dashboards.tables.outcomes import find_dataset, read_outcomes
from dashboards.tables.view import StudyView, list_trials, read_view
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import UsageError
from storage.growth.parts import leave_out_parts
from storage.results.ledger import read_curves
from storage.results.predictions import read_predictions
from storage.settings import data_folders, storage_url
from storage.studies.attempts import list_attempts
from storage.studies.study import StudyRecord, list_studies, load_study
from storage.trust.selection import judge_selection

__all__ = ["Study", "list_study_names", "open_study"]

Rows = list[dict[str, Any]]


def open_study(name: str, *, storage: str | None = None, data: str | Path | None = None) -> Study:
    """Open a study to look at it; nothing can be changed through it.

    Args:
        name: of the study.
        storage: the study database; as the option --storage, else ORCH_STORAGE, orch.toml, the file orch.db here.
        data: its dataset folder, for the figures that need labels; else ORCH_DATA or where it was noted.

    Raises:
        StorageNotFoundError: there is no database.
        StudyNotFoundError: there is no such study; the nearest is named.
    """
    database = open_database(storage_url(storage))
    try:
        return Study(database, load_study(database, name), data_folders([Path(data)] if data else None))
    except BaseException:
        database.close()
        raise


def list_study_names(*, storage: str | None = None) -> list[str]:
    """The names of all studies, oldest first; the repeats of a winner that orch made belong to their study.

    Raises:
        StorageNotFoundError: there is no database.
    """
    database = open_database(storage_url(storage))
    try:
        return [study.name for study in leave_out_parts(list_studies(database))]
    finally:
        database.close()


class Study:
    """A study as it was when it was last read; `refresh` reads it again. Usable in a `with` statement."""

    def __init__(self, database: Database, record: StudyRecord, folders: list[Path]) -> None:
        """Use `open_study`."""
        self._database, self._record, self._folders = database, record, folders
        self._read: StudyView | None = None

    @property
    def name(self) -> str:
        """The name of the study."""
        return self._record.name

    @property
    def spec(self) -> dict[str, Any]:
        """The whole spec as plain data."""
        return self._record.spec.model_dump(mode="json")

    @property
    def facts(self) -> dict[str, Any]:
        """What was known when the study was made: images, groups, targets, warnings."""
        return dict(self._record.facts)

    @property
    def counts(self) -> dict[str, int]:
        """How many points are planned, complete, pruned, failed, open and running."""
        return asdict(self._view.counts)

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of `trials` with the highest value, or None."""
        return self.trials[0] if self._view.best else None

    @property
    def selection(self) -> dict[str, Any] | None:
        """How sure the choice of the best is: noise, the trials that cannot be told from it, the corrected value."""
        return judge_selection(self._database, self._record) if self._view.best else None

    @property
    def trials(self) -> Rows:
        """One row per point, complete ones first, best first."""
        table = list_trials(self._view)
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]

    @property
    def attempts(self) -> Rows:
        """One row per attempt at a point, lost and failed ones too; times in seconds since 1970."""
        return [asdict(attempt) for attempt in list_attempts(self._database, self._record)]

    def folds(self, point: int | None = None) -> Rows:
        """One row per point, fold and epoch (folds from 0, epochs from 1); of one point where it is named."""
        return [asdict(row) for row in read_curves(self._database, self._record.uuid, point)]

    def means(self) -> Rows:
        """One row per point and epoch: means over the folds."""
        return [asdict(row) for rows in self._view.means.values() for row in rows]

    @property
    def figure_names(self) -> list[str]:
        """What `figure` can draw now."""
        return [picture.name for picture in self._pictures()]

    def figure(self, name: str, *, theme: str | None = None) -> Any:
        """A Plotly figure by name, in the theme "light" or "dark"; by default that of `plotly.io.templates.default`.

        Raises:
            UsageError: there is no figure of that name; those there are are listed.
        """
        pictures = {picture.name: picture for picture in self._pictures()}
        if name not in pictures:
            raise UsageError(f"There is no figure {name!r}; there are {', '.join(pictures)}.")
        if theme is None:
            import plotly.io

            theme = "dark" if "dark" in str(plotly.io.templates.default) else "light"
        return pictures[name].to_plotly(theme)

    def numbers(self, name: str) -> Rows:
        """The numbers that a figure is drawn from, one row each.

        Raises:
            UsageError: there is no figure of that name.
        """
        for picture in self._pictures():
            if picture.name == name:
                return [dict(zip(picture.table.columns, row, strict=True)) for row in picture.table.rows]
        raise UsageError(f"There is no figure {name!r}; there are {', '.join(self.figure_names)}.")

    def table(self, name: str = "trials", *, point: int | None = None) -> Any:
        """A table as a pandas.DataFrame; needs pandas (`pip install 'orch-studies[notebook]'`).

        Args:
            name: "trials" (one row per trial, index "point"), "attempts", "folds" (one row per trial, fold and epoch), "means" (the
                curves: one row per trial and epoch), "predictions" (one row per image and label that the best trial, or `point`,
                predicted in the fold that held it out), or the name of a figure, for the numbers that it is drawn from.
            point: of one trial; None for all, or for the best where only one makes sense.

        Raises:
            UsageError: pandas is not installed, there is no such table, or no predictions of that trial are kept.
        """
        try:
            import pandas
        except ImportError as error:
            raise UsageError(
                "Tables need pandas, which is not installed.",
                next_step="pip install 'orch-studies[notebook]'; `study.trials` and the others are lists that need nothing.",
            ) from error
        rows = {
            "trials": lambda: self.trials,
            "attempts": lambda: self.attempts,
            "folds": lambda: self.folds(point),
            "means": self.means,
            "predictions": lambda: self._predictions(point),
        }.get(name, lambda: self.numbers(name))()
        frame = pandas.DataFrame(rows)
        if point is not None and "point" in frame:
            frame = frame[frame["point"] == point]
        return frame.set_index("point") if name == "trials" and len(frame) else frame

    def refresh(self) -> Study:
        """Read the study again; returns it."""
        self._read = None
        return self

    def close(self) -> None:
        """Give the database back."""
        self._database.close()

    def __enter__(self) -> Study:
        """The study itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Name and progress on one line."""
        counts = self._view.counts
        best = f", best {self._view.best.value:.4f}" if self._view.best else ""
        return f"<Study {self.name!r}: {counts.complete} of {counts.planned} trials complete{best}>"

    def _predictions(self, point: int | None) -> Rows:
        best = self._view.best
        chosen = point if point is not None else best.point if best else None
        kept = [] if chosen is None else read_predictions(self._database, self._record.uuid, chosen)
        if not kept:
            raise UsageError(
                f"No predictions of {'any trial' if chosen is None else f'trial {chosen}'} are kept.",
                next_step="Those of the best complete trials are; `study.best` is one of them.",
            )
        dataset = find_dataset(self._record, self._folders)
        targets = self._record.spec.data.targets
        return [
            {
                "point": chosen,
                "fold": fold.fold,
                "image": dataset.files[image].name if dataset else int(image),
                "label": target,
                "truth": float(dataset.labels[image, dataset.targets.index(target)]) if dataset else None,
                "predicted": float(value),
            }
            for fold in kept
            for image, values in zip(fold.indices, fold.values, strict=True)
            for target, value in zip(targets, values, strict=True)
        ]

    @property
    def _view(self) -> StudyView:
        if self._read is None:
            self._read = read_view(self._database, self._record)
        return self._read

    def _pictures(self) -> list[Any]:
        best = self._view.best
        dataset = find_dataset(self._record, self._folders) if best else None
        outcomes = read_outcomes(self._database, self._record, best.point, dataset) if best else None
        return draw_study(self._view, outcomes, self.selection)
