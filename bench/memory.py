"""Peak memory of a worker against what it must hold.

    python -m bench.memory [--images 2490] [--folds 6]

A process of its own opens a study, loads the features and trains a trial in lockstep over the folds. Its peak of
resident memory must stay below the features and 1.5 GB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.peer_study import PeerStudy, make_study

GOAL_BYTES = 1.5e9


def main() -> None:
    """Print the peak; leave with 1 when it is too high."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, default=2490)
    arguments.add_argument("--targets", type=int, default=18)
    arguments.add_argument("--folds", type=int, default=6)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(
            Path(folder),
            images=chosen.images,
            targets=chosen.targets,
            trials=1,
            folds=chosen.folds,
            epochs=2,
            threads=2,
        )
        features = study.features.nbytes
        # The worker reads the features from disk, as always; it must not get them from here.
        alone = PeerStudy(**{**vars(study), "features": np.empty(0, np.float32)})
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak = pool.apply(train_and_measure, (alone,))
    print(f"features          {features / 1e9:.3f} GB")
    print(f"peak of a worker  {peak / 1e9:.3f} GB, {chosen.folds} folds side by side")
    print(f"beside features   {(peak - features) / 1e9:.3f} GB; at most {GOAL_BYTES / 1e9:.1f} GB")
    sys.exit(int(peak - features > GOAL_BYTES))


def train_and_measure(study: PeerStudy) -> int:
    """Run the study; return the peak of this process in bytes."""
    from bench.peer_ways import run_orch

    run_orch(study)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
