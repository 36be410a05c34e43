"""How two ways of doing one thing are compared."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

Clock = Callable[[], float]


class Result(TypedDict):
    """One entry of ``results.json``; a ratio of speed is the reference's time over ours."""

    ratio: float
    ours: float
    reference: float
    unit: str
    how: str


@dataclass(frozen=True)
class Medians:
    """Median seconds of each side."""

    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.reference / self.ours


def seconds(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


def interleave(
    ours: Callable[[], object],
    reference: Callable[[], object],
    rounds: int,
    clock: Clock = time.perf_counter,
) -> Medians:
    """Runs both in turns, so that whatever else the machine does falls on both; one round is for warming up.

    Args:
        ours: One unit of our work.
        reference: The same unit of work as published.
        rounds: Measured runs of each.
        clock: ``time.perf_counter`` for time that passes, ``time.process_time`` for CPU time.
    """
    times = [(seconds(ours, clock), seconds(reference, clock)) for _ in range(rounds + 1)][1:]
    return Medians(*(statistics.median(side) for side in zip(*times, strict=True)))
