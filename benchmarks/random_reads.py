"""Two ways of reading the same windows at random, timed against each other."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.timing import Result, interleave

Read = Callable[[int, int], object]
"""Reads the window of an item that begins at a frame."""


def compare_random_reads(
    ours: Read, reference: Read, *, items: int, starts: int, reads: int, rounds: int, unit: str
) -> Result:
    """CPU microseconds of a read, medians over interleaved rounds of the same draws.

    Args:
        ours: Our way.
        reference: The other one.
        items: How many items there are.
        starts: At how many frames of an item a window may begin.
        reads: Draws of a round.
        rounds: How many rounds.
        unit: What to call the numbers.
    """
    rng = np.random.default_rng(0)
    draws = list(
        zip(rng.integers(0, items, reads).tolist(), rng.integers(0, starts, reads).tolist(), strict=True)
    )

    def all_draws(read: Read) -> None:
        for draw in draws:  # nothing is kept: a loader copies each sample into its batch
            read(*draw)

    medians = interleave(lambda: all_draws(ours), lambda: all_draws(reference), rounds, time.process_time)
    each = 1e6 / reads
    return Result(
        ratio=medians.ratio,
        ours=medians.ours * each,
        reference=medians.reference * each,
        unit=unit,
        how="",
    )
