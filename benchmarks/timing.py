"""How several ways of doing one thing are compared."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

Work = Callable[[], object]
"""One unit of work."""
Clock = Callable[[], float]


class Result(TypedDict):
    """One entry of ``results.json``; a ratio of speed is the reference's time over ours.

    The reference is the published way; the peer is the strongest tool that pip installs for the work
    (``benchmarks/peers.py``), and ``peer_ratio`` its time over ours. Where that is below 1, ``reason`` says
    why. A peer without a ratio was not installed. ``machine`` is what it was measured on.
    """

    ratio: float
    ours: float
    reference: float
    unit: str
    how: str
    peer: NotRequired[str]
    peer_ratio: NotRequired[float]
    peer_how: NotRequired[str]
    reason: NotRequired[str]
    machine: NotRequired[str]


@dataclass(frozen=True)
class Medians:
    """Median seconds of each side."""

    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.reference / self.ours


def seconds(work: Work, clock: Clock = time.perf_counter) -> float:
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
    return Medians(*medians_in_turns((ours, reference), rounds, clock))


def medians_in_turns(works: Sequence[Work], rounds: int, clock: Clock = time.perf_counter) -> list[float]:
    """Median seconds of each, all run in turns as by :func:`interleave`."""
    times = [[seconds(work, clock) for work in works] for _ in range(rounds + 1)][1:]
    return [statistics.median(of_one) for of_one in zip(*times, strict=True)]
