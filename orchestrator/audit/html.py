"""The findings of an audit with their pictures, on one page that needs nothing else."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.findings import Finding
from orchestrator.audit.report import Audit
from storage.data.images import read_grey, read_header, scale_of
from storage.files.writing import write_text

if TYPE_CHECKING:
    from storage.data.datasets import Dataset

MOST_PAIRS, MOST_IMAGES, MOST_TARGETS = 30, 12, 6
SIDE = 280
AVERAGED = 200
"""Images of each class that its mean picture is of."""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #222; background: #fff }
h2 { margin: 2.5rem 0 0.3rem; font-size: 1.15rem } .error h2 { color: #a40000 } .warning h2 { color: #8a5a00 }
figure { display: inline-block; margin: 0.6rem 0.8rem 0.2rem 0; vertical-align: top } img { display: block; background: #000 }
figcaption { font-size: 0.8rem; max-width: 280px; overflow-wrap: anywhere } .pair { border-top: 1px solid #ddd }
table { border-collapse: collapse } td, th { padding: 0.2rem 0.8rem; border-bottom: 1px solid #ddd; text-align: left }
"""


def make_page(audit: Audit, dataset: Dataset) -> str:
    """The page as text.

    Raises:
        DataError: an image that a finding shows cannot be read any more.
    """
    sections = [_show_finding(finding, audit, dataset) for finding in audit.findings]
    rows = "".join(
        f"<tr><td>{escape(one.kind)}</td><td>{escape(one.predictor)}</td><td>{_say(one.macro)}</td></tr>"
        for one in audit.baselines
    )
    table = f"<table><tr><th>predictor</th><th>name</th><th>mean AUC</th></tr>{rows}</table>" if rows else ""
    facts = f"{len(audit.evidence.labels)} images, {len(audit.evidence.folds)} folds"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit of {escape(audit.evidence.source)}</title>'
        f"<style>{STYLE}</style></head><body><h1>Audit of {escape(audit.evidence.source)}</h1><p>{facts}</p>"
        f"{''.join(sections) or '<p>Nothing was found.</p>'}<h2>Scores of models that do not see the anatomy</h2>{table}</body></html>"
    )


def _show_finding(finding: Finding, audit: Audit, dataset: Dataset) -> str:
    places = {digest: place for place, digest in enumerate(dataset.sha256)}
    pictures = []
    for one, other, correlation in finding.details.get("pairs", [])[:MOST_PAIRS]:
        caption = f"correlation {correlation:.2f}"
        pair = [_show_file(dataset, places[digest], caption) for digest in (one, other)]
        pictures.append(f'<div class="pair">{"".join(pair)}</div>')
    if finding.name.endswith("holdout-near-duplicates") or finding.name == "possible-holdout-duplicates":
        pictures += [
            _show_file(dataset, places[name], "") for name in finding.details["images"][:MOST_IMAGES]
        ]
    if finding.name == "trivial-pixels":
        told = sorted(
            finding.details["auc"].items(), key=lambda entry: -(0 if np.isnan(entry[1]) else entry[1])
        )
        for target, auc in told[:MOST_TARGETS]:
            pictures.append(f'<div class="pair">{_show_means(audit, dataset, target, auc)}</div>')
    if finding.name == "pixel-ranges":
        pictures += [_show_file(dataset, place, mode) for mode, place in _find_modes(dataset).items()]
    return (
        f'<section class="{finding.severity}"><h2>{finding.severity}: {escape(finding.name)}</h2>'
        f"<p>{escape(finding.message)}</p><p>{escape(finding.advice)}</p>{''.join(pictures)}</section>"
    )


def _find_modes(dataset: Dataset) -> dict[str, int]:
    """The first image of each mode."""
    found: dict[str, int] = {}
    for place, file in enumerate(dataset.files):
        found.setdefault(read_header(file)[2], place)
        if len(found) == len(dataset.summary.get("modes", {})):
            break
    return found


def _show_file(dataset: Dataset, place: int, caption: str) -> str:
    file = dataset.files[place]
    said = f"{file.name}, group {int(dataset.groups[place])}" + (f", {caption}" if caption else "")
    return _show(read_grey(file, SIDE, scale_of(dataset)), said)


def _show_means(audit: Audit, dataset: Dataset, target: str, auc: float) -> str:
    """The mean picture of images with and without a target."""
    column = audit.evidence.labels[:, audit.evidence.targets.index(target)]
    shown = []
    for value, word in ((1, "with"), (0, "without")):
        chosen = np.flatnonzero(column == value)[:AVERAGED]
        if len(chosen):
            mean = np.mean([_read_square(dataset, int(place)) for place in chosen], axis=0)
            said = f"mean of {len(chosen)} images {word} {target} (AUC {_say(auc)}), mean grey value {mean.mean():.0f}"
            shown.append(_show(np.rint(mean).astype(np.uint8), said))
    return "".join(shown)


def _read_square(dataset: Dataset, place: int) -> NDArray[np.float32]:
    from PIL import Image

    grey = read_grey(dataset.files[place], SIDE, scale_of(dataset))
    return np.asarray(Image.fromarray(grey).resize((SIDE // 2, SIDE // 2)), np.float32)


def _show(grey: NDArray[np.uint8], caption: str) -> str:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(grey).save(content, "JPEG", quality=80)
    coded = base64.b64encode(content.getvalue()).decode("ascii")
    image = (
        f'<img src="data:image/jpeg;base64,{coded}" width="{grey.shape[1]}" height="{grey.shape[0]}" alt="">'
    )
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _say(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def write_page(audit: Audit, dataset: Dataset, out: Path) -> None:
    """Write the page, whole or not at all; errors as `make_page`, and those of `storage.files.writing`."""
    write_text(out, make_page(audit, dataset))
