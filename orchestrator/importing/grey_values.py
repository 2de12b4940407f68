"""How the values of image files become grey values of 0 to 255: what is written down of it, and what is doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from storage.data.grey import Scale, choose_scale
from storage.data.images import ImageForm
from storage.wording import say_count

FILES = {
    "8 bits": "8 bits, as they are",
    "bits used": "more than 8 bits, scaled by the bits that the data set uses",
    "own range": "from the lowest to the highest value",
    "window": "DICOM, by its window",
    "table": "DICOM, by its look-up table",
}


def describe_grey_values(forms: Sequence[ImageForm]) -> dict[str, Any]:
    """The scale that all images of a data set share, and how many follow which rule; kept with the data set.

    A DICOM file of its own range is not part of the scale: its values mean nothing in another file.
    """
    scale = _choose(forms)
    banded = {} if scale.depths else {"bits used": "own range"}
    return {
        "scale": scale.to_document(),
        "rules": dict(Counter(banded.get(form.rule, form.rule) for form in forms).most_common()),
        "bits": {
            str(bits): count for bits, count in sorted(Counter(form.bits for form in forms).items()) if bits
        },
    }


def say_grey_values(document: dict[str, Any] | None) -> str | None:
    """One line for people; None where an older orch made the data set."""
    if not document:
        return None
    said = "; ".join(f"{count} {FILES.get(rule, rule)}" for rule, count in document["rules"].items())
    depths = document["scale"]["depths"]
    if "bits used" in document["rules"]:
        said += " (" + ", ".join(f"{depth} bits: 0 to {2**depth - 1}" for depth in depths) + ")"
    return said


def doubt_grey_values(forms: Sequence[ImageForm]) -> list[str]:
    """What is doubtful in the range of images, one sentence each."""
    doubts = []
    depths = Counter(form.bits for form in forms if form.rule in ("8 bits", "bits used"))
    kept = _choose(forms).depths
    differing = sorted(depth for depth in depths if depth in kept or depth == 8)
    if len(differing) > 1:
        listed = ", ".join(f"{depth} bits ({say_count(depths[depth], 'image')})" for depth in differing)
        doubts.append(
            f"Images differ in how many bits they use: {listed}. Each is scaled by its own depth; a model may learn the device "
            "instead of the finding."
        )
    notes = Counter(note for form in forms for note in form.notes)
    doubts += [f"{say_count(count, 'DICOM file')}: {note}." for note, count in sorted(notes.items())]
    return doubts


def _choose(forms: Sequence[ImageForm]) -> Scale:
    return choose_scale(
        [form.extent for form in forms if form.extent is not None and not form.mode.startswith("MONOCHROME")]
    )
