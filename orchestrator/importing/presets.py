"""Published collections as tables of column rules: which column means what, and what the words in it mean.

A preset is data. Everything in it can be said with options of `orch data import`, too, and an option that is given counts
before the preset. Of several names for a column the first that the table has counts.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from orchestrator.importing.choices import Choices
from orchestrator.importing.reading.cells import Rules
from orchestrator.importing.reading.tables import UNNAMED, Table
from storage.errors import DataError


@dataclass(frozen=True)
class Preset:
    """The conventions of one collection.

    Attributes:
        title: what the collection is called.
        filename, group, classes, split, reader: names of columns, the likeliest first.
        tables: files beside the labels file that go on with it.
        joins: files beside the labels file to join: a pattern of their name, and the column; "" for that of the file names.
        lists: files of a published split beside the labels file or the images: side, name.
        class_folders: whether classes are folders.
        choices, rules: fields of `Choices` and of its `Rules` that are the same for every table of the collection.
        names: a pattern of file names by which a table is known that has no columns of its own.
        number: a column that holds a number to predict.
        note: what a user should know.
    """

    title: str
    filename: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    reader: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    joins: tuple[tuple[str, str], ...] = ()
    lists: tuple[tuple[str, str], ...] = ()
    class_folders: bool = False
    choices: tuple[tuple[str, object], ...] = ()
    rules: tuple[tuple[str, object], ...] = ()
    names: str = ""
    number: tuple[str, ...] = ()
    note: str = ""

    @property
    def has_classes_in_paths(self) -> bool:
        """Whether the path of an image says its class, so that no table is needed."""
        return "class_pattern" in dict(self.choices)


LOOKED_AT = 200

VALID_IS_TEST = (("valid", "test"),)
UNCERTAIN_NOTE = "-1 (uncertain) and blank (not mentioned) count as not assessed; change that with --uncertain and --blank."

KERMANY_PERSON = (
    r"(person\d+_(?:virus|bacteria))|((?:NORMAL2-)?IM-\d+)|((?:NORMAL|BACTERIA|VIRUS|CNV|DME|DRUSEN)-\d+)"
)
"""Persons in the names of the first edition, and of the later ones, which have the scans of eyes beside the chests."""

PRESETS: dict[str, Preset] = {
    "nih": Preset(
        title="NIH ChestX-ray14",
        filename=("Image Index",),
        classes=("Finding Labels",),
        group=("Patient ID",),
        lists=(("train", "train_val_list.txt"), ("test", "test_list.txt")),
        rules=(("separator", "|"), ("no_finding", ("no finding",))),
    ),
    "chexpert": Preset(
        title="CheXpert",
        filename=("Path",),
        tables=("valid.csv",),
        choices=(
            ("group_pattern", r"(patient\d+)"),
            ("split_pattern", r"(?:^|/)(train|valid|test)/"),
            ("split_words", VALID_IS_TEST),
        ),
        rules=(("uncertain", "blank"),),
        note=UNCERTAIN_NOTE + " The published validation part is the hold-out.",
    ),
    "mimic": Preset(
        title="MIMIC-CXR-JPG",
        filename=("dicom_id",),
        group=("subject_id",),
        split=("split",),
        joins=(("*-metadata.csv*", "study_id"), ("*-split.csv*", "dicom_id")),
        choices=(("only_labelled", True),),
        rules=(("uncertain", "blank"),),
        note=UNCERTAIN_NOTE + " Images of the few studies without labels are left out.",
    ),
    "vindr": Preset(
        title="VinDr-CXR, VinDr-PCXR",
        filename=("image_id",),
        classes=("class_name",),
        reader=("rad_id", "rad_ID"),
        choices=(("merge_rows", "majority"),),
        rules=(("separator", ""), ("no_finding", ("no finding",))),
        note="A finding counts if more than half of an image's readers named it; with --merge-rows any, one reader is enough.",
    ),
    "rsna": Preset(
        title="RSNA pneumonia detection",
        filename=("patientId",),
        targets=("Target",),
        group=("patientId",),
        choices=(("merge_rows", "any"),),
    ),
    "padchest": Preset(
        title="PadChest",
        filename=("ImageID",),
        classes=("Labels",),
        group=("PatientID",),
        rules=(("no_finding", ("normal",)), ("undecided", ("exclude", "suboptimal study", "unchanged"))),
    ),
    "mura": Preset(
        title="MURA",
        filename=("column 1",),
        targets=("abnormal",),
        tables=("valid_image_paths.csv",),
        choices=(
            ("class_pattern", r"study\d+_(positive|negative)"),
            ("group_pattern", r"(patient\d+)"),
            ("split_pattern", r"(?:^|/)(train|valid|test)/"),
            ("split_words", VALID_IS_TEST),
        ),
        note="The published validation part is the hold-out.",
    ),
    "ham10000": Preset(
        title="HAM10000",
        filename=("image_id",),
        classes=("dx",),
        group=("lesion_id",),
        rules=(("separator", ""),),
    ),
    "isic": Preset(
        title="ISIC challenges",
        names=r"ISIC_\d{7}",
        filename=("image", "image_name", "isic_id", "image_id"),
        targets=("target",),
        group=("patient_id", "lesion_id"),
        joins=(("*[Mm]etadata*.csv", ""), ("*LesionGroupings*.csv", "")),
        # Some challenges have outlines (`_superpixels.png`) beside the images.
        choices=(("unknown_is_own", True), ("only_labelled", True)),
    ),
    "kermany": Preset(
        title="Chest X-rays of Kermany et al.",
        class_folders=True,
        choices=(("group_pattern", KERMANY_PERSON),),
        note="The chest X-rays of this collection number persons with a viral and with a bacterial infection separately; they count as different persons.",
    ),
    "boneage": Preset(
        title="RSNA bone age",
        filename=("id", "Case ID", "Image ID"),
        number=("boneage", "Bone Age (months)"),
    ),
}


def find_preset(name: str) -> Preset:
    """The preset of this name.

    Raises:
        DataError: there is none.
    """
    if name not in PRESETS:
        raise DataError(f"There is no preset {name!r}.", next_step=f"There are {', '.join(PRESETS)}.")
    return PRESETS[name]


def recognise(table: Table, tables: Sequence[Path], images: Sequence[str]) -> tuple[str, float]:
    """The preset that fits a table best, or names of images where there is none, and how sure that is, from 0 to 1."""
    scores = {name: _score(preset, table, tables, images) for name, preset in PRESETS.items()}
    best = max(scores, key=lambda name: scores[name])
    return best, scores[best]


def _score(preset: Preset, table: Table, tables: Sequence[Path], images: Sequence[str]) -> float:
    """How much of what makes up a collection is here, from 0 to 1."""
    patterns = [str(value) for name, value in preset.choices if name.endswith("_pattern")]

    def has(names: Sequence[str]) -> float:
        return float(any(name in table.columns for name in names))

    if not tables:
        if not patterns or (preset.filename and not preset.has_classes_in_paths):
            return 0.0
        return _share(patterns, images[:LOOKED_AT])
    if preset.class_folders:
        return 0.0
    filename = next((name for name in preset.filename if name in table.columns), None)
    if filename is None:
        # Its images may be named in tables beside this one.
        beside = preset.joins and len(find_joins(preset, tables)) == len(preset.joins)
        return 0.9 * has(preset.group) if beside else 0.0
    names = table.column(filename, option="--filename-column")[:LOOKED_AT]
    if preset.names:
        # Less sure than columns of its own would be.
        return 0.9 * _share([preset.names], names)
    if preset.has_classes_in_paths:
        return _share(patterns, names)
    wanted = [preset.classes or preset.targets, preset.group, preset.split, preset.number, preset.reader]
    evidence = [has(some) for some in wanted if some] + [_share([one], names) for one in patterns]
    return sum(evidence) / len(evidence)


def _share(patterns: Sequence[str], names: Sequence[str]) -> float:
    """The mean share of names in which a pattern finds something."""
    found = [sum(bool(re.search(pattern, name)) for name in names) / len(names) for pattern in patterns]
    return sum(found) / len(found)


def find_tables(preset: Preset, labels: Sequence[Path]) -> list[Path]:
    """The labels files, and those of the collection that lie beside the first and go on with it."""
    beside = [labels[0].parent / name for name in preset.tables] if labels else []
    return [*labels, *(path for path in beside if path.is_file() and path not in labels)]


def find_joins(preset: Preset, labels: Sequence[Path]) -> tuple[tuple[Path, str], ...]:
    """The tables of the collection to join that lie beside the first labels file."""
    found = []
    for pattern, on in preset.joins:
        beside = (
            sorted(path for path in labels[0].parent.glob(pattern) if path not in labels) if labels else []
        )
        # Where the tables of training and test lie together, the one whose name is most like that of the labels.
        alike = max(
            beside, key=lambda path: SequenceMatcher(None, path.name, labels[0].name).ratio(), default=None
        )
        found += [(alike, on)] if alike else []
    return tuple(found)


def name_key(preset: Preset, table: Table, other: Table) -> str:
    """The column of file names by which a table of the collection is joined to another: `here=there`."""
    here, there = (
        next((name for name in preset.filename if name in one.columns), preset.filename[0])
        for one in (table, other)
    )
    return f"{here}={there}"


def apply_preset(
    preset: Preset,
    choices: Choices,
    columns: Sequence[str],
    places: Sequence[Path],
    note: Callable[[str], None],
) -> Choices:
    """Fill in what the user did not say.

    Args:
        preset: the conventions.
        choices: what the user said.
        columns: those of the table.
        places: the folders in which the lists of a published split may lie.
        note: told what a user should know.

    Raises:
        DataError: the table has none of the columns that name the images of this collection.
    """
    default = Choices()

    def first(names: Sequence[str]) -> str | None:
        return next((name for name in names if name in columns), None)

    filled: dict[str, object] = {}
    number = first(preset.number)
    if number and not choices.targets and not choices.class_column and choices.task in (None, "number"):
        filled |= {"targets": (number,), "task": "number"}
        note(f"{number!r} is a number to predict (--task number).")
    filename = first(preset.filename)
    if filename is None and preset.filename and len(columns) > 1 and columns[0] != UNNAMED.format(1):
        raise DataError(
            f"The labels file has no column {' or '.join(map(repr, preset.filename))}, so it is no table of {preset.title}.",
            why=f"Its columns are {', '.join(columns)}.",
            next_step="Give the table as it was published, or name its columns with options and leave --preset out.",
        )
    if filename and choices.filename_column == default.filename_column:
        filled["filename_column"] = filename
    if (group := first(preset.group)) and not choices.grouped:
        filled["group_columns"] = (group,)
    if not choices.targets and not choices.class_column and "targets" not in filled:
        if classes := first(preset.classes):
            filled["class_column"] = classes
        elif (target := first(preset.targets)) or (preset.targets and preset.has_classes_in_paths):
            filled["targets"] = (target or preset.targets[0],)
    lists = _find_lists(preset, places)
    if not choices.splits and choices.holdout == default.holdout:
        if split := first(preset.split):
            filled["split_column"] = split
        elif lists:
            filled["split_lists"] = lists
    if preset.lists and not lists and not choices.splits:
        note(
            f"the published split ({' and '.join(name for _, name in preset.lists)}) is not beside the labels file; orch makes its own split."
        )
    if (reader := first(preset.reader)) and choices.reader_column is None:
        filled["reader_column"] = reader
    for name, value in preset.choices:
        own_split = name.startswith("split") and (choices.splits or choices.holdout != default.holdout)
        own_group = name == "group_pattern" and choices.grouped
        if getattr(choices, name) == getattr(default, name) and not own_split and not own_group:
            filled[name] = value
    rules = {
        name: value for name, value in preset.rules if getattr(choices.rules, name) == getattr(Rules(), name)
    }
    filled["rules"] = dataclasses.replace(choices.rules, **rules)  # type: ignore[arg-type]
    if preset.note:
        note(preset.note)
    return dataclasses.replace(choices, **filled)  # type: ignore[arg-type]


def _find_lists(preset: Preset, places: Sequence[Path]) -> tuple[tuple[str, Path], ...]:
    """The lists of a published split, where all of them lie in one folder."""
    for place in places:
        found = tuple((side, place / name) for side, name in preset.lists)
        if found and all(path.is_file() for _, path in found):
            return found
    return ()
