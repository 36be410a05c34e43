"""How many items travel together, from how long the last ones took."""

_WEIGHT = 0.9
"""Of what was known before, for each item more."""


class Pace:
    """Lengths of batches that take about the same time, however quick the items are.

    The first batches hold one item, since nothing is known yet.

    Args:
        seconds: How long a batch should take.
        longest: Most items of a batch.
    """

    def __init__(self, seconds: float, longest: int) -> None:
        self._seconds, self._longest = seconds, longest
        self._seconds_per_item = seconds

    def length(self) -> int:
        """Items of the next batch, at least one."""
        return max(1, min(self._longest, int(self._seconds / max(self._seconds_per_item, 1e-9))))

    def note(self, seconds: float, items: int = 1) -> None:
        """Learns from ``items`` that together took ``seconds``."""
        kept = _WEIGHT**items
        self._seconds_per_item = kept * self._seconds_per_item + (1 - kept) * seconds / items
