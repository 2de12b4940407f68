"""How a model file says that it takes the mean of the training images off pooled features."""

from __future__ import annotations

CENTRING = "centring_"
"""How the names of the layers begin that do so."""
