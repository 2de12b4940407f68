"""Random numbers from a seed: the generator is the published one, and the numbers have their distribution."""

from __future__ import annotations

import numpy as np
import pytest

from workers.models import drawing

SEED = np.array([123456, 7], np.uint32)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_the_generator_gives_the_words_that_its_authors_published(
    counter: list[int], key: list[int], expected: list[int]
) -> None:
    def arrays(words: list[int]) -> list[np.ndarray]:
        return [np.array([word], np.uint32) for word in words]

    assert [int(word[0]) for word in drawing.generate(arrays(counter), arrays(key))] == expected


@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
def test_numbers_have_their_distribution_and_begin_alike_however_many_there_are(name: str) -> None:
    drawn = drawing._draw(SEED, 40_001, drawing.MAKE[name])
    assert len(drawn) == 40_001
    assert np.array_equal(drawing._draw(SEED, 7, drawing.MAKE[name]), drawn[:7])
    mean, spread, highest = {
        "uniform": (0.5, 12**-0.5, 1.0),
        "normal": (0.0, 1.0, 6.0),
        "truncated_normal": (0.0, 0.8796, 2.0),
    }[name]
    assert abs(drawn.mean() - mean) < 4 * spread / 200
    assert abs(drawn.std() - spread) < 0.015
    assert np.abs(drawn).max() < highest
    assert len(drawing._draw(SEED, 0, drawing.MAKE[name])) == 0


def test_several_seeds_at_once_draw_what_each_draws_alone() -> None:
    seeds = np.array([[1, 2], SEED, [2**31 - 1, 0]], np.uint32)
    drawn = drawing.draw_normal(seeds, 9)
    assert drawn.shape == (3, 9)
    assert np.array_equal(drawn[1], drawing._draw(SEED, 9, drawing.MAKE["normal"]))
    assert np.array_equal(drawn[2], drawing.draw_normal(seeds[2:], 9)[0])
