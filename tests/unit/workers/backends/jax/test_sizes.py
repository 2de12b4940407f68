"""How many programs the sizes of batches need; nothing is compiled for the count."""

from __future__ import annotations

from bench.host_work import count_programs
from workers.backends.jax.sizes import STEPS_PER_OCTAVE, STEPS_PER_OCTAVE_OF_A_GPU, padded_size


def test_the_100_trials_of_regime_one_need_28_programs_and_15_on_a_gpu() -> None:
    assert count_programs(2490, STEPS_PER_OCTAVE) == 28
    assert count_programs(2490, STEPS_PER_OCTAVE_OF_A_GPU) == 15


def test_all_batch_sizes_up_to_2048_have_29_sizes_and_15_on_a_gpu() -> None:
    """By hand: 16, and four (two) for each of the seven doublings up to 2,048."""
    for steps, sizes in ((STEPS_PER_OCTAVE, 1 + 4 * 7), (STEPS_PER_OCTAVE_OF_A_GPU, 1 + 2 * 7)):
        assert len({padded_size(count, steps) for count in range(1, 2049)}) == sizes
