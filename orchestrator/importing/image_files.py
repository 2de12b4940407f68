"""Image files as they come: whether they can be read, and what they are."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from storage.data.datasets import Report
from storage.data.images import FORMAT_NAMES, LARGEST_FILE, ImageForm, inspect_image
from storage.errors import DataError, OrchError
from storage.own_processes import count_processors
from storage.parsing import read_regular
from storage.wording import name_few

LARGE_FILE_POINTER = b"version https://git-lfs"

AT_ONCE = 64
"""Images that a thread takes at a time: handing over one by one costs as much as reading a small file."""


@dataclass(frozen=True)
class ImageFacts:
    """What was found in one file: digest, size in bytes, modification time in ns, and the form of its pixels."""

    sha256: str
    size: int
    mtime_ns: int
    form: ImageForm

    @property
    def mode(self) -> str:
        """The mode of its pixels."""
        return self.form.mode

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.form.shape

    @property
    def burned_in(self) -> str:
        """Why text may be part of a DICOM picture; empty otherwise."""
        return self.form.burned_in


def inspect_images(folder: Path, paths: Sequence[str], report: Report | None = None) -> list[ImageFacts]:
    """Read every image once: hash it and make sure that it is whole.

    Raises:
        DataError: names the files that cannot be read, and why.
    """
    advice: list[tuple[str | None, str | None]] = []

    def inspect(path: str) -> ImageFacts | str:
        try:
            return _inspect(f"{folder}/{path}")
        except DataError as error:
            advice.append((error.why, error.next_step))
            return f"{path} ({error.what.rstrip('.')})"
        # A missing library is the machine's fault, not the file's.
        except OrchError:
            raise
        except PermissionError:
            advice.append(("They belong to another user.", "Their owner can open them: chmod -R a+rX FOLDER"))
            return f"{path} (you may not read it)"
        # Pillow's decoders raise many kinds of errors for damaged files.
        except Exception as error:
            said = error.strerror if isinstance(error, OSError) else None
            reason = (said or str(error)).rstrip(".") or type(error).__name__
            return f"{path} ({'no image' if 'cannot identify' in reason else reason})"

    def inspect_some(begin: int) -> list[ImageFacts | str]:
        return [inspect(path) for path in paths[begin : begin + AT_ONCE]]

    facts, problems = [], []
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=count_processors() + 2) as pool:
        warnings.simplefilter("ignore")
        for results in pool.map(inspect_some, range(0, len(paths), AT_ONCE)):
            for result in results:
                if isinstance(result, ImageFacts):
                    facts.append(result)
                else:
                    problems.append(result)
            if report:
                report(len(facts) + len(problems), len(paths))
    if problems:
        why, next_step = (
            advice[0]
            if len(advice) == len(problems) and len(set(advice)) == 1
            else (
                f"The files are damaged, cut off, or not {FORMAT_NAMES} radiographs.",
                "Copy them again, or remove them and their rows.",
            )
        )
        raise DataError(
            f"{len(problems)} of {len(paths)} images in {folder} cannot be read: {name_few(problems)}.",
            why=why,
            next_step=next_step,
        )
    return facts


def _inspect(path: str) -> ImageFacts:
    content = read_regular(path, LARGEST_FILE)
    status = os.stat(path)
    if not content:
        raise ValueError("the file is empty")
    if content.startswith(LARGE_FILE_POINTER):
        raise ValueError("only a Git LFS pointer to the file; fetch it with `git lfs pull`")
    form = inspect_image(content, path)
    return ImageFacts(hashlib.sha256(content).hexdigest(), len(content), status.st_mtime_ns, form)
