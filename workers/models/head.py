"""The dense head that is trained on pooled features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.heads.contract import LOGITS
from workers.heads.kinds import find_head
from workers.models.precision import name_policy

if TYPE_CHECKING:
    import keras

    from storage.spec import StudySpec


def build_head(
    spec: StudySpec, feature_count: int, target_count: int, *, dropout_rate: float | None = None
) -> keras.Sequential:
    """Build the head of the reference study: [Dense relu, Dropout] x widths, Dense, and what its kind of label needs.

    With `model.head_normalization` it is [Dense, BatchNormalization, ReLU, Dropout] x widths.

    The last Dense and what follows compute in float32 under any `training.precision`.

    Args:
        spec: gives `model.head` (the widths), `model.dropout_rate`, `training.precision` and the kind of label.
        feature_count: length of a feature vector.
        target_count: number of labels.
        dropout_rate: takes the place of `model.dropout_rate`.
    """
    import keras

    rate = spec.model.dropout_rate if dropout_rate is None else dropout_rate
    policy = name_policy(spec.training.precision)
    layers: list[keras.Layer] = [keras.Input((feature_count,))]
    for number, width in enumerate(spec.model.head, start=1):
        if spec.model.head_normalization:
            # The normalization takes any bias away again.
            layers.append(keras.layers.Dense(width, use_bias=False, dtype=policy, name=f"dense_{number}"))
            layers.append(keras.layers.BatchNormalization(dtype=policy, name=f"normalization_{number}"))
            layers.append(keras.layers.ReLU(dtype=policy, name=f"relu_{number}"))
        else:
            layers.append(keras.layers.Dense(width, activation="relu", dtype=policy, name=f"dense_{number}"))
        layers.append(keras.layers.Dropout(rate, dtype=policy, name=f"dropout_{number}"))
    kind = find_head(spec.data.task, spec.loss)
    layers.append(keras.layers.Dense(kind.outputs(target_count), dtype="float32", name=LOGITS))
    layers += kind.finish(target_count)
    return keras.Sequential(layers, name="head")
