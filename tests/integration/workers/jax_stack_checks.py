"""What `test_jax_backend.py` runs under JAX, too: folds that are trained in one computation."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storage.metrics import epoch as metrics
from storage.metrics.objectives import AUC
from storage.results.ledger import FoldEpoch
from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers.backends.jax import epoch as epoch_room
from workers.backends.jax import scores, stack
from workers.backends.jax.counts import Counts, score_counts
from workers.backends.jax.optimizers import multiply_few_rows
from workers.device import preparation as devices
from workers.inputs.feature_set import FeatureSet
from workers.objective.replay import replay_trial
from workers.training.early_stopping import PatientFold, train_together
from workers.training.fold_trainer import FoldTrainer

IMAGES, FEATURES, TARGETS = 60, 12, 3
COUNT = jax.jit(functools.partial(scores.count_entries, medical=True))
TRAIN_COUNTS = (47, 40, 33)
"""At a batch size of 20: three, two and two steps, the last of 7, 20 and 13 images."""


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1)


def start_folds(batch_size: int = 20, *, is_soft: bool = False, **model: Any) -> list[FoldTrainer]:
    """Folds of one trial at its beginning, with dropout; a fifth of the labels are blank."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(IMAGES, 4, FEATURES)).astype(np.float32)
    labels = (values[:, 0, :TARGETS] + generator.normal(size=(IMAGES, TARGETS)) > 0).astype(np.float32)
    labels[generator.random(labels.shape) < 0.2] = np.nan
    spec = StudySpec(
        study=StudySection(name="x"),
        model=ModelSection(**{"head": (8,), "scale": "none", "dropout_rate": 0.4, **model}),
        training=TrainingSection(batch_size=batch_size, soft_labels=is_soft),
    )
    features = FeatureSet(values, labels, shares=0.6 * labels + 0.2 if is_soft else None)
    folds = []
    for fold, count in enumerate(TRAIN_COUNTS):
        images = np.random.default_rng(fold).permutation(IMAGES)
        trainer = FoldTrainer(spec, FEATURES, TARGETS)
        trainer.reset(features, images[:count], images[count:], {}, (1, 2, fold))
        folds.append(trainer)
    return folds


@pytest.mark.parametrize(
    ("batch_size", "model"),
    [(20, {}), (64, {}), (20, {"is_soft": True}), (20, {"scale": "standardize", "head_normalization": True})],
)
def test_folds_trained_together_learn_what_each_learns_alone(batch_size: int, model: dict[str, Any]) -> None:
    alone, together = start_folds(batch_size, **model), start_folds(batch_size, **model)
    for epoch in (1, 2):
        train_together(together, epoch)
        for one, other in zip(alone, together, strict=True):
            mine, theirs = one.run_epoch(epoch), other.run_epoch(epoch)
            assert (mine.steps, mine.samples) == (theirs.steps, theirs.samples)
            assert theirs.train_loss == pytest.approx(mine.train_loss, abs=1e-5)
            assert theirs.val_loss == pytest.approx(mine.val_loss, abs=1e-5)
            assert theirs.val_auc == pytest.approx(mine.val_auc, abs=1e-6)
    for one, other in zip(alone, together, strict=True):
        assert np.abs(one.predict_validation() - other.predict_validation()).max() < 1e-5
        after, expected = other.state(), one.state()
        assert after.keys() == expected.keys()
        assert after["steps"] == expected["steps"]
        for name in expected:
            assert np.abs(after[name] - expected[name]).max() < 1e-4, name


def test_a_fold_that_has_stopped_stays_as_it_was() -> None:
    folds = start_folds()
    patient = [PatientFold(fold, 1, AUC) for fold in folds]
    patient[0]._best, patient[0]._waited = 2.0, 0
    for epoch in (1, 2):
        before = folds[0].state(), folds[1].state()
        train_together(patient, epoch)
        steps = [fold.run_epoch(epoch).steps for fold in patient]
        after = folds[0].state(), folds[1].state()
        is_same = [
            np.array_equal(old["weight_0"], new["weight_0"]) for old, new in zip(before, after, strict=True)
        ]
        assert is_same == [epoch == 2, False]
        assert (steps[0] == 0) == (epoch == 2)


