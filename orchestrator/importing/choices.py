"""What an import is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.importing.reading.cells import Rules


@dataclass(frozen=True)
class Choices:
    """What an import is told: which columns mean what, and how much to hold out.

    Attributes:
        filename_column: the column of file names.
        group_columns: the columns that together name a group (patient); none makes each image its own group.
        group_dicom: group by the Patient ID of DICOM files instead; it is hashed with a salt that is forgotten.
        targets: the label columns; None for every column of 0, 1 and blank. With classes, those that are wanted.
        class_column: one column of classes in place of label columns.
        task: what kind of label it is, by its name in `storage.tasks`; None guesses.
        holdout: the share to seal, in [0, 1); ignored where a published split decides.
        split_column: a column with train, valid and test, which then decides the sides.
        seed: of the split.
        rules: how label cells are to be taken.
        group_pattern: a regular expression that finds the patient in the path of an image.
        class_pattern: the same for the class.
        split_pattern: the same for the side of the split.
        split_lists: lists of file names of one side: (train, valid or test; file).
        split_words: words of a published split that mean another side here, such as ("valid", "test").
        joins: tables to bring in, each with the column to join on.
        merge_rows: how several rows of an image become one, "any", "majority" or "all"; None refuses them.
        reader_column: who each of these rows is of.
        keeps_shares: whether the share of an image's readers who said yes is kept for training.
        unknown_is_own: whether an image whose patient is not known is a group of its own.
        not_patient: columns of which the user said that they name no patient.
        only_labelled: whether images without a row are left out.
        header: whether the labels file has a header; None looks.
        sheet: of a workbook of labels, the name of the sheet; None for the only one.
        must_group: whether an import is refused that names no group although a column seems to name patients.
    """

    filename_column: str = "filename"
    group_columns: tuple[str, ...] = ()
    group_dicom: bool = False
    targets: tuple[str, ...] | None = None
    class_column: str | None = None
    task: str | None = None
    holdout: float = 0.15
    split_column: str | None = None
    seed: int = 1337
    rules: Rules = field(default_factory=Rules)
    group_pattern: str | None = None
    class_pattern: str | None = None
    split_pattern: str | None = None
    split_lists: tuple[tuple[str, Path], ...] = ()
    split_words: tuple[tuple[str, str], ...] = ()
    joins: tuple[tuple[Path, str], ...] = ()
    merge_rows: str | None = None
    reader_column: str | None = None
    keeps_shares: bool = False
    unknown_is_own: bool = False
    not_patient: tuple[str, ...] = ()
    only_labelled: bool = False
    header: bool | None = None
    sheet: str | None = None
    must_group: bool = False

    @property
    def grouped(self) -> bool:
        """Whether anything names the patient."""
        return bool(self.group_columns) or self.group_dicom or self.group_pattern is not None

    @property
    def splits(self) -> bool:
        """Whether a published split decides the sides."""
        return bool(self.split_column or self.split_pattern or self.split_lists)
