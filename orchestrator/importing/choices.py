"""What an import is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choices:
    """What an import is told: which columns mean what, and how much to hold out.

    Attributes:
        filename_column: the column of file names.
        group_columns: the columns that together name a group (patient); none makes each image its own group.
        group_dicom: group by the Patient ID of DICOM files instead; it is hashed with a salt that is forgotten.
        targets: the label columns; None for every column of 0, 1 and blank.
        class_column: one column of classes in place of label columns.
        holdout: the share to seal, in [0, 1); ignored with `split_column`.
        split_column: a column with train, valid and test, which then decides the sides.
        seed: of the split.
    """

    filename_column: str = "filename"
    group_columns: tuple[str, ...] = ()
    group_dicom: bool = False
    targets: tuple[str, ...] | None = None
    class_column: str | None = None
    holdout: float = 0.15
    split_column: str | None = None
    seed: int = 1337
