"""Long simulations in pieces: each row is kept in a file, and the next call of the same command goes on there."""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def collect(simulate: Callable[[int], Any], *, studies: int) -> list[Any]:
    """The rows of all studies that the command line asks for: [studies] [--keep FILE] [--minutes M].

    Where the time ends before, it says so and ends the process.

    Args:
        simulate: makes the row of a study from its number, the same one each time.
        studies: how many, unless the command line says so.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("studies", type=int, nargs="?", default=studies)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf)
    asked = parser.parse_args()
    keep = asked.keep
    rows = [json.loads(line) for line in keep.read_text().splitlines()] if keep and keep.exists() else []
    end = time.monotonic() + 60 * asked.minutes
    for number in range(len(rows), asked.studies):
        if time.monotonic() > end:
            break
        rows.append(simulate(number))
        if keep:
            with keep.open("a") as file:
                file.write(json.dumps(rows[-1], default=float) + "\n")
    if len(rows) < asked.studies:
        print(f"{len(rows)} of {asked.studies} studies are done; the same command goes on.")
        sys.exit(0)
    return rows[: asked.studies]
