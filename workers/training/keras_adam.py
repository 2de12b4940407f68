"""Adam's step to the last bits of Keras's own, where the fused kernels round beta in another place.

Keras multiplies by float32(1 - beta), the kernels by 1 - float32(beta). For beta_2 = .999 the two are 1.3e-5 apart, hence each
step 6.4e-6 too long: nothing by itself, but so the weights are one unit in the last place away from Keras's after the first
step, all in the same direction, and sooner or later a ReLU falls on the other side of its kink.
"""

from __future__ import annotations

import numpy as np

from workers.device.contract import Settings


def round_as_keras(settings: Settings) -> Settings:
    """Make up for the rounding of beta with the learning rate and epsilon; other optimizers keep their settings.

    With v' = s v and m' = f m of the kernel, lr m / (sqrt(v) + epsilon) is
    (lr sqrt(s) / f) m' / (sqrt(v') + sqrt(s) epsilon).

    Args:
        settings: `optimizer` and `workers.device.backend.SETTINGS`.
    """
    if settings["optimizer"] not in ("adam", "adamw"):
        return dict(settings)
    first, second = _compare(settings["beta_1"]), _compare(settings["beta_2"])
    if not first or not second:
        return dict(settings)
    root = float(np.sqrt(second))
    return {
        **settings,
        "learning_rate": settings["learning_rate"] * root / first,
        "epsilon": settings["epsilon"] * root,
        # The decoupled decay is learning rate times decay, and is to stay what it was.
        "weight_decay": settings["weight_decay"] * first / root,
    }


def _compare(beta: float) -> float:
    """The kernels' 1 - beta over Keras's; 0 for a beta that float32 takes for 1."""
    return float(np.float32(1) - np.float32(beta)) / float(np.float32(1 - beta))
