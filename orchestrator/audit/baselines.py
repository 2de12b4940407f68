"""How well a model scores that never sees a pixel, on the folds of the study.

The model is ridge regression on indicator columns, one for each value of a column (numbers in ten classes of equal
size), which is close to scoring each image by the share of positives among training images of its kind.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.audit.evidence import Evidence
from orchestrator.audit.findings import Finding
from storage.metrics.epoch import auc_per_label
from storage.wording import say_count

CONFOUNDED = 0.70
"""A macro AUC without pixels from which a result must be read against it."""

TRIVIAL = 0.90
"""An AUC of one target by trivial pixels from which a result must be read against it."""

KNOWN = 0.97
"""An AUC of one target without pixels from which that target is no question to a picture."""

MOST_VALUES, MOST_TOKENS, FEWEST_ROWS = 60, 200, 5
CLASSES_OF_NUMBERS = 10

NUMBERS_RIDGE = 0.05
"""The ridge of numbers, as a share of the training images."""


@dataclass(frozen=True)
class Baseline:
    """A model without pixels.

    Attributes:
        kind: "column", "columns", "target", "target and columns", "file name", "file" or "trivial pixels".
        predictor: which column or target.
        auc: of each target, the mean over folds; NaN where undefined.
        macro: the mean over folds of the macro AUC over all targets.
        macro_others: the same without the predictor and its copies; NaN where it is the only target.
        others: the targets that `macro_others` is over.
    """

    kind: str
    predictor: str
    auc: dict[str, float]
    macro: float
    macro_others: float
    others: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "kind": self.kind,
            "predictor": self.predictor,
            "macro_auc": self.macro,
            "macro_auc_others": self.macro_others,
            "other_targets": len(self.others),
            "auc": self.auc,
        }


def score_baselines(
    evidence: Evidence,
    twins: dict[str, set[str]],
    file_facts: dict[str, list[str]] | None = None,
    trivial: np.ndarray | None = None,
) -> list[Baseline]:
    """Score every model without pixels, the best first.

    Args:
        evidence: what is known of the images.
        twins: for each target its copies and complements.
        file_facts: columns of image facts (size, mode, format), where the images were opened.
        trivial: what anybody can read off each picture, shape (n, numbers), where the images were opened.
    """
    every = evidence.targets
    encoded = {name: encode_column(cells) for name, cells in evidence.columns.items()}
    known = {name: block for name, block in encoded.items() if block is not None}
    scored = [_score(evidence, "column", name, block, every) for name, block in known.items()]
    if len(known) > 1:
        scored.append(_score(evidence, "columns", "all columns", np.hstack(list(known.values())), every))
    tokens = encode_tokens(evidence.names, (*evidence.targets, *evidence.classes))
    if tokens is not None:
        scored.append(_score(evidence, "file name", "words of the file name", tokens, every))
    facts = [encode_column(cells) for cells in (file_facts or {}).values()]
    usable = [block for block in facts if block is not None]
    if usable:
        scored.append(_score(evidence, "file", "image size and type", np.hstack(usable), every))
    if trivial is not None:
        scored.append(_score(evidence, "trivial pixels", "brightness, border, corners", trivial, every))
    blocks = {}
    # Of classes that exclude each other one tells the others, and that is no finding.
    for place, target in enumerate(() if evidence.exclusive else evidence.targets):
        cells = ["" if np.isnan(value) else f"{value:.0f}" for value in evidence.labels[:, place]]
        block = encode_column(cells)
        others = tuple(name for name in every if name != target and name not in twins.get(target, set()))
        if block is not None and others:
            scored.append(_score(evidence, "target", target, block, others))
            blocks[target] = block
    strongest = max((one for one in scored if one.kind == "target"), key=_over_others, default=None)
    if strongest is not None and known:
        joined = np.hstack([blocks[strongest.predictor], *known.values()])
        scored.append(
            _score(
                evidence,
                "target and columns",
                f"{strongest.predictor} with all columns",
                joined,
                strongest.others,
            )
        )
    return sorted(scored, key=_over_others, reverse=True)


def judge_baselines(
    baselines: Sequence[Baseline], twins: dict[str, set[str]], *, has_auc: bool = True
) -> list[Finding]:
    """What the scores mean for the choice of targets, and what a result must be read against.

    Args:
        baselines, twins: of the audit.
        has_auc: whether a model of this kind of label has an AUC to be held against.
    """
    found = []
    strongest = next((one for one in baselines if one.kind in ("column", "columns", "file")), None)
    if strongest is not None and strongest.macro >= CONFOUNDED:
        found.append(
            Finding(
                "metadata-baseline",
                "warning",
                f"Without a single pixel, {_name(strongest)} {'score' if strongest.kind == 'columns' else 'scores'} a macro AUC of {strongest.macro:.3f} on the same "
                "folds.",
                f"A model must exceed AUC {strongest.macro:.3f} before one may say that it uses the image."
                if has_auc
                else "The AUC is of whether a number lies above its median. Report what a model of these columns predicts beside the model of the images.",
                strongest.to_document(),
            )
        )
    joined = next((one for one in baselines if one.kind == "target and columns"), None)
    for one in baselines:
        is_joined = joined is not None and joined.predictor.startswith(f"{one.predictor} with ")
        together = f"; with all columns {joined.macro:.3f}" if joined is not None and is_joined else ""
        if one.kind == "target" and one.macro_others >= CONFOUNDED:
            against = sorted({one.predictor, *twins.get(one.predictor, set())})
            if any(set(against) == set(earlier.details.get("advised_against", ())) for earlier in found):
                continue
            found.append(
                Finding(
                    "target-confounds",
                    "warning",
                    f"The value of {one.predictor!r} alone scores a macro AUC of {one.macro:.3f} over the "
                    f"{say_count(len(one.auc), 'target')}, {one.macro_others:.3f} over the {say_count(len(one.others), 'other')}{together}.",
                    f"Do not use as targets: {', '.join(against)}. Choose the others with data.targets, and "
                    "leave labels blank that such an image cannot show.",
                    {**one.to_document(), "advised_against": against},
                )
            )
    known = {
        target: one
        for one in reversed(baselines)
        if one.kind in ("column", "columns", "file")
        for target, auc in one.auc.items()
        if auc >= KNOWN
    }
    if known:
        listed = ", ".join(f"{target} (from {_name(one)})" for target, one in sorted(known.items()))
        found.append(
            Finding(
                "target-known-without-pixels",
                "warning",
                f"{say_count(len(known), 'target is', 'targets are')} predictable without the image: {listed}.",
                f"Do not use as targets: {', '.join(sorted(known))}.",
                {
                    "advised_against": sorted(known),
                    "from": {name: one.predictor for name, one in known.items()},
                },
            )
        )
    found += [
        _report_trivial(one, has_auc)
        for one in baselines
        if one.kind == "trivial pixels" and _best(one) >= TRIVIAL
    ]
    named = [one for one in baselines if one.kind == "file name" and (one.macro >= CONFOUNDED or _knows(one))]
    found += [
        Finding(
            "file-names-tell",
            "note",
            f"Words of the file names score an AUC of {_best(one):.3f} for one target"
            + ("." if np.isnan(one.macro) else f", a macro AUC of {one.macro:.3f}."),
            "The model never sees file names, but they may encode something visible in the image (site, device, view, visit).",
            one.to_document(),
        )
        for one in named
    ]
    return found


def encode_column(cells: Sequence[str]) -> np.ndarray | None:
    """Indicator columns of one column, shape (n, values); None when it does not vary or hardly repeats."""
    numbers = _as_numbers(cells)
    if numbers is not None and len(np.unique(numbers[~np.isnan(numbers)])) > CLASSES_OF_NUMBERS + 2:
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, CLASSES_OF_NUMBERS + 1)[1:-1]))
        classes = np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="right"))
        cells = [str(number) for number in classes]
    counted = Counter(cells).most_common(MOST_VALUES)
    values = [value for value, count in counted if count >= FEWEST_ROWS]
    if not values or (len(values) == 1 and counted[0][1] > len(cells) - FEWEST_ROWS):
        return None
    column = np.asarray(cells)
    return np.stack([column == value for value in values], axis=1).astype(np.float64)


def encode_tokens(names: Sequence[str], classes: Sequence[str] = ()) -> np.ndarray | None:
    """Which of the commoner words of file names (and folders) each has, shape (n, words); None for none.

    Words of folders that are named after one of the classes are left out: there the folder is the label.
    """
    labels = {_words(name.rpartition("=")[2]) for name in classes}
    split = []
    for name in names:
        *folders, bare = re.split(r"[/\\]", name)
        kept = [found for folder in folders if (found := _words(folder)) not in labels]
        split.append(set().union(_words(bare), *kept))
    counted = Counter(word for words in split for word in words)
    words = [
        word for word, count in counted.most_common() if FEWEST_ROWS <= count <= len(names) - FEWEST_ROWS
    ][:MOST_TOKENS]
    if not words:
        return None
    return np.array([[word in found for word in words] for found in split], dtype=np.float64)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.split(r"[^A-Za-z0-9]+", text)) - {""}


def _score(
    evidence: Evidence, kind: str, predictor: str, block: np.ndarray, others: tuple[str, ...]
) -> Baseline:

    rows = []
    for train, validation in evidence.folds:
        inputs = _standardize(block, train) if kind == "trivial pixels" else block
        scores = _fit(inputs[train], evidence.labels[train], inputs[validation])
        rows.append(auc_per_label(evidence.labels[validation], scores))
    table = np.array(rows)
    places = [evidence.targets.index(target) for target in others]
    auc = _mean(table.T)
    return Baseline(
        kind,
        predictor,
        dict(zip(evidence.targets, auc.tolist(), strict=True)),
        _mean_known(_mean(table)),
        _mean_known(_mean(table[:, places])),
        others,
    )


def _report_trivial(one: Baseline, has_auc: bool) -> Finding:
    told = {target: auc for target, auc in one.auc.items() if auc >= TRIVIAL}
    listed = ", ".join(f"{target} ({auc:.3f})" for target, auc in sorted(told.items()))
    return Finding(
        "trivial-pixels",
        "warning",
        f"Brightness, border, corners and an 8 x 8 thumbnail alone predict {say_count(len(told), 'target')}: AUC of {listed}.",
        "A network may learn the device, the exposure, a frame or a marker instead of the finding. Compare the images of both "
        "classes (`orch data audit --html audit.html`)"
        + ("; a model must exceed this AUC before one may say that it reads anatomy." if has_auc else "."),
        one.to_document(),
    )


def _best(one: Baseline) -> float:
    return max((auc for auc in one.auc.values() if not np.isnan(auc)), default=0.0)


def _standardize(block: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Numbers in units of their spread among training images, scaled so that the ridge is a twentieth of the images."""
    middle, spread = block[train].mean(axis=0), block[train].std(axis=0)
    units = np.clip((block - middle) / np.where(spread > 1e-6, spread, 1), -5, 5)
    return np.asarray(units / np.sqrt(NUMBERS_RIDGE * len(train)), np.float64)


