"""Progress of long work: a bar on a terminal, a log line now and then elsewhere."""

import logging
import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Counts finished items. Use as a context manager and call :meth:`advance`.

    Args:
        total: How many items there are.
        label: What is being done, for example ``"resize"``.
        unit: What one item is, for example ``"clip"``.
        initial: How many were finished before.
    """

    def __init__(self, total: int, label: str, unit: str = "item", initial: int = 0) -> None:
        self._total, self._label, self._unit = total, label, unit
        self._done, self._initial = initial, initial
        self._log = logging.getLogger(__name__)
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        self._started = self._last_line = time.monotonic()
        self._bar = tqdm(
            total=self._total,
            desc=self._label,
            unit=self._unit,
            initial=self._initial,
            disable=not self._terminal,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Records ``count`` more finished items; ``note`` is shown beside them, for example a loss."""
        self._done += count
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(count)
        now = time.monotonic()
        if not self._terminal and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            self._log.info(self._line(now, note))

    def _line(self, now: float, note: str) -> str:
        rate = (self._done - self._initial) / max(now - self._started, 1e-9)
        left = (self._total - self._done) / rate if rate else float("inf")
        text = f"{self._label}: {self._done}/{self._total} {self._unit}s, {rate:.2f}/s, {left:.0f} s left"
        return f"{text}, {note}" if note else text
