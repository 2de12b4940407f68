"""From a folder and its tables to one row for each image: path, labels, group and side of the split."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from orchestrator.importing.choices import Choices
from orchestrator.importing.class_folders import CLASS, SIDE, read_class_folders, read_folder
from orchestrator.importing.doubts import likely_groups
from orchestrator.importing.matching import Finder, find_filename_column, match_rows, rewrite_names
from orchestrator.importing.presets import (
    PRESETS,
    apply_preset,
    find_joins,
    find_preset,
    find_tables,
    name_key,
    recognise,
)
from orchestrator.importing.reading.cells import read_cells
from orchestrator.importing.reading.classes import Labels
from orchestrator.importing.reading.groups import find_in_names, read_groups
from orchestrator.importing.reading.joining import join_table
from orchestrator.importing.reading.kinds import KINDS, Asked, read_kind, shape_kind
from orchestrator.importing.reading.labels import read_split
from orchestrator.importing.reading.merging import (
    WAYS,
    find_rows,
    merge_equal,
    merge_labels,
    merge_table,
    share_labels,
)
from orchestrator.importing.reading.tables import UNNAMED, Table, append_tables, read_table
from orchestrator.importing.scanning import Scan, scan_folder
from storage.data.dicom import group_by_patient
from storage.data.patients import patient_key
from storage.errors import DataError, UsageError
from storage.tasks.kinds import TASKS
from storage.wording import name_few, say_count

CERTAIN = 0.99


@dataclass(frozen=True, eq=False)
class Read:
    """What tables and names say of each image.

    Attributes:
        table: one row for each image.
        paths: its path in the folder.
        labels: its labels.
        groups: what names its patient; None where nothing does.
        sides: train, valid or test; None where no published split counts.
        choices: what the user and the preset said together.
        left_out: what the folder holds that orch does not read, in words without names of files.
    """

    table: Table
    paths: list[str]
    labels: Labels
    groups: list[tuple[str, ...]] | None
    sides: list[str] | None
    choices: Choices
    left_out: str


def read_rows(
    folder: Path, tables: Sequence[Path], choices: Choices, preset: str | None, note: Callable[[str], None]
) -> Read:
    """Read everything that is known of the images before they are opened.

    Args:
        folder: the images.
        tables: labels files; none where folders or names say what the images show.
        choices: what the user said.
        preset: a published collection.
        note: told what was taken for what, and what was left out.

    Raises:
        DataError: anything wrong with the input; names the file or the line.
    """
    said = choices
    table, scan, choices = open_table(folder, tables, choices, preset, note)
    for text in (scan.say_left_out(), scan.say_others()):
        if text:
            note(text)
    choices = _find_filename(table, scan, choices, note)
    for name in choices.not_patient:
        table.column(name, option="--not-patient")
    if choices.must_group and not choices.grouped:
        _ask_for_group(table, choices)
    paths = match_rows(
        table,
        choices.filename_column,
        scan.images,
        folder,
        several_rows=choices.merge_rows is not None,
        only_labelled=choices.only_labelled,
        note=note,
    )
    without = len(scan.images) - len(set(paths))
    if without:
        note(f"{say_count(without, 'image')} without a row left out (--only-labelled).")
    table, choices = _add_from_names(table, paths, choices)
    excluded = [
        choices.filename_column,
        *choices.group_columns,
        choices.split_column or "",
        choices.reader_column or "",
    ]
    asked = Asked(
        choices.targets,
        choices.class_column,
        excluded,
        choices.rules,
        rows_name_findings=choices.merge_rows is not None,
        note=note,
    )
    labels = read_kind(table, asked, choices.task)
    groups = _read_groups(table, folder, paths, choices, note)
    sides = _read_sides(table, scan, paths, choices, note, by_preset=not said.splits)
    if choices.splits and "test" not in (sides or ()) and not said.splits:
        note("no image of the published test part is here: orch seals a hold-out of its own.")
        sides = None
    rows_of = find_rows(paths)
    if choices.merge_rows is not None and len(rows_of) < len(paths):
        if not KINDS[labels.task].merges:
            raise DataError(
                f"--merge-rows {choices.merge_rows} merges what is yes or no; several rows of an image have numbers here.",
                next_step="Reduce the table to one row for each image, such as the mean of its readers.",
            )
        readers = (
            table.column(choices.reader_column, option="--reader")
            if choices.reader_column is not None
            else None
        )
        note(f"{len(paths)} rows are merged into {len(rows_of)} images (--merge-rows {choices.merge_rows}).")
        if choices.keeps_shares:
            labels = replace(labels, shares=share_labels(labels.values, rows_of, readers))
        labels = replace(labels, values=merge_labels(labels.values, rows_of, choices.merge_rows, readers))
        groups = None if groups is None else merge_equal(table, groups, rows_of, "patients")
        sides = None if sides is None else merge_equal(table, sides, rows_of, "sides of the split")
        table = merge_table(table, rows_of)
        paths = [paths[rows[0]] for rows in rows_of]
    labels = _shape(labels, asked, choices, note)
    return Read(table, paths, labels, groups, sides, choices, scan.count_left_out())


def _shape(labels: Labels, asked: Asked, choices: Choices, note: Callable[[str], None]) -> Labels:
    """Labels of one row for each image as their kind has them, with the shares of readers where these are kept.

    Raises:
        DataError: they are not of the kind that was asked for, or shares are asked for where there are none.
    """
    shaped = shape_kind(labels, asked, choices.task)
    if not choices.keeps_shares:
        return shaped
    if labels.shares is None:
        raise DataError(
            "--soft-labels keeps how many readers of an image said yes, and no image has several rows.",
            next_step="Give a table with a row for each image and reader, or leave --soft-labels out.",
        )
    if not TASKS[shaped.task].is_called:
        raise DataError(
            f"--soft-labels is of answers of yes and no; these are {TASKS[shaped.task].title}.",
            next_step="Leave --soft-labels out, or say --task labels.",
        )
    places = [labels.targets.index(name) for name in shaped.targets]
    shares = np.ascontiguousarray(labels.shares[:, places])
    split = int(((shares > 0) & (shares < 1)).sum())
    note(f"of {int((~np.isnan(shares)).sum())} labels the readers differ in {split} (--soft-labels).")
    return replace(shaped, shares=shares)


def open_table(
    folder: Path, tables: Sequence[Path], choices: Choices, preset: str | None, note: Callable[[str], None]
) -> tuple[Table, Scan, Choices]:
    """The table of an import with everything joined to it, the folder, and the choices with what the preset adds."""
    if choices.merge_rows not in (None, *WAYS):
        raise DataError(f"--merge-rows {choices.merge_rows} is not {', '.join(WAYS[:-1])} or {WAYS[-1]}.")
    known = find_preset(preset) if preset else None
    scan = scan_folder(folder)
    if known and known.has_classes_in_paths and tables and _name_folders(tables[0], choices):
        note(f"{tables[0]} names folders, not images; the paths of the images say the same.")
        tables = []
    elif known:
        tables = find_tables(known, tables)
    if tables:
        table = append_tables([_read_labels(path, choices, scan) for path in tables])
    elif (known and not known.class_folders) or (choices.class_pattern and not known):
        table = read_folder(scan)
    else:
        table = read_class_folders(folder, scan)
        own_split = choices.splits or choices.holdout != Choices.holdout
        choices = replace(
            choices,
            class_column=choices.class_column or CLASS,
            rules=replace(choices.rules, separator=choices.rules.separator or ""),
            split_column=SIDE if SIDE in table.columns and not own_split else choices.split_column,
        )
    if tables and not known:
        name, sure = recognise(table, tables, list(scan.images))
        if sure >= CERTAIN:
            note(f"this looks like {PRESETS[name].title}: --preset {name} knows its conventions.")
    for path, on in choices.joins or (find_joins(known, tables) if known else ()):
        other = read_table(path)
        table = join_table(table, other, on or (name_key(known, table, other) if known else ""), note)
    if known:
        choices = apply_preset(known, choices, table.columns, _places(tables, folder), note)
    return table, scan, choices


def _read_labels(path: Path, choices: Choices, scan: Scan) -> Table:
    """A labels file; where nobody said whether it has a header, it has none if its first line names an image as the next one does."""
    table = read_table(path, header=choices.header, sheet=choices.sheet)
    first, second = table.columns[0], table.rows[0][0]
    # Most headers are no part of any name, which is quicker to see.
    if (
        choices.header is None
        and not first.startswith(UNNAMED.format(""))
        and any(first in image for image in scan.images)
    ):
        ends = {f"/{name}" for image in scan.images for name in (image, image.rpartition(".")[0])}
        if all(any(end.endswith(f"/{cell}") for end in ends) for cell in (first, second)):
            return read_table(path, header=False, sheet=choices.sheet)
    return table


def _name_folders(path: Path, choices: Choices) -> bool:
    table = read_table(path, header=choices.header, sheet=choices.sheet)
    return all(row[0].endswith("/") for row in table.rows)


def _find_filename(table: Table, scan: Scan, choices: Choices, note: Callable[[str], None]) -> Choices:
    """Where the column of file names was not said and is not called so, take the one whose cells name images."""
    if choices.filename_column in table.columns or choices.filename_column != Choices().filename_column:
        return choices
    # Where it names some images and not others, the rows that name none are refused by their lines.
    name, _ = find_filename_column(table, scan.images, scan.folder)
    if name is None:
        unnamed = UNNAMED.format(1) in table.columns
        return replace(choices, filename_column=UNNAMED.format(1)) if unnamed else choices
    note(f"the column {name!r} names the images (--filename-column).")
    return replace(choices, filename_column=name)


def _ask_for_group(table: Table, choices: Choices) -> None:
    """Refuse a forgotten --group before a hold-out is sealed.

    The audit would refuse every study, and what is sealed by mistake stands in the way of the next import.
    """
    for name in likely_groups(table, choices.not_patient):
        patients = len({patient_key(cell) for cell in table.column(name, option="--group")})
        if patients < len(table.rows):
            raise UsageError(
                f"--group was not given, and column {name!r} of {table.path} seems to name the patients: "
                f"{patients} for {len(table.rows)} images.",
                why="With images of one patient in both training and validation, every value is too optimistic.",
                next_step=f"If it does: --group {shlex.quote(name)}. If not: --not-patient {shlex.quote(name)}, or --no-group, if "
                "each image is of another patient.",
            )


def _places(tables: Sequence[Path], folder: Path) -> list[Path]:
    return [*dict.fromkeys([*(path.parent for path in tables), folder, folder.parent])]


def _add_from_names(table: Table, paths: Sequence[str], choices: Choices) -> tuple[Table, Choices]:
    """Columns of what patterns find in the names of images."""
    written = table.column(choices.filename_column, option="--filename-column")
    names = [[path, cell] for path, cell in zip(paths, written, strict=True)]
    if choices.class_pattern:
        cells = find_in_names(choices.class_pattern, "--class-pattern", names)
        name = choices.targets[0] if choices.targets and len(choices.targets) == 1 else CLASS
        if name in table.columns:
            raise DataError(
                f"--class-pattern makes a column {name!r}, and {table.path} has one.",
                next_step="Name the column of the table with --class-column, or leave the pattern out.",
            )
        table = table.with_column(name, cells)
        if not choices.targets and not choices.class_column:
            # Positive and negative are one label, any other words are classes.
            one = read_cells(cells, choices.rules).fits
            choices = replace(choices, targets=(name,)) if one else replace(choices, class_column=name)
    return table, choices


def _read_groups(
    table: Table, folder: Path, paths: Sequence[str], choices: Choices, note: Callable[[str], None]
) -> list[tuple[str, ...]] | None:
    if choices.group_dicom:
        return group_by_patient([folder / path for path in paths], unknown_is_own=choices.unknown_is_own)
    if choices.group_pattern:
        written = table.column(choices.filename_column, option="--filename-column")
        names = [[path, cell] for path, cell in zip(paths, written, strict=True)]
        own = choices.unknown_is_own
        cells = find_in_names(choices.group_pattern, "--group-pattern", names, blank_where_none=own)
        found = Table(table.path, ("found by --group-pattern",), [[cell] for cell in cells], table.lines)
        return read_groups(found, found.columns, unknown_is_own=own, note=note)
    if choices.group_columns:
        return read_groups(table, choices.group_columns, unknown_is_own=choices.unknown_is_own, note=note)
    return None


def _read_sides(
    table: Table,
    scan: Scan,
    paths: Sequence[str],
    choices: Choices,
    note: Callable[[str], None],
    *,
    by_preset: bool,
) -> list[str] | None:
    if choices.split_column:
        sides = read_split(table, choices.split_column)
    elif choices.split_pattern:
        written = table.column(choices.filename_column, option="--filename-column")
        # The collection's own path says the side; the folder may begin below it.
        names = [[cell, path] for path, cell in zip(paths, written, strict=True)]
        pattern = re.compile(choices.split_pattern) if by_preset else None
        if pattern and not any(pattern.search(name) for some in names for name in some):
            # A part of the collection, given by a folder below those of the split.
            return None
        found = find_in_names(choices.split_pattern, "--split-pattern", names)
        sides = read_split(Table(table.path, ("split",), [[cell] for cell in found], table.lines), "split")
    elif choices.split_lists:
        sides = _read_lists(scan, paths, choices.split_lists, note, by_preset=by_preset)
    else:
        return None
    words = dict(choices.split_words)
    return [words.get(side, side) for side in sides]


def _read_lists(
    scan: Scan,
    paths: Sequence[str],
    lists: Sequence[tuple[str, Path]],
    note: Callable[[str], None],
    *,
    by_preset: bool,
) -> list[str]:
    """The side of each image by lists of names; without a list for train, what no list names is train."""
    finder = Finder(scan.images, scan.folder)
    side_of: dict[str, str] = {}
    for side, path in lists:
        found = [finder.find(name) for name in _read_list(path, scan, finder, note)]
        absent = sum(not images for images in found)
        if absent == len(found) and not by_preset:
            raise DataError(
                f"No line of {path} (--split-list {side}) names an image in {scan.folder}.",
                why="Without it that side would have no images.",
                next_step="Give the list of these images, one file name on each line.",
            )
        if absent:
            note(f"{say_count(absent, 'line')} of {path} {'names' if absent == 1 else 'name'} no image here.")
        several = next((images for images in found if len(images) > 1), None)
        if several:
            raise DataError(
                f"A line of {path} may mean {len(several)} images: {name_few(several)}.",
                next_step="Write the subfolder before the name.",
            )
        for image in (image for images in found for image in images):
            if side_of.setdefault(image, side) != side:
                raise DataError(
                    f"{image} is in the list of {side_of[image]} and in that of {side} ({path}).",
                    next_step="Correct the lists, or let orch split with --holdout 0.15.",
                )
    named = [unicodedata.normalize("NFC", path) for path in paths]
    alone = [name for name in named if name not in side_of]
    if alone and any(side == "train" for side, _ in lists):
        raise DataError(
            f"{len(alone)} images are in no list of the split: {name_few(alone)}.",
            next_step="Add them to a list, or give the list of test only: the others are then for development.",
        )
    return [side_of.get(name, "train") for name in named]


def _read_list(path: Path, scan: Scan, finder: Finder, note: Callable[[str], None]) -> list[str]:
    """The names in a list: its column that names images, the first where none does."""
    listed = read_table(path, header=False)
    column, _ = find_filename_column(listed, scan.images, scan.folder)
    names = listed.column(column or listed.columns[0], option="--split-list")
    return names if any(map(finder.find, names)) else rewrite_names(names, finder, note)