def test_a_trial_trained_together_is_replayed_to_the_last_bit() -> None:
    folds = start_folds()
    rows = []
    for epoch in (1, 2):
        train_together(folds, epoch)
        rows += [
            FoldEpoch(point=2, fold=number, epoch=epoch, **dataclasses.asdict(fold.run_epoch(epoch)))
            for number, fold in enumerate(folds)
        ]
    fresh = start_folds()
    trained: list[tuple[int, int]] = []

    def train_again(folds: list[Any], epoch: int) -> None:
        trained.append((len(folds), epoch))
        train_together(folds, epoch)

    replay = replay_trial(
        sorted(rows, key=lambda row: (row.fold, row.epoch)),
        {},
        lambda values, point, fold: fresh[fold],
        train_together=train_again,
    )
    assert trained == [(3, 1), (3, 2)], "not fold by fold, whose sums a GPU may round otherwise"
    assert replay.is_identical
    assert (replay.folds, replay.epochs) == (3, 2)


@pytest.mark.parametrize("kind", ["all kinds", "one label", "diverged", "all blank"])
def test_scores_counted_on_the_device_are_those_of_the_definition(kind: str) -> None:
    """Whole numbers to the last bit, sums as far as single precision goes; with ties, blanks and labels of one class."""
    generator = np.random.default_rng(0)
    targets = 1 if kind == "one label" else 5
    labels = (generator.random((90, targets)) < 0.3).astype(np.float32)
    labels[generator.random(labels.shape) < 0.1] = np.nan
    if kind == "all kinds":
        labels[:, 3], labels[:, 4] = 1, np.nan
    if kind == "all blank":
        labels[:] = np.nan
    sizes, places = (60, 50), [generator.permutation(90)[:count] for count in (60, 50)]
    # Steps of a hundredth tie, and tie alike whatever rounds the exponential function; 30 and 40 are both a probability of 1.
    logits = np.round(generator.normal(size=(2, 60, targets)), 2).astype(np.float32)
    logits[:, :2], logits[:, 2:4] = 30, 40
    if kind == "diverged":
        logits[1, 7, 0] = np.nan
    found = np.full((2, 60, targets), np.nan, np.float32)
    for fold, (count, images) in enumerate(zip(sizes, places, strict=True)):
        found[fold, :count] = labels[images]
    counted = jax.device_get(COUNT(found, logits))
    for fold, mine in enumerate(score_counts(Counts(**counted))):
        theirs = metrics.score(labels[places[fold]], logits[fold, : sizes[fold]], medical=True)
        for name in ("auc", "precision", "recall", "f1", "labels_left_out"):
            assert np.array_equal(getattr(mine, name), getattr(theirs, name), equal_nan=True), name
        assert mine.loss == pytest.approx(theirs.loss, rel=1e-6, nan_ok=True)
        assert mine.medical.keys() == theirs.medical.keys()
        for name, value in theirs.medical.items():
            if name in ("pr_auc", "brier", "calibration_error"):
                assert mine.medical[name] == pytest.approx(value, rel=1e-5, nan_ok=True), name
            else:
                assert np.array_equal(mine.medical[name], value, equal_nan=True), name


def test_a_probability_at_an_edge_of_a_bin_belongs_below_it() -> None:
    for edge in np.linspace(0, 1, 11)[1:-1]:
        for value in (np.float32(edge), *np.nextafter(np.float32(edge), np.float32([0, 1]))):
            expected = np.searchsorted(np.linspace(0, 1, 11)[1:-1], np.float64(value), side="left")
            assert int((value > scores.EDGES).sum()) == expected


def test_more_images_than_pairs_can_be_counted_of_are_scored_on_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted, sorted_ = start_folds(), start_folds()
    train_together(counted, 1)
    monkeypatch.setattr(stack, "can_count", lambda *_: False)
    train_together(sorted_, 1)
    for one, other in zip(counted, sorted_, strict=True):
        mine, theirs = one.run_epoch(1), other.run_epoch(1)
        assert (mine.val_auc, mine.train_auc, mine.val_f1) == (
            theirs.val_auc,
            theirs.train_auc,
            theirs.val_f1,
        )
        assert mine.val_loss == pytest.approx(theirs.val_loss, rel=1e-6)


def test_folds_stay_stacked_until_one_of_them_is_asked_for_its_model() -> None:
    folds = start_folds()
    train_together(folds, 1)
    shared = folds[0]._slots.shared
    train_together(folds, 2)
    assert folds[0]._slots.shared == shared
    after = folds[1].state()
    assert folds[0]._slots.shared == shared, "a checkpoint copies"
    kernel = np.asarray(folds[1].model.trainable_variables[0].value)
    assert np.array_equal(kernel, after["weight_0"])
    train_together(folds, 3)
    assert folds[0]._slots.shared != shared
    fresh = start_folds()
    for epoch in (1, 2, 3):
        train_together(fresh, epoch)
    for one, other in zip(folds, fresh, strict=True):
        assert all(np.array_equal(value, other.state()[name]) for name, value in one.state().items())


