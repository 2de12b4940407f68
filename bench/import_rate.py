"""How fast images are imported, and in how much memory, against only reading and hashing their files.

    python -m bench.import_rate [100000] [--size 64] [--suffix png]

Draws small pictures of noise, reads and hashes all of them, and imports them; each way in a process of its own, twice, in
turns, so that both find the files where the other left them. The import also makes sure that every picture is whole, reads the table,
splits, and writes the dataset folder. It should take at most twice the time. Pictures of more than 8 bits (--bits 16) must be decoded
for their range, and have no goal.
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
    arguments.add_argument("--bits", type=int, default=8, choices=[8, 16])
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        bytes_each = draw(place, chosen.images, chosen.size, chosen.suffix, chosen.bits)
        print(
            f"{chosen.images} images of {chosen.size} x {chosen.size} pixels, {bytes_each:.0f} bytes each ({chosen.suffix}), "
            f"load {os.getloadavg()[0]:.1f}"
        )
        taken: dict[str, list[float]] = {"read and hash": [], "import": []}
        computed: dict[str, list[float]] = {"read and hash": [], "import": []}
        peaks = {}
        for number in range(ROUNDS):
            for name, way in (("read and hash", hash_all), ("import", import_all)):
                seconds, busy, peaks[name] = run_apart(way, place, number)
                taken[name].append(seconds)
                computed[name].append(busy)
    for name, times in taken.items():
        print(
            f"{name:<14} {min(times):8.2f} s {chosen.images / min(times):9.0f} images/s   {min(computed[name]):8.2f} s of processor   "
            f"peak {peaks[name] / 1e6:6.0f} MB"
        )
    ratio, work = (min(spent["import"]) / min(spent["read and hash"]) for spent in (taken, computed))
    # On a machine that others use, the second says more; the goal is of the first.
    print(f"an import takes {ratio:.2f} times as long (at most {GOAL:g}), and {work:.2f} times the processor")
    sys.exit(int(chosen.bits == 8 and ratio > GOAL))


def draw(folder: Path, count: int, size: int, suffix: str, bits: int = 8) -> float:
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
        kind = np.uint8 if bits == 8 else np.uint16
        pixels = generator.integers(0, 256 if bits == 8 else 4096, (size, size), dtype=kind)
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


def run_apart(way: Callable[[Path, int], None], folder: Path, number: int) -> tuple[float, float, int]:
    """Seconds, seconds of processor, and peak of resident memory in bytes of one way, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (way, folder, number))


def measure(way: Callable[[Path, int], None], folder: Path, number: int) -> tuple[float, float, int]:
    """Run a way in this process."""
    # What is imported once for any number of images is no part of a rate.
    import sklearn.model_selection  # noqa: F401

    begun, busy = time.perf_counter(), time.process_time()
    way(folder, number)
    seconds, computed = time.perf_counter() - begun, time.process_time() - busy
    return seconds, computed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