def _fit(block: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Ridge scores of `asked` for every target; targets assessed in the same rows are solved together."""
    scores = np.zeros((len(asked), labels.shape[1]))
    assessed = ~np.isnan(labels)
    patterns, which = np.unique(assessed, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        rows, places = patterns[:, number], np.flatnonzero(which.ravel() == number)
        inputs, wanted = block[rows], labels[rows][:, places].astype(np.float64)
        if not len(wanted):
            continue
        penalty = np.eye(block.shape[1])
        weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (wanted - wanted.mean(axis=0)))
        # Sums of the same numbers in another order must stay ties.
        scores[:, places] = np.round(asked @ weights, 10)
    return scores


def _as_numbers(cells: Sequence[str]) -> np.ndarray | None:
    numbers = []
    for cell in cells:
        try:
            numbers.append(float(cell) if cell else np.nan)
        except ValueError:
            return None
    values = np.array(numbers)
    return None if np.isnan(values).all() or not np.isfinite(values[~np.isnan(values)]).all() else values


def _mean(rows: np.ndarray) -> np.ndarray:
    """Mean of each row over what is defined; NaN where nothing is."""
    known = ~np.isnan(rows)
    return np.where(
        known.any(axis=1), np.where(known, rows, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
    )


def _mean_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _over_others(one: Baseline) -> float:
    return 0.0 if np.isnan(one.macro_others) else one.macro_others


def _knows(one: Baseline) -> bool:
    return any(auc >= KNOWN for auc in one.auc.values())


def _name(one: Baseline) -> str:
    return one.predictor if one.kind in ("columns", "file") else f"column {one.predictor!r}"
