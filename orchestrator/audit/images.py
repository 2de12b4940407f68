"""Findings that need the image files: copies across groups and sides, and what a file tells by its form."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.audit.copies.apart import compare_apart, look_at, make_comparer
from orchestrator.audit.copies.near_duplicates import Duplicate, Stage, find_duplicates
from orchestrator.audit.copies.sketches import Sketch
from orchestrator.audit.findings import Finding
from orchestrator.audit.kept import COLUMNS, ImageFacts, keep_facts, name_facts, read_facts
from storage.data.images import scale_of
from storage.holdout.sealed import find_unsealed, sketch_sealed
from storage.own_processes import Helpers, count_helpers
from storage.wording import name_few, say_command, say_count

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database


def look_at_images(dataset: Dataset, cache: Path, report: Stage | None = None) -> ImageFacts:
    """Open every image once, or none where the cache has what an earlier audit saw in them.

    Of the sealed ones only the picture is read, never a label. `report` is called with (what is done, how much of it, out of
    how much).

    Raises:
        DataError: an image moved, changed, or cannot be read.
    """
    dataset.check_images()
    scale = scale_of(dataset)
    stamps = sketch_sealed(dataset, _stamp)
    # The fingerprint tells images and groups, but not which of the sealed files are here and unchanged.
    path = name_facts(cache, dataset.fingerprint, scale.to_document(), stamps)
    count = len(dataset.files)
    kept = read_facts(path, count, len(stamps))
    if kept is not None:
        return kept
    files = [*dataset.files, *sketch_sealed(dataset, lambda path: path)]
    seen = []
    for one in look_at(files, scale, helpers=count_helpers(len(files))):
        seen.append(one)
        if report:
            report("looking at images", len(seen), len(files))
    sketches = [one for one, _, _ in seen]
    del seen[count:]
    forms = list(zip(*(form for _, _, form in seen), strict=True))
    facts = ImageFacts(
        {name: list(cells) for name, cells in zip(COLUMNS, forms, strict=True)},
        np.stack([numbers for _, numbers, _ in seen]),
        _find_pairs(dataset, files, sketches, report),
    )
    if len(files) == count + len(stamps) and sketch_sealed(dataset, _stamp) == stamps:
        keep_facts(path, facts)
    return facts


def _stamp(path: Path) -> list[str | int]:
    status = path.stat()
    return [path.name, status.st_size, status.st_mtime_ns]


def _find_pairs(
    dataset: Dataset, files: list[Path], sketches: list[Sketch], report: Stage | None
) -> list[Duplicate]:
    """Pictures that are one, in different groups or on different sides; the files of the development come first."""
    count = len(dataset.files)
    groups = np.concatenate([dataset.groups, np.full(len(files) - count, -1)])

    def crosses(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray((groups[first] != groups[second]) & (first < count))

    rule = scale_of(dataset).to_document()
    with Helpers(make_comparer, rule, count=count_helpers(len(files))) as helpers:
        return find_duplicates(sketches, crosses, partial(compare_apart, helpers, sketches, files), report)


def find_copies(dataset: Dataset, facts: ImageFacts) -> list[Finding]:
    """Near-duplicates in different groups, and between development and hold-out; those that are not certain as warnings."""
    count, pairs = len(dataset.files), facts.pairs
    found = []
    for certain in (True, False):
        within = [pair for pair in pairs if pair.second < count and pair.certain == certain]
        across = [pair for pair in pairs if pair.second >= count and pair.certain == certain]
        found += [_report_pairs(dataset, within, certain)] if within else []
        found += [_report_sealed(dataset, across, certain)] if across else []
    return found


def _report_pairs(dataset: Dataset, pairs: list[Duplicate], certain: bool) -> Finding:
    named = [
        f"{dataset.files[pair.first].name} = {dataset.files[pair.second].name} ({pair.change}, correlation "
        f"{pair.correlation:.2f})"
        for pair in pairs
    ]
    details = {"pairs": [[dataset.sha256[p.first], dataset.sha256[p.second], p.correlation] for p in pairs]}
    if certain:
        return Finding(
            "near-duplicates",
            "error",
            f"{say_count(len(pairs), 'pair')} of images in different groups {'is' if len(pairs) == 1 else 'are'} the same "
            f"picture: {name_few(named)}.",
            "Remove the copies, or give both the same group; otherwise one may be in training and the other in validation. "
            "`orch data audit --html audit.html` shows them side by side.",
            details,
        )
    return Finding(
        "possible-duplicates",
        "warning",
        f"{say_count(len(pairs), 'pair')} of images in different groups may be the same picture: {name_few(named)}.",
        "Look at both: `orch data audit --html audit.html` shows them side by side. Give copies the same group, or remove them.",
        details,
    )


def _report_sealed(dataset: Dataset, pairs: list[Duplicate], certain: bool) -> Finding:
    places = sorted({pair.first for pair in pairs})
    named = name_few([dataset.files[place].name for place in places])
    details = {"images": [dataset.sha256[place] for place in places]}
    if certain:
        return Finding(
            "holdout-near-duplicates",
            "error",
            f"{say_count(len(places), 'development image is a picture', 'development images are pictures')} of the sealed "
            f"hold-out: {named}.",
            "Remove the copies and import again: the hold-out cannot judge a model that has seen them.",
            details,
        )
    return Finding(
        "possible-holdout-duplicates",
        "warning",
        f"{say_count(len(places), 'development image')} may be pictures of the sealed hold-out: {named}.",
        "Compare them with the images of the hold-out's patients before it is opened.",
        details,
    )


def find_range_differences(dataset: Dataset, facts: ImageFacts) -> list[Finding]:
    """Images of one set whose values use different numbers of bits, or become grey values by different rules."""
    pixels = dataset.summary.get("pixels") or {}
    bits, rules = pixels.get("bits", {}), pixels.get("rules", {})
    depths = [int(depth) for depth in pixels.get("scale", {}).get("depths", ())]
    used = {depth: count for depth, count in bits.items() if int(depth) == 8 or int(depth) in depths}
    said = []
    if len(used) > 1 and "bits used" in rules:
        said.append(", ".join(f"{depth} bits ({say_count(count, 'image')})" for depth, count in used.items()))
    if len({"window", "table", "own range"} & set(rules)) > 1:
        said.append(", ".join(f"by {rule} ({say_count(count, 'image')})" for rule, count in rules.items()))
    if not said:
        return []
    modes = Counter(facts.columns["mode"])
    return [
        Finding(
            "pixel-ranges",
            "warning",
            f"Images of this data set differ in how their values become grey values: {'; '.join(said)}.",
            "Check whether the device or the export correlates with the label: a model may learn it instead of the finding.",
            {"bits": bits, "rules": rules, "modes": dict(modes)},
        )
    ]


def find_sealed_elsewhere(dataset: Dataset, cache: Path, database: Database | None) -> list[Finding]:
    """Development images that are sealed in a hold-out known to this machine or to the database."""
    known = find_unsealed(dataset.sha256, cache=cache, database=database, besides=dataset.fingerprint)
    if not known:
        return []
    images = len(set().union(*known.values()))
    return [
        Finding(
            "holdout-in-training",
            "error",
            f"{images} of {len(dataset.sha256)} development images are sealed in the hold-out of "
            f"{'another data set' if len(known) == 1 else f'{len(known)} other data sets'}: "
            f"{name_few([name[:19] + '..' for name in known])}.",
            "Train on the data set whose hold-out is sealed; a hold-out that was trained on cannot estimate performance. If "
            f"that import was a mistake and nothing was evaluated on it: {say_command('data', 'forget', next(iter(known)))}",
            {"images": images, "holdouts": {name: len(found) for name, found in known.items()}},
        )
    ]
