"""`orch study prove` and `orch study check`: a study as one file that can be checked without images and without its database."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.proof.stated_best import as_record, check_best
from orchestrator.studies.best import best_document
from orchestrator.studies.verify_parts import verify_whole
from storage.errors import DataError, NothingToExportError
from storage.files.archives import check_archive, read_member
from storage.files.documents import to_json, without_nan
from storage.growth.part_specs import check_parts
from storage.growth.parts import list_parts
from storage.holdout.openings import find_openings
from storage.parsing import parse_json
from storage.spec import from_json
from storage.studies.chain import Event
from storage.studies.study_records import StudyRecord
from storage.trust.evidence import (
    PACKED,
    PACKED_RECORDS,
    Evidence,
    check_evidence,
    pack_evidence,
    read_evidence,
    unpack_evidence,
)
from storage.trust.plan import check_plan, describe_deviations, find_plan
from workers.device.versions import library_versions

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database

SCHEMA = "orch.proof/1"
MANIFEST = "manifest.json"
PARTS = "parts.json"
"""The evidence of the study's parts, in a bundle of a study that has some."""
VERIFIED = "verified.json"
"""What `orch study verify` found when the bundle was written: it also sees Optuna's record, and the labels where they are at hand."""
OPTIONAL = (PARTS, PACKED_RECORDS, VERIFIED)
MORE = ("openings.json", "versions.json", "best.json", "replays.json")
LARGEST = 512 * 2**20
"""Bytes of a bundle, unpacked."""


def write_bundle(
    database: Database,
    study: StudyRecord,
    replay: Callable[[int], dict[str, Any]] | None,
    trials: int,
    dataset: Dataset | None = None,
) -> tuple[bytes, dict[str, Any]]:
    """A study as a bundle.

    Args:
        database: where it is.
        study: which.
        replay: trains a trial again and says what differs, by the number of the trial; None to replay none.
        trials: how many are replayed, drawn by the head of the chain, which nobody chooses.
        dataset: its data set, where it is on this machine: openings of the hold-out are noted there, too, and its labels score predictions.

    Returns:
        The file, and what it holds in short.
    """
    evidence = read_evidence(database, study.uuid)
    replays = [replay(number) for number in _draw(evidence)[:trials]] if replay is not None else []
    try:
        best: dict[str, Any] | None = best_document(database, study)
    except NothingToExportError:
        best = None
    openings = [
        asdict(one)
        for one in find_openings(study.fingerprint, dataset.folder if dataset is not None else None, database)
    ]
    verified = verify_whole(database, study, dataset)["problems"]
    texts = {
        **pack_evidence(evidence),
        "openings.json": json.dumps(openings),
        "versions.json": json.dumps(library_versions()),
        "best.json": json.dumps(without_nan(best)),
        "replays.json": json.dumps(without_nan(replays)),
        VERIFIED: json.dumps(verified),
    }
    parts = [read_evidence(database, part.uuid) for part in list_parts(database, study)]
    if parts:
        texts[PARTS] = json.dumps([pack_evidence(part) for part in parts])
    manifest = {
        "schema": SCHEMA,
        "study": study.name,
        "head": evidence.head,
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()},
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {MANIFEST: to_json(manifest), **texts}.items():
            # A fixed time: equal evidence makes equal bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return held.getvalue(), {
        "study": study.name,
        "head": evidence.head,
        "links": len(evidence.chain),
        "trials": len(evidence.points),
        "replayed": len(replays),
        "replays_differ": sum(one.get("different", 0) > 0 for one in replays),
        "problems": list(
            dict.fromkeys(
                [*verified, *check_evidence(evidence), *_check_parts(evidence, parts, is_bundle=False)]
            )
        ),
        "parts": [part.study["name"] for part in parts],
    }


