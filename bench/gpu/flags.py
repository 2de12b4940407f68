"""The stage that says what an epoch takes with other flags of XLA: those that orch might set, and none has been measured with."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

from bench.gpu.folds import NORMAL, SMALL, Sizes, StackedFolds, made_up, start
from bench.gpu.speed import median_seconds, start_device
from bench.on_a_gpu import Found, Place

BATCHES = (16, 24)
"""Small ones: there a step is short, and what starts it counts."""
AS_THEY_ARE = "as orch sets them"
WAYS = {
    AS_THEY_ARE: "",
    "the loop as one CUDA graph": "--xla_gpu_enable_command_buffer=+WHILE",
    "gradients as products": "",
    "products by cuBLAS": "--xla_gpu_enable_triton_gemm=false",
    "kernels tried out": "--xla_gpu_deterministic_ops=false --xla_gpu_exclude_nondeterministic_ops=true",
}
PRODUCTS = "gradients as products"


def run_flags(place: Place, found: Found) -> None:
    """Epochs of stacked folds and of folds one by one, in a process of its own for each set of flags."""
    ways = list(WAYS)[: 1 if place.rehearse else None]
    for name in ways:
        flags = f"{os.environ.get('XLA_FLAGS', '')} {WAYS[name]}".strip()
        ran = subprocess.run(
            [sys.executable, "-m", "bench.gpu.flags", name, *["--small"] * place.rehearse],
            env={**os.environ, "XLA_FLAGS": flags},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = ran.stdout.strip().splitlines()
        found[name] = json.loads(lines[-1]) if not ran.returncode and lines else {"failed": ran.stderr[-500:]}
    same = {name: found[name].get("bits") == found[AS_THEY_ARE].get("bits") for name in ways[1:]}
    found["the same bits as orch's own flags"] = same


def main() -> None:
    """Print what one set of flags gives, as JSON."""
    name, sizes = sys.argv[1], SMALL if "--small" in sys.argv else NORMAL
    start_device()
    if name == PRODUCTS:
        from workers.backends.jax import epoch

        epoch.FEW_ROWS = 0
    print(json.dumps(measure(sizes)))


def measure(sizes: Sizes) -> dict[str, Any]:
    """Milliseconds per fold of an epoch, and what identifies the predictions after it."""
    features, labels = made_up(sizes)
    found: dict[str, Any] = {}
    bits = hashlib.sha256()
    for batch in BATCHES[: 1 if sizes is SMALL else None]:
        folds = StackedFolds(start(features, labels, sizes, batch, "float32"))
        folds.run()
        for fold in folds.trainers:
            bits.update(fold.predict_validation().tobytes())
        for way, epoch in (
            ("stacked", folds.run),
            ("stacked, without scores", folds.train),
            ("alone", folds.run_alone),
        ):
            found[f"{batch}, {way}, ms per fold"] = 1e3 * median_seconds(epoch, sizes.rounds) / sizes.folds
    return {**found, "bits": bits.hexdigest()[:16]}


if __name__ == "__main__":
    main()
