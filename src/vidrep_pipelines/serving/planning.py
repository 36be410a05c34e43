"""Plans for many who ask at once: one thread owns the policy, and what comes together is planned together."""

import logging
import queue
import threading
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, PlanRequest
from vidrep_pipelines.serving.config import BatchingConfig
from vidrep_pipelines.serving.questions import RefusedError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Planned:
    """A chunk, and with how many it was planned.

    Attributes:
        actions: (T, A).
        batch: Requests in the call of the policy.
    """

    actions: FloatArray
    batch: int


@dataclass(frozen=True, eq=False)
class _Waiting:
    request: PlanRequest
    planned: "Future[Planned]" = field(default_factory=Future)

    @property
    def kind(self) -> Hashable:
        """Requests of one kind can be one batch; other pictures are another one."""
        seen = self.request.observation
        shapes = tuple(sorted((camera, picture.shape) for camera, picture in seen.pictures.items()))
        return shapes, seen.state.shape


class PlanningThread:
    """Owns a policy: nobody else calls it.

    Args:
        policy: What plans.
        config: How requests are put together.
        waiting: Requests that may wait.
    """

    def __init__(self, policy: ChunkPolicy, config: BatchingConfig, waiting: int) -> None:
        self._policy, self._config = policy, config
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="planning", daemon=True)
        self._thread.start()

    @property
    def chunk_length(self) -> int:
        """Actions of a plan."""
        return self._policy.chunk_length

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._queue.qsize()

    def submit(self, request: PlanRequest) -> "Future[Planned]":
        """Puts a request into the queue; a future that is canceled before its turn is not planned.

        Raises:
            RefusedError: The queue is full, or the service ends (503).
        """
        if self._closed.is_set():
            raise RefusedError(503, "The service is ending.")
        waiting = _Waiting(request)
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise RefusedError(503, "Too many requests are waiting. Remedy: ask less often.") from None
        return waiting.planned

    def close(self, seconds: float = 5.0) -> None:
        """Refuses what waits, and ends the thread; a plan that is being made gets some seconds to end."""
        self._closed.set()
        while True:
            try:
                left = self._queue.get_nowait()
            except queue.Empty:
                break
            if left is not None and left.planned.set_running_or_notify_cancel():
                left.planned.set_exception(RefusedError(503, "The service is ending."))
        self._queue.put(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            until = time.monotonic() + self._config.wait_milliseconds / 1000
            while len(batch) < self._config.most:
                try:
                    more = self._queue.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    break
                if more is None:
                    self._queue.put(None)
                    break
                batch.append(more)
            self._answer(batch)

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        asked = [waiting for waiting in batch if waiting.planned.set_running_or_notify_cancel()]
        kinds: dict[Hashable, list[_Waiting]] = {}
        for waiting in asked:
            kinds.setdefault(waiting.kind, []).append(waiting)
        for group in kinds.values():
            self._plan(group)

    def _plan(self, group: Sequence[_Waiting]) -> None:
        try:
            chunks = self._policy.plan([waiting.request for waiting in group])
            self._check(chunks, len(group))
        except Exception as error:
            if len(group) > 1:  # whose request it was, each alone shows
                for waiting in group:
                    self._plan([waiting])
                return
            group[0].planned.set_exception(_refusal(error))
            return
        for waiting, actions in zip(group, chunks, strict=True):
            waiting.planned.set_result(Planned(actions, len(group)))

    def _check(self, chunks: FloatArray, count: int) -> None:
        if chunks.ndim != 3 or chunks.shape[:2] != (count, self._policy.chunk_length):
            raise RefusedError(500, "The policy plans chunks of another size than it says.")
        if not np.isfinite(chunks).all():
            raise RefusedError(500, "The policy planned actions that are not finite.")


def _refusal(error: Exception) -> RefusedError:
    """What a client is told; what it is not at fault for is logged, and told in general words only."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, VidrepError):
        return RefusedError(422, str(error))
    _log.error("The policy failed.", exc_info=error)
    return RefusedError(500, "The policy failed; the service's log says how.")