def check_bundle(path: Path, *, head: str | None = None) -> dict[str, Any]:
    """Check a bundle by itself: every file against its hash, the chain, the values, the plan.

    Args:
        path: the file.
        head: a hash of the chain that was published; it must be in the bundle's.

    Returns:
        A document: `ok`, `problems`, `deviations`, and what the bundle says of itself.

    Raises:
        DataError: it is no bundle.
    """
    try:
        check_archive(path, LARGEST)
        with zipfile.ZipFile(path) as archive:
            names = [MANIFEST, *PACKED, *MORE]
            names += [name for name in OPTIONAL if name in archive.namelist()]
            strange = sorted(set(archive.namelist()) - set(names))
            texts = {name: read_member(archive, name, LARGEST).decode() for name in names}
        manifest = dict(parse_json(texts.pop(MANIFEST)))
        if manifest.get("schema") != SCHEMA:
            raise ValueError(f"it says {manifest.get('schema')!r} and not {SCHEMA}")
        evidence = unpack_evidence(texts, parse_json)
        openings, replays = list(parse_json(texts["openings.json"])), list(parse_json(texts["replays.json"]))
        best = parse_json(texts["best.json"])
        verified = [str(one) for one in list(parse_json(texts.get(VERIFIED, "[]")))]
        spec = from_json(evidence.study["spec"])
        parts = [unpack_evidence(dict(one), parse_json) for one in list(parse_json(texts.get(PARTS, "[]")))]
        for part in parts:
            from_json(part.study["spec"])
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is no bundle of `orch study prove`, or it is damaged.",
            why=str(error).strip("'\""),
            next_step="Write it again: orch study prove NAME -o bundle.zip",
        ) from error
    problems = [f"The bundle holds a file that orch did not write: {name}." for name in strange]
    hashes = manifest.get("files", {})
    problems += [
        f"{name} does not have the hash that the bundle names."
        for name, text in texts.items()
        if hashes.get(name) != hashlib.sha256(text.encode()).hexdigest()
    ]
    if manifest.get("head") != evidence.head:
        problems.append("The bundle names another last link than its chain has.")
    if not evidence.chain:
        problems.append("The study has no chain: it was made by an older orch, so that edits cannot be told.")
    problems += [*check_evidence(evidence, head=head, is_bundle=True), *_check_parts(evidence, parts)]
    sealed = find_plan(evidence.study["facts"])
    problems += check_plan(sealed) if sealed else []
    problems += [
        f"Trial {one.get('trial')} was trained again, and {one.get('different')} of {one.get('numbers')} numbers differ."
        for one in replays
        if one.get("different")
    ]
    if [one.get("trial") for one in replays] != _draw(evidence)[: len(replays)]:
        problems.append(
            "The trials that were trained again are not those that the last link of the chain draws."
        )
    problems += [*check_best(best, evidence, spec), *_check_openings(evidence, openings)]
    problems += [
        f"`orch study verify` found when the bundle was written: {one}"
        for one in verified
        if one not in problems
    ]
    return {
        "study": evidence.study["name"],
        "ok": not problems,
        "problems": problems,
        "fingerprint": evidence.study["fingerprint"],
        "spec_hash": evidence.study["spec_hash"],
        "trials": len(evidence.points),
        "links": len(evidence.chain),
        "head": evidence.head,
        "plan": sealed,
        "deviations": describe_deviations(
            sealed, spec, openings, len(evidence.points), evidence.records.get(Event.EVALUATION, ())
        )
        if sealed
        else [],
        "openings": len(openings),
        "parts": [part.study["name"] for part in parts],
        "replayed": [one.get("trial") for one in replays],
        "versions": json.loads(texts["versions.json"]),
    }


def _draw(evidence: Evidence) -> list[int]:
    """The complete trials in the order in which they are trained again, which the last link of the chain draws."""
    complete = [one["trial_number"] for one in evidence.points if one["outcome"] == "COMPLETE"]
    return sorted(
        complete, key=lambda number: hashlib.sha256(f"{evidence.head or ''} {number}".encode()).hexdigest()
    )


def _check_openings(evidence: Evidence, openings: Sequence[Any]) -> list[str]:
    """Hold the openings that the plan is held against, against those that the chain knows."""
    missing = [
        one
        for one in evidence.records.get(Event.OPENING, ())
        if one.get("fingerprint") == evidence.study["fingerprint"] and one not in openings
    ]
    return [f"{len(missing)} openings of the hold-out are not in openings.json."] if missing else []


def _check_parts(evidence: Evidence, parts: Sequence[Evidence], *, is_bundle: bool = True) -> list[str]:
    """Hold the parts of a study against their own chains, and against the study that they follow from."""
    complete = {
        one.study["uuid"]: {
            point["point"]: json.loads(point["params"])
            for point in one.points
            if point["outcome"] == "COMPLETE"
        }
        for one in (evidence, *parts)
    }
    found = check_parts(
        as_record(evidence), [as_record(part) for part in parts], lambda study: complete[study.uuid]
    )
    return [
        *found,
        *(
            f"{part.study['name']}: {problem}"
            for part in parts
            for problem in check_evidence(part, is_bundle=is_bundle)
        ),
    ]
