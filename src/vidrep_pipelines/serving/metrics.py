"""What a service counts: for Prometheus to fetch, and for its own log."""

import logging
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from vidrep_pipelines.common.arrays import FloatArray

_LATENCIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_MOST_REMEMBERED = 100_000
_log = logging.getLogger(__name__)


class ServiceMetrics:
    """Counts of one service.

    Args:
        waiting: Tells how many requests are in the queue.
        log_seconds: How often latencies are logged while there are some.
        clock: Seconds.
    """

    def __init__(
        self, waiting: Callable[[], int], log_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "vidrep_requests",
            "Requests by protocol and HTTP's status for how they ended.",
            ["protocol", "status"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "vidrep_plan_seconds",
            "From a checked request to its chunk, the queue included.",
            ["protocol"],
            buckets=_LATENCIES,
            registry=self._registry,
        )
        self._batch = Histogram(
            "vidrep_batch_requests",
            "Requests that were planned in one call, by request.",
            buckets=_BATCHES,
            registry=self._registry,
        )
        self.sockets = Gauge("vidrep_open_sockets", "WebSockets that are open.", registry=self._registry)
        queued = Gauge("vidrep_waiting_requests", "Requests in the queue.", registry=self._registry)
        queued.set_function(waiting)
        self._clock, self._log_seconds, self._logged = clock, log_seconds, clock()
        self._recent: deque[tuple[float, int]] = deque(maxlen=_MOST_REMEMBERED)

    def planned(self, protocol: str, seconds: float, batch: int) -> None:
        """Counts a chunk that was planned in so many seconds, with others in one call."""
        self._answers.labels(protocol, "200").inc()
        self._latency.labels(protocol).observe(seconds)
        self._batch.observe(batch)
        self._recent.append((seconds, batch))
        if self._clock() - self._logged >= self._log_seconds:
            self.log_latencies()

    def held(self, protocol: str) -> None:
        """Counts a request that was answered from a chunk planned before."""
        self._answers.labels(protocol, "200").inc()

    def refused(self, protocol: str, status: int) -> None:
        """Counts a request that was refused, or failed."""
        self._answers.labels(protocol, str(status)).inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def log_latencies(self) -> None:
        """Logs the latencies since the last time, if there were any: percentiles and a histogram."""
        passed, self._logged = self._clock() - self._logged, self._clock()
        if not self._recent:
            return
        seconds, batches = np.array(self._recent).T
        self._recent.clear()
        median, most, worst = 1000 * np.quantile(seconds, [0.5, 0.95, 0.99])
        _log.info(
            "%d plans in %.0f s, %.1f in a call; latency %.1f ms at the median, %.1f at 95 %%, "
            "%.1f at 99 %%; %s",
            len(seconds),
            passed,
            batches.mean(),
            median,
            most,
            worst,
            _histogram_text(seconds),
        )


def _histogram_text(seconds: FloatArray) -> str:
    counts = np.bincount(np.searchsorted(_LATENCIES, seconds), minlength=len(_LATENCIES) + 1)
    names = [f"up to {1000 * limit:g} ms" for limit in _LATENCIES] + ["more"]
    return ", ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True) if count)
