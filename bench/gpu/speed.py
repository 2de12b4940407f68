"""Stages that measure how fast the parts of a study are, beside what the device can do."""

from __future__ import annotations

import cProfile
import itertools
import os
import pstats
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np

from bench.gpu.desk import backbone_of, text_of
from bench.gpu.folds import NORMAL, SMALL, StackedFolds, made_up, start
from bench.on_a_gpu import Found, Place


def run_facts(place: Place, found: Found) -> None:
    """What is computed on, and its two ceilings: bytes and operations per second."""
    device = start_device()
    import jax
    import jax.numpy as jnp

    question = "name,driver_version,memory.total,compute_mode,mig.mode.current,clocks.max.sm,pci.bus_id"
    found["nvidia-smi"] = text_of("nvidia-smi", f"--query-gpu={question}", "--format=csv,noheader")
    found["list"] = text_of("nvidia-smi", "--list-gpus")
    found["device"] = device
    found["XLA_FLAGS"] = os.environ.get("XLA_FLAGS")
    found["python"], found["cores"] = sys.version.split()[0], os.cpu_count()
    side, count = (512, 2**20) if place.rehearse else (8192, 2**30)
    for name, kind, precision in (
        ("float32 by default", "float32", None), ("float32 highest", "float32", "highest"), ("bfloat16", "bfloat16", None),
    ):  # fmt: skip
        matrix = jax.random.normal(jax.random.key(0), (side, side), kind)
        multiply = jax.jit(lambda x, p=precision: jnp.matmul(x, x, precision=p))
        seconds = median_seconds(lambda m=multiply, x=matrix: m(x))
        found[f"TFLOP/s, {name}"] = 2 * side**3 / seconds / 1e12
    vector = jnp.ones((count // 4,), jnp.float32)
    copy = jax.jit(lambda x: x * 1.0000001)
    found["GB/s read and written"] = 2 * count / median_seconds(lambda: copy(vector)) / 1e9
    # How far float32 products are from float64: about 3e-4 is TF32, below 1e-6 is float32.
    matrix = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
    exact = matrix.astype(np.float64) @ matrix.astype(np.float64)
    for precision in (None, "highest"):
        product = np.asarray(jnp.matmul(matrix, matrix, precision=precision))
        found[f"relative error of a float32 product, {precision or 'default'}"] = float(
            np.abs(product - exact).max() / np.abs(exact).max()
        )
    add = jax.jit(lambda x: x + 1)
    found["ms of the smallest call, waited for"] = 1e3 * median_seconds(lambda: add(np.float32(1)), 100)
    lying = jnp.float32(1)
    found["ms of the same on what lies on the device"] = 1e3 * median_seconds(lambda: add(lying), 100)
    found["ms to read one number"] = 1e3 * median_seconds(lambda: np.asarray(add(lying)), 100)


def run_epoch(place: Place, found: Found) -> None:
    """Seconds per fold-epoch by way and batch size, of the first epoch, and where the time of a stacked one goes."""
    start_device()
    sizes = SMALL if place.rehearse else NORMAL
    features, labels = made_up(sizes)
    cases = [("float32", batch, True) for batch in sizes.batches]
    cases += [(name, sizes.batches[1], False) for name in known_precisions() if name != "float32"]
    for precision, batch, is_alone_too in cases:
        rows: dict[str, Any] = {}
        trainers = start(features, labels, sizes, batch, precision)
        stacked = StackedFolds(trainers)
        for way, epoch in (("stacked", stacked.run), ("alone", stacked.run_alone))[: 1 + is_alone_too]:
            began = time.perf_counter()
            epoch()
            rows[f"{way}, first epoch, s"] = time.perf_counter() - began
            rows[f"{way}, ms per fold"] = 1e3 * median_seconds(epoch, sizes.rounds) / len(trainers)
            found[f"{batch} {precision}"] = rows
        rows["training and validation only, ms per fold"] = (
            1e3 * median_seconds(stacked.train, sizes.rounds) / len(trainers)
        )
        found[f"{batch} {precision}"] = rows
        if precision == "float32" and batch == sizes.batches[1]:
            stacked.run()
            found["where the time of 5 stacked epochs goes: the device"] = device_time(stacked.run)
            found["where the time of 5 stacked epochs goes: the host"] = host_time(stacked.run)
    for batch in sizes.batches:
        found[f"{batch} fit, ms per fold"] = 1e3 * fit_seconds(features, labels, batch, sizes.folds)


def run_extraction(place: Place, found: Found) -> None:
    """Views per second as a study extracts them, and of the forward pass on what lies on the device."""
    start_device()
    import jax
    import jax.numpy as jnp

    from bench.extraction import draw_files, extract_files
    from storage.spec import ModelSection, StudySection, StudySpec
    from workers.inputs.extraction import build_extractor

    size, images = ((75, 75), 16) if place.rehearse else ((299, 299), 600)
    with tempfile.TemporaryDirectory() as name:
        files = draw_files(Path(name), images, size[0])
        for precision in known_precisions():
            model = ModelSection(
                backbone=backbone_of(place), weights="none", image_size=size, extraction_precision=precision
            )
            spec = StudySpec(study=StudySection(name="bench"), model=model)
            began = time.perf_counter()
            rate = extract_files(spec, files, Path(name) / precision)
            found[f"{precision}, extract, views/s"] = rate
            found[f"{precision}, extract, start included, s"] = time.perf_counter() - began
        for precision in () if place.rehearse else ("bfloat16",):
            model = ModelSection(
                backbone=backbone_of(place), weights="none", image_size=size, extraction_precision=precision
            )
            backbone = build_extractor(model)
            for batch in (32, 256):
                resident = jnp.asarray(np.random.default_rng(0).random((batch, *size, 3), dtype=np.float32))
                forward = jax.jit(lambda x, b=backbone: b(x, training=False))
                seconds = median_seconds(lambda f=forward, x=resident: f(x), 5)
                found[f"{precision} by default, forward of {batch} on the device, views/s"] = batch / seconds


def start_device() -> dict[str, Any]:
    """Start the backend on all processors; what it computes on."""
    from workers.device import preparation

    preparation.prepare(min(16, os.cpu_count() or 1))
    return preparation.describe()


def known_precisions() -> list[str]:
    """The precisions that a study may name."""
    from storage.spec import TrainingSection

    return list(get_args(TrainingSection.model_fields["precision"].annotation))


def median_seconds(call: Callable[[], Any], times: int = 7) -> float:
    """Median seconds of a call whose result is waited for; the first one, which may compile, does not count."""
    import jax

    jax.block_until_ready(call())
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def fit_seconds(features: Any, labels: Any, batch: int, folds: int) -> float:
    """The second epoch of a `fit` with a streaming AUC."""
    import keras

    from bench.fold_epoch import make_spec
    from workers.models.head import build_head

    model = build_head(make_spec(batch), features.shape[-1], labels.shape[1])
    model.compile(
        keras.optimizers.Adam(), "binary_crossentropy", metrics=[keras.metrics.AUC(multi_label=True)]
    )
    cut, ends = len(features) // folds, []
    mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    model.fit(
        features[cut:, 0], labels[cut:], validation_data=(features[:cut, 0], labels[:cut]),
        batch_size=batch, epochs=3, verbose=0, callbacks=[mark],
    )  # fmt: skip
    return float(ends[2] - ends[1])


def host_time(call: Callable[[], Any], times: int = 5, rows: int = 14) -> dict[str, Any]:
    """Milliseconds of the host in so many calls, by function, the largest first."""
    profile = cProfile.Profile()
    began = time.perf_counter()
    profile.enable()
    for _ in range(times):
        call()
    profile.disable()
    wall = time.perf_counter() - began
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    largest = sorted(stats.items(), key=lambda item: -item[1][2])[:rows]
    named = {
        f"{Path(file).name}:{line} {name}": f"{1e3 * own:.1f} ms, {calls} calls"
        for (file, line, name), (_, calls, own, *_) in largest
    }
    return {"wall ms": 1e3 * wall, **named}


def device_time(call: Callable[[], Any], times: int = 5, rows: int = 14) -> dict[str, Any]:
    """Milliseconds in which kernels ran in so many calls, by kernel, and how many there were; why not, where that fails."""
    import jax

    try:
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder):
                began = time.perf_counter()
                for _ in range(times):
                    call()
                wall = time.perf_counter() - began
            file = next(Path(folder).rglob("*.xplane.pb"))
            planes = list(jax.profiler.ProfileData.from_file(str(file)).planes)
            kernels: Counter[str] = Counter()
            counts: Counter[str] = Counter()
            for event in itertools.chain.from_iterable(
                line.events for plane in planes if "GPU" in plane.name for line in plane.lines if "Stream" in line.name
            ):  # fmt: skip
                kernels[event.name] += event.duration_ns
                counts[event.name] += 1
    except Exception as error:
        return {"not measured": f"{type(error).__name__}: {error}"}
    largest = {
        name[:80]: f"{spent / 1e6:.2f} ms, {counts[name]} times" for name, spent in kernels.most_common(rows)
    }
    busy = {"wall ms": 1e3 * wall, "kernel ms": sum(kernels.values()) / 1e6, "kernels": sum(counts.values())}
    return {**busy, **largest}
