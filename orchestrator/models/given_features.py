"""A model that takes features from elsewhere: which table it needs, and whether that fits, before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.importing.feature_tables import count_elsewhere, read_feature_table
from storage.errors import DataError
from storage.wording import say_count
from workers.final_model.predict import count_features

if TYPE_CHECKING:
    from orchestrator.importing.feature_tables import FeatureTable
    from storage.data.datasets import Dataset
    from workers.final_model.predict import Repeats


def read_needed_features(
    card: dict[str, Any] | None, given: Path | None, repeats: Repeats
) -> FeatureTable | None:
    """Read the table of features that a model needs; None for a model that takes images.

    Args:
        card: of the model, where it has one.
        given: what --features says.
        repeats: test-time augmentation.

    Raises:
        DataError: a table is needed and not given, or given and not needed; or there is nothing to augment.
    """
    needed = (card or {}).get("features")
    if not needed:
        if given is not None:
            raise DataError("The model takes images, not features.", next_step="Leave --features out.")
        return None
    if given is None and "command" in needed:
        raise DataError(
            f"The model needs the features that the preset {needed['name']} makes of each image.",
            why="The layers of KerasHub are no part of Keras, so that the model file holds only what follows them.",
            next_step=f"`{needed['command']}` makes them; then add --features FEATURES.npz.",
        )
    if given is None:
        raise DataError(
            f"The model needs the features {needed['name']!r} of each image ({needed['width']} numbers), which another program computes.",
            why="It was trained on features from elsewhere, and has no backbone of its own.",
            next_step="Give them with --features TABLE (.parquet, .npz or .csv), a row for each image.",
        )
    if repeats.effective:
        raise DataError(
            "A model that takes features cannot predict changed copies of an image (--tta).",
            why="The features are of the images as they are.",
            next_step="Leave --tta out.",
        )
    return read_feature_table(given)


def check_features(model: Any, table: FeatureTable, dataset: Dataset, *, opens: bool) -> None:
    """Make sure, before a hold-out is opened for it, that the table can have what the model needs.

    Raises:
        DataError: another number of features, or fewer rows than there are sealed images.
    """
    width, found = count_features(model), table.values.shape[1]
    if width != found:
        raise DataError(
            f"The model takes {width} features, and {table.path} has {found}.",
            next_step="Compute the features with the same foundation model.",
        )
    sealed = int((dataset.summary.get("holdout") or {}).get("images", 0))
    rows = count_elsewhere(table, dataset.files)
    if opens and rows < sealed:
        raise DataError(
            f"{table.path} has {say_count(rows, 'row')} beside the development images, and {say_count(sealed, 'image is', 'images are')} sealed.",
            why="The features of the hold-out are not in the table.",
            next_step="Compute the features of all images, those of the hold-out too, into one table.",
        )
