"""The strongest tool that pip installs for a piece of work, measured beside ours and the published way.

Peers come from the extra ``bench``. One that is not installed is named in the result, without a ratio.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from benchmarks.timing import Clock, Medians, Result, Work, medians_in_turns

INSTALL = "pip install -e '.[bench]'"


@dataclass(frozen=True)
class Peer:
    """Another tool for the same work.

    Attributes:
        package: The distribution it comes in.
        how: What it does, in words.
        prepare: Loads it, checks that it finds what ours finds, and returns one unit of its work.
        reason: Why it is faster, and why ours stays as it is; empty where ours is expected to be faster.
        ours: Our work to set against it, where a peer does less than the whole of what is measured.
        install: What installs it.
    """

    package: str
    how: str
    prepare: Callable[[], Work]
    reason: str = ""
    ours: Work | None = None
    install: str = INSTALL


@dataclass(frozen=True)
class Rival:
    """What became of a peer; the ratio is its time over ours, None if it is not installed."""

    peer: Peer
    name: str
    ratio: float | None


@dataclass(frozen=True)
class Comparison:
    """Ours against the published way, and against every peer."""

    medians: Medians
    rivals: list[Rival]


def compare(
    ours: Work, reference: Work, peers: Sequence[Peer], rounds: int, clock: Clock = time.perf_counter
) -> Comparison:
    """Runs ours, the published way and all peers in turns.

    Args:
        ours: One unit of our work.
        reference: The same unit as published.
        peers: Other tools.
        rounds: Measured runs of each.
        clock: As for :func:`~benchmarks.timing.interleave`.
    """
    versions = [_version(peer.package) for peer in peers]
    installed = [peer for peer, found in zip(peers, versions, strict=True) if found]
    works = [peer.prepare() for peer in installed] + [peer.ours for peer in installed if peer.ours]
    own, published, *others = medians_in_turns([ours, reference, *works], rounds, clock)
    own_parts = iter(others[len(installed) :])
    ratios = {
        id(peer): seconds / (next(own_parts) if peer.ours else own)
        for peer, seconds in zip(installed, others[: len(installed)], strict=True)
    }
    rivals = [
        Rival(peer, f"{peer.package} {found}".strip(), ratios.get(id(peer)))
        for peer, found in zip(peers, versions, strict=True)
    ]
    return Comparison(Medians(own, published), rivals)


def with_peer(result: Result, rivals: Sequence[Rival]) -> Result:
    """The result with its strongest peer; the others are told in ``peer_how``."""
    measured = sorted(
        ((rival.ratio, rival) for rival in rivals if rival.ratio is not None), key=lambda pair: pair[0]
    )
    missing = [
        f"{rival.name} is not installed: {rival.peer.install}" for rival in rivals if rival.ratio is None
    ]
    if not measured:
        if missing:
            result["peer"] = ", ".join(rival.name for rival in rivals)
            result["peer_how"] = "; ".join(missing)
        return result
    (ratio, strongest), *others = measured
    slower = [f"{rival.name} ({rival.peer.how}): {other:.2f}" for other, rival in others]
    result["peer"], result["peer_ratio"] = strongest.name, ratio
    result["peer_how"] = "; ".join([strongest.peer.how, *slower, *missing])
    if ratio < 1 and strongest.peer.reason:
        result["reason"] = strongest.peer.reason
    return result


def check_equal(name: str, found: object, expected: object, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Raises RuntimeError if a peer finds something else: its speed would mean nothing."""
    if not np.allclose(np.asarray(found), np.asarray(expected), rtol=rtol, atol=atol, equal_nan=True):
        raise RuntimeError(f"{name} finds {found}, ours {expected}: not the same work.")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
