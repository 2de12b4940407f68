"""How fast images are imported, and in how much memory, against only reading and hashing their files.

    python -m bench.import_rate [100000] [--size 64] [--suffix png]

Draws small pictures of noise, reads and hashes all of them, and imports them; each way in a process of its own, twice, in
turns, so that both find the files where the other left them. The import also decodes every picture, reads the table, splits, and
writes the dataset folder. It should take at most twice the time.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

GOAL = 2.0
ROUNDS = 2


def main() -> None:
    """Print rates and peaks; leave with 1 where an import takes more than twice as long as reading and hashing."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("images", type=int, nargs="?", default=100_000)
    arguments.add_argument("--size", type=int, default=64, help="height and width in pixels")
    arguments.add_argument("--suffix", default="png", choices=["png", "jpg"])
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        bytes_each = draw(place, chosen.images, chosen.size, chosen.suffix)
        print(
            f"{chosen.images} images of {chosen.size} x {chosen.size} pixels, {bytes_each:.0f} bytes each ({chosen.suffix}), "
            f"load {os.getloadavg()[0]:.1f}"
        )
        taken: dict[str, list[float]] = {"read and hash": [], "import": []}
        peaks = {}
        for number in range(ROUNDS):
            for name, way in (("read and hash", hash_all), ("import", import_all)):
                seconds, peaks[name] = run_apart(way, place, number)
                taken[name].append(seconds)
    for name, times in taken.items():
        print(
            f"{name:<14} {min(times):8.2f} s {chosen.images / min(times):9.0f} images/s   peak {peaks[name] / 1e6:6.0f} MB"
        )
    ratio = min(taken["import"]) / min(taken["read and hash"])
    print(f"an import takes {ratio:.2f} times as long; at most {GOAL:g}")
    sys.exit(ratio > GOAL)


def draw(folder: Path, count: int, size: int, suffix: str) -> float:
    """Write pictures in folders of a thousand and their table; return the mean size of a file in bytes."""
    generator = np.random.default_rng(0)
    rows = ["filename,patient_id,fx"]
    written = 0
    for number in range(count):
        name = f"{number // 1000:04d}/{number:07d}.{suffix}"
        path = folder / "images" / name
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        content = io.BytesIO()
        pixels = generator.integers(0, 256, (size, size), dtype=np.uint8)
        Image.fromarray(pixels).save(content, format="PNG" if suffix == "png" else "JPEG")
        written += path.write_bytes(content.getvalue())
        rows.append(f"{name},p{number // 2},{number % 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return written / count


def hash_all(folder: Path, number: int) -> None:
    """Read and hash every image, with as many threads as an import has."""
    paths = [path for path in (folder / "images").rglob("*") if path.is_file()]
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 2) as pool:
        for _ in pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), paths):
            pass


def import_all(folder: Path, number: int) -> None:
    """Import the images."""
    from orchestrator.importing.choices import Choices
    from orchestrator.importing.imports import import_dataset

    choices = Choices(group_columns=("patient_id",))
    import_dataset(
        folder / "images", folder / "labels.csv", folder / f"data-{number}", choices, cache=folder / "cache"
    )


def run_apart(way: Callable[[Path, int], None], folder: Path, number: int) -> tuple[float, int]:
    """Seconds and peak of resident memory in bytes of one way, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (way, folder, number))


def measure(way: Callable[[Path, int], None], folder: Path, number: int) -> tuple[float, int]:
    """Run a way in this process."""
    # What is imported once for any number of images is no part of a rate.
    import sklearn.model_selection  # noqa: F401

    begun = time.perf_counter()
    way(folder, number)
    return time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
