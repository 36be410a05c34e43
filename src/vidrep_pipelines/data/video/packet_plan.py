"""Which packets have to be decoded to obtain the wanted frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.data.video.packet_index import PacketIndex


@dataclass(frozen=True)
class DecodingRun:
    """Packets that are decoded in one go, starting from a keyframe, or from the first packet of the file.

    Attributes:
        packets: Packet numbers, ascending.
        targets: Which of them hold the wanted frames.
    """

    packets: tuple[int, ...]
    targets: frozenset[int]


def plan_runs(index: PacketIndex, ranks: Sequence[int]) -> list[DecodingRun]:
    """Groups the wanted frames into runs; frames whose groups of pictures overlap share one.

    Frames that nobody wants and to which no other frame refers (most B-frames) are left out.

    Args:
        index: The file's packets.
        ranks: Wanted frames by presentation order, ascending, each within the clip.
    """
    wanted = sorted(int(index.presented[rank]) for rank in ranks)
    spans: list[tuple[int, int, list[int]]] = []
    for target in wanted:
        start = _keyframe_before(index, target)
        if spans and start <= spans[-1][1]:
            first, _, targets = spans.pop()
            # Of two frames in decoding order, the later may need an earlier start (leading pictures).
            spans.append((min(first, start), target, [*targets, target]))
        else:
            spans.append((start, target, [target]))
    return [_run(index, *span) for span in spans]


def _keyframe_before(index: PacketIndex, target: int) -> int:
    """The last keyframe that is stored before the target and also shown before it; else the first packet.

    Frames stored after a keyframe but shown before it refer to the previous group. A file that begins within
    a group is decoded from its beginning, as reading it in order does.
    """
    candidates = np.flatnonzero(index.keyframes[: target + 1])
    earlier = candidates[index.times[candidates] <= index.times[target]]
    return int(earlier[-1]) if len(earlier) else 0


def _run(index: PacketIndex, start: int, end: int, targets: Sequence[int]) -> DecodingRun:
    end = _completed(index, end)
    needed = ~index.droppable[start : end + 1]
    for target in targets:
        needed[target - start : _completed(index, target) + 1 - start] = True
    return DecodingRun(
        packets=tuple((np.flatnonzero(needed) + start).tolist()),
        targets=frozenset(targets),
    )


def _completed(index: PacketIndex, target: int) -> int:
    """The last packet of a frame: where fields are stored one by one, the second shows no frame itself."""
    last = target
    while last + 1 < len(index.discarded) and index.discarded[last + 1] and not index.keyframes[last + 1]:
        last += 1
    return last
