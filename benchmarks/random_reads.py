"""Ways of reading the same windows at random, timed against one another."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.peers import Peer, compare, with_peer
from benchmarks.timing import Result, Work

Read = Callable[[int, int], object]
"""Reads the window of an item that begins at a frame."""

NOT_MAPPED = (
    "a read goes through the kernel once for each window, where a map only copies; but a file that was cut "
    "off is an error to a read and the end of the process to a map, and a shared disk answers one request "
    "where it would answer one for each page"
)


@dataclass(frozen=True)
class MemoryMap:
    """The fastest way of reading arrays that are in the page cache: a map that stays open.

    Attributes:
        read: Reads a copy of what ours reads.
        how: What is mapped.
        ours: Our read to set against it, where the map holds less than the whole of what is measured.
    """

    read: Read
    how: str
    ours: Read | None = None


def compare_random_reads(
    ours: Read,
    reference: Read,
    memory_map: MemoryMap,
    *,
    items: int,
    starts: int,
    reads: int,
    rounds: int,
    unit: str,
) -> Result:
    """CPU microseconds of a read, medians over interleaved rounds of the same draws.

    Args:
        ours: Our way.
        reference: The published one.
        memory_map: The strongest other one.
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

    def all_draws(read: Read) -> Work:
        def work() -> None:
            for draw in draws:  # nothing is kept: a loader copies each sample into its batch
                read(*draw)

        return work

    peer = Peer(
        "numpy",
        memory_map.how,
        lambda: all_draws(memory_map.read),
        NOT_MAPPED,
        all_draws(memory_map.ours) if memory_map.ours else None,
    )
    comparison = compare(all_draws(ours), all_draws(reference), [peer], rounds, time.process_time)
    medians = comparison.medians
    each = 1e6 / reads
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * each,
        reference=medians.reference * each,
        unit=unit,
        how="",
    )
    return with_peer(result, comparison.rivals)
