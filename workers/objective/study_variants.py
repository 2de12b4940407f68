"""The variants of a study that its trials need: prepared before the first trial, built as they are asked for, kept within a limit."""

from __future__ import annotations

import gc
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.spec import is_known, list_variants, name_variant
from workers.cross_validation.fold import Fold
from workers.device.contract import Parameters, Settings
from workers.inputs.kept_inputs import KeptInputs, Source
from workers.objective.memory import BYTES_PER_WEIGHT, choose_schedule, count_weights
from workers.objective.study_data import Split, StudyData
from workers.training.results import EpochResult

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec
    from workers.cross_validation.cross_validate import Schedule

KEPT_BYTES = 1024**3
"""What the models of variants that are not in use may take; those that were used longest ago are built again. Decides no value."""

KEPT_MODELS = 32
"""So many variants are kept built at most: what Keras has around a small head is larger than its weights. Decides no value."""

USUAL_FEATURES = 2048

Report = Callable[..., None]
OnOpen = Callable[["StudySpec", Source], None]


class StudyVariants:
    """Every variant of a study.

    Args:
        spec: of the study.
        dataset: the development images.
        labels: float32, shape (n, targets), NaN where not assessed.
        targets: their names.
        folds: training and validation images of each fold, by its number.
        cache: where features and decoded images are kept.
        report: told of the progress of an extraction.
        points: the parameters of the study's trials, as far as they are known: what they need is prepared at once.
        on_open: told each variant whose inputs were opened, and the inputs.
        shares: float32, shape (n, targets): soft labels; None where the data set has none.

    Attributes:
        schedule: how the folds of every trial are trained: one after the other where the models of one variant need that, since
            trials are compared step by step.

    Raises:
        As `workers.objective.study_data.StudyData`; what `on_open` raises.
    """

    def __init__(
        self,
        spec: StudySpec,
        dataset: Dataset,
        labels: np.ndarray,
        targets: Sequence[str],
        folds: Mapping[int, Split],
        cache: Path,
        report: Report | None = None,
        *,
        points: Sequence[Parameters | None] = (),
        on_open: OnOpen | None = None,
        shares: np.ndarray | None = None,
    ) -> None:
        self._spec, self._labels, self._targets, self._folds = spec, labels, targets, folds
        self._on_open = on_open
        self._opened: set[str] = set()
        self._kept = KeptInputs(dataset, labels, cache, report, shares=shares)
        self._built: OrderedDict[tuple[str, int], StudyData] = OrderedDict()
        self._lent: set[tuple[str, int]] = set()
        self._guard = threading.RLock()
        self.schedule: Schedule = "sequential" if spec.cv.schedule == "sequential" else "lockstep"
        variants = [variant.spec for variant in list_variants(spec, points)]
        self.train_heads_only = all(variant.uses_features for variant in [spec, *variants])
        if len(variants) == 1:
            self.schedule = self._build(variants[0], None, 0).schedule
        elif self._schedules(variants) != {"lockstep"}:
            self.schedule = "sequential"

    def of(self, params: Settings) -> StudyData:
        """What a trial learns from, and its trainers.

        Args:
            params: what is searched, by name; other names are not looked at.

        Raises:
            As `workers.objective.study_data.StudyData`; what `on_open` raises.
        """
        return self._find(self._variant(params), 0)

    @contextmanager
    def lent(self, params: Settings) -> Iterator[StudyData]:
        """As `of`, for one of several threads: meanwhile no other one is lent the same trainers.

        Raises:
            As `of`.
        """
        variant = self._variant(params)
        with self._guard:
            name = name_variant(variant)
            number = next(number for number in itertools.count() if (name, number) not in self._lent)
            data = self._find(variant, number)
            self._lent.add((name, number))
        try:
            yield data
        finally:
            with self._guard:
                self._lent.discard((name, number))

    def start_fold(
        self, hyperparameters: Settings, point: int, fold: int, *, at_most: int | None = None
    ) -> Fold[EpochResult]:
        """As `StudyData.start_fold` of the variant that these hyperparameters ask for."""
        return self.of(hyperparameters).start_fold(hyperparameters, point, fold, at_most=at_most)

    def _variant(self, params: Settings) -> StudySpec:
        searched = {name: params[name] for name in self._spec.search if name in params and is_known(name)}
        return self._spec.variant(searched)

    def _find(self, variant: StudySpec, number: int) -> StudyData:
        """What a variant learns from; trials that are trained at the same time have numbers of their own."""
        with self._guard:
            key = name_variant(variant), number
            if key in self._built:
                self._built.move_to_end(key)
                return self._built[key]
            return self._build(variant, self.schedule, number)

    def _build(self, variant: StudySpec, schedule: Schedule | None, number: int) -> StudyData:
        self._make_room(variant)
        built = StudyData(variant, self._kept, self._labels, self._targets, self._folds, schedule)
        self._note_opened(variant, built.source)
        self._built[name_variant(variant), number] = built
        return built

    def _note_opened(self, variant: StudySpec, source: Source) -> None:
        if self._on_open is not None and source.digest not in self._opened:
            self._on_open(variant, source)
        self._opened.add(source.digest)

    def _make_room(self, variant: StudySpec) -> None:
        """Let models go: of networks on images there is one at a time, of heads what the limit holds."""
        sizes = {
            key: data.trained_weights * BYTES_PER_WEIGHT * len(self._folds)
            for key, data in self._built.items()
        }
        leaving = [
            key for key, data in self._built.items() if data.trains_images and not variant.uses_features
        ]
        total = sum(size for key, size in sizes.items() if key not in leaving)
        for key, size in sizes.items():
            if key in leaving or key in self._lent:
                continue
            if total > KEPT_BYTES or len(sizes) - len(leaving) >= KEPT_MODELS:
                leaving.append(key)
                total -= size
        for key in leaving:
            del self._built[key]
        if leaving:
            gc.collect()

    def _schedules(self, variants: Sequence[StudySpec]) -> set[Schedule]:
        """Open what every variant learns from, and say how the folds of each can be trained."""
        found: set[Schedule] = set()
        bodies: dict[str, StudySpec] = {}
        target_count = self._labels.shape[1]
        for variant in variants:
            if variant.uses_features:
                source, features = self._kept.features(variant)
                self._note_opened(variant, source)
                found.add(choose_schedule(variant, features.feature_count, target_count))
                continue
            # The heads of one network differ by so little that the widest stands for them; a network takes seconds to build.
            body = name_variant(variant.without_head())
            if body not in bodies or _width(variant) > _width(bodies[body]):
                bodies[body] = variant
        for variant in bodies.values():
            found.add(self._build(variant, None, 0).schedule)
        self._built.clear()
        return found


def _width(variant: StudySpec) -> int:
    return count_weights(variant, USUAL_FEATURES, 1)
