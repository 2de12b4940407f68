"""What helpers see and compare is what this process would."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from orchestrator.audit.copies.apart import compare_apart, look_at, make_comparer
from orchestrator.audit.copies.near_duplicates import Duplicate, find_duplicates
from storage.data.grey import Scale
from storage.errors import DataError
from storage.own_processes import Helpers

COUNT = 6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    made = []
    for number in range(COUNT):
        noise = np.random.default_rng(number).integers(0, 256, (320, 300), np.uint8)
        picture = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)).resize((900, 960))
        made.append(folder / f"Röntgen {number}.png")
        picture.save(made[-1])
    made.append(folder / "copy.jpg")
    Image.open(made[2]).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(made[-1])
    return made


def find(files: list[Path], count: int) -> tuple[list[bytes], list[Duplicate]]:
    seen = list(look_at(files, Scale(), helpers=count))
    sketches = [one for one, _, _ in seen]
    content = [b"".join(array.tobytes() for array in one.to_arrays().values()) for one in sketches]
    content += [numbers.tobytes() + repr(form).encode() for _, numbers, form in seen]
    with Helpers(make_comparer, Scale().to_document(), count=count) as helpers:
        compare = partial(compare_apart, helpers, sketches, files)
        return content, find_duplicates(sketches, lambda first, second: first >= 0, compare)


def test_two_helpers_see_and_find_what_this_process_does(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = find(files, 0)
    assert [(one.first, one.second, one.certain) for one in expected[1]] == [(2, COUNT, True)]
    assert expected[1][0].change == "flipped left to right"
    # Else this process would do what helpers cannot.
    monkeypatch.delattr("orchestrator.audit.copies.apart.read_grey")
    monkeypatch.delattr("orchestrator.audit.copies.apart.compare_pair")
    assert find(files, 2) == expected


@pytest.mark.parametrize("helpers", [0, 1])
def test_a_file_that_is_gone_is_named(files: list[Path], tmp_path: Path, helpers: int) -> None:
    with pytest.raises(DataError, match=r"gone\.png"):
        list(look_at([files[0], tmp_path / "gone.png"], Scale(), helpers=helpers))
