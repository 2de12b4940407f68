"""A model with the average of its weights (`training.use_ema`): a copy, because the training goes on with the weights themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from workers.device.contract import State
from workers.device.steps import AVERAGE

if TYPE_CHECKING:
    import keras

Model = TypeVar("Model", bound="keras.Model")


def put_averages(model: Model, state: State) -> Model:
    """A copy of a model with the averages of what it learns; what it does not learn stays.

    Args:
        model: as it is trained.
        state: of the training, as `workers.device.contract.Slots.read` gives it.
    """
    copied: Model = type(model).from_config(model.get_config())
    copied.set_weights(model.get_weights())
    by_variable = dict(zip(map(id, model.variables), copied.variables, strict=True))
    for place, weight in enumerate(model.trainable_variables):
        by_variable[id(weight)].assign(state[f"{AVERAGE}_{place}"])
    return copied
