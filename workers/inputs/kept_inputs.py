"""The feature sets and decoded images of a study: opened once, and on the device as needed, within a limit."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from storage.files.features import Features
from storage.files.pixels import Pixels
from storage.spec import name_inputs
from workers.inputs.extraction import ensure_features
from workers.inputs.feature_set import FeatureSet
from workers.inputs.pixels import ensure_pixels

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec

log = logging.getLogger(__name__)

RESIDENT_BYTES = 4 * 1024**3
"""What the features of one study may take on the device: the sets that were used longest ago leave it first. Decides no value."""

Report = Callable[..., None]


class Source(Protocol):
    """What is kept of all images, and how two machines compare it."""

    @property
    def digest(self) -> str:
        """Names what it depends on."""
        ...

    def sample(self) -> list[float]:
        """A few numbers from fixed places."""
        ...


class KeptInputs:
    """What the trials of a study learn from, by the variant of its spec that asks for it.

    Args:
        dataset: the development images.
        labels: float32, shape (n, targets), NaN where not assessed.
        cache: where features and decoded images are kept.
        report: told of the progress of an extraction.
        limit: bytes of features on the device; the set in use stays there, whatever its size.
        shares: float32, shape (n, targets): soft labels; None where the data set has none.
    """

    def __init__(
        self,
        dataset: Dataset,
        labels: NDArray[np.float32],
        cache: Path,
        report: Report | None = None,
        *,
        limit: int = RESIDENT_BYTES,
        shares: NDArray[np.float32] | None = None,
    ) -> None:
        self.shares = shares
        self._dataset, self._labels, self._cache, self._report = dataset, labels, cache, report
        self._limit = limit
        self._sets: OrderedDict[str, tuple[Features, FeatureSet]] = OrderedDict()
        self._pixels: dict[str, Pixels] = {}
        self._guard = threading.Lock()

    def features(self, spec: StudySpec) -> tuple[Features, FeatureSet]:
        """The features of a variant; extracted where they are not in the cache.

        Raises:
            As `workers.inputs.extraction.ensure_features`.
        """
        key = name_inputs(spec)
        if key not in self._sets:
            stored = ensure_features(spec, self._dataset, self._cache, report=self._report)
            made = FeatureSet(stored.values, self._labels, spec.views, self.shares)
            with self._guard:
                self._sets[key] = stored, made
        return self._sets[key]

    def pixels(self, spec: StudySpec) -> Pixels:
        """The decoded images of a variant.

        Raises:
            As `workers.inputs.pixels.ensure_pixels`.
        """
        key = name_inputs(spec)
        if key not in self._pixels:
            self._pixels[key] = ensure_pixels(
                self._dataset,
                spec.model.image_size,
                self._cache,
                resize=spec.model.resize,
                report=self._report,
            )
        return self._pixels[key]

    def make_room(self, spec: StudySpec) -> None:
        """Before a trial on features: let sets that were used longest ago leave the device, until this one fits in beside the rest."""
        key = name_inputs(spec)
        with self._guard:
            self._sets.move_to_end(key)
            _, wanted = self._sets[key]
            needed = max(wanted.resident_bytes, wanted.size_in("float32"))
            others = [kept for other, (_, kept) in self._sets.items() if other != key and kept.resident_bytes]
            for kept in others:
                if needed + sum(other.resident_bytes for other in others) <= self._limit:
                    return
                kept.leave()
                log.debug("Features left the device to make room for others.")