def test_a_fold_begins_anew_after_others_shared_its_arrays() -> None:
    folds = start_folds()
    train_together(folds, 1)
    first = folds[2].state()
    folds = [*folds[:2], start_folds()[2]]
    train_together(folds, 1)
    assert all(np.array_equal(value, folds[2].state()[name]) for name, value in first.items())


def test_an_epoch_of_folds_is_one_program_per_size() -> None:
    """Ends of unequal folds are trained by the program of full batches; 19 and 20 rows, and 7 to 16, are padded alike."""
    folds = start_folds(20)
    stacked = folds[0].compiled.stacked
    before = stacked._train._cache_size()
    for batch_size in (20, 19, 18):
        for trainer in folds:
            trainer._settings["batch_size"] = batch_size
        train_together(folds, batch_size)
    assert stacked._train._cache_size() - before <= 2


def test_a_step_of_stacked_folds_copies_no_moments() -> None:
    folds = start_folds(head=(40,))
    stacked: Any = folds[0].compiled
    stacked = stacked.stacked
    train, programs = stacked._train, []

    def remember(*arrays: Any, **named: Any) -> Any:
        programs.append(train.lower(*arrays, **named).compile().as_text())
        return train(*arrays, **named)

    stacked._train = remember
    try:
        train_together(folds, 1)
    finally:
        stacked._train = train
    # Of the first kernel nothing is needed any more when its moments are overwritten.
    assert programs
    assert not any(
        f"f32[{len(TRAIN_COUNTS)},{FEATURES},40]{{2,1,0}} copy(%get-tuple" in text for text in programs
    )


def compile_for_gpu(folds: list[FoldTrainer], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let folds be trained by the program of a GPU; return it."""
    monkeypatch.setattr(epoch_room, "stacks_folds", lambda: True)
    compiled = epoch_room.CompiledEpoch(folds[0]._model, standardized=folds[0]._spec.model.standardizes)
    for fold in folds:
        fold._compiled = compiled
    return compiled


@pytest.mark.parametrize("model", [{}, {"scale": "standardize", "head_normalization": True}])
def test_a_small_batch_learns_the_same_where_a_gpu_sums_its_gradients(
    model: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = start_folds(**model), start_folds(**model)
    compile_for_gpu(together, monkeypatch)
    for epoch in (1, 2):
        train_together(together, epoch)
        for one, other in zip(alone, together, strict=True):
            assert other.run_epoch(epoch).train_loss == pytest.approx(
                one.run_epoch(epoch).train_loss, abs=1e-5
            )
    for one, other in zip(alone, together, strict=True):
        expected, found = one.state(), other.state()
        assert all(np.abs(found[name] - value).max() < 1e-4 for name, value in expected.items())


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_gradients_of_few_rows_are_those_of_products(kind: str) -> None:
    generator = np.random.default_rng(0)
    inputs, kernel = (jnp.asarray(generator.normal(size=size), kind) for size in ((7, 12), (12, 5)))

    def learn(multiply: Any) -> Any:
        return jax.grad(lambda *given: jnp.tanh(multiply(*given)).sum(dtype="float32"), (0, 1))(
            inputs, kernel
        )

    for found, expected in zip(learn(multiply_few_rows), learn(jnp.matmul), strict=True):
        assert found.dtype == expected.dtype
        error = np.abs(np.float32(found) - np.float32(expected)).max()
        assert error <= (1e-6 if kind == "float32" else 2e-2)


@pytest.mark.parametrize(("few", "products"), [(24, 4), (10, 5)])
def test_gradients_of_kernels_are_no_products_for_few_rows_on_a_gpu(
    few: int, products: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layers have a product each forwards; backwards one for the inputs of the second, and one for each kernel.

    Without the last two there is one for the inputs of the first layer, too, which nothing asks for and XLA leaves out.
    """
    folds = start_folds()
    monkeypatch.setattr(epoch_room, "FEW_ROWS", few)
    compiled = compile_for_gpu(folds, monkeypatch)
    found, train = {}, compiled.stacked._train

    def remember(*arrays: Any, padded: int) -> Any:
        lowered = train.lower(*arrays, padded=padded)
        found[padded] = lowered.as_text().count("stablehlo.dot_general")
        return train(*arrays, padded=padded)

    compiled.stacked._train = remember
    train_together(folds, 1)
    assert found == {24: products}
