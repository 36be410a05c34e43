import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np
import pytest

from tests.helpers import serve_extra  # noqa: F401 - first
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest
from vidrep_pipelines.serving.config import BatchingConfig
from vidrep_pipelines.serving.planning import PlanningThread
from vidrep_pipelines.serving.questions import RefusedError

PATIENT = BatchingConfig(most=4, wait_milliseconds=500)


def wanted(number: int, side: int = 2) -> PlanRequest:
    seen = Observation({"front": np.zeros((side, side, 3), np.uint8)}, np.zeros(1))
    return PlanRequest(seen, "go", "episode", number, number)


class Numbered:
    """Plans the numbers of the requests; may wait, or fail, before."""

    chunk_length = 2

    def __init__(self, before: Callable[[Sequence[PlanRequest]], object] = len) -> None:
        self.calls: list[list[int]] = []
        self._before = before

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        self.calls.append([request.step for request in requests])
        self._before(requests)
        return np.array([[[float(request.step)]] * 2 for request in requests])


def said(future: "Future[Any]") -> float:
    return float(future.result(10).actions[0, 0])


def test_requests_that_come_together_are_planned_in_one_call() -> None:
    policy = Numbered()
    planning = PlanningThread(policy, PATIENT, 8)
    futures = [planning.submit(wanted(number)) for number in range(4)]
    assert [said(future) for future in futures] == [0, 1, 2, 3]
    assert policy.calls == [[0, 1, 2, 3]] and futures[0].result().batch == 4
    planning.close()


def test_a_single_request_waits_no_longer_than_it_is_told() -> None:
    planning = PlanningThread(Numbered(), BatchingConfig(most=4, wait_milliseconds=1), 8)
    assert said(planning.submit(wanted(3))) == 3
    planning.close()


def test_no_more_are_planned_at_once_than_the_policy_is_meant_to() -> None:
    first, go_on = threading.Event(), threading.Event()

    def hold(requests: Sequence[PlanRequest]) -> None:
        first.set()
        go_on.wait(10)

    policy = Numbered(hold)
    planning = PlanningThread(policy, BatchingConfig(most=3, wait_milliseconds=0), 16)
    futures = [planning.submit(wanted(0))]
    first.wait(10)
    futures += [planning.submit(wanted(number)) for number in range(1, 8)]
    go_on.set()
    assert [said(future) for future in futures] == list(range(8))
    assert policy.calls == [[0], [1, 2, 3], [4, 5, 6], [7]]
    planning.close()


def test_pictures_of_other_sizes_are_another_call() -> None:
    policy = Numbered()
    planning = PlanningThread(policy, PATIENT, 8)
    futures = [planning.submit(wanted(number, side=2 + number % 2)) for number in range(4)]
    assert [said(future) for future in futures] == [0, 1, 2, 3]
    assert policy.calls == [[0, 2], [1, 3]]
    planning.close()


@pytest.mark.parametrize(
    ("raised", "status", "reason"),
    [(InputError("wrong camera"), 422, "wrong camera"), (ZeroDivisionError("secret"), 500, "log says how")],
)
def test_one_request_that_fails_does_not_spoil_its_neighbors(
    raised: Exception, status: int, reason: str
) -> None:
    def fail(requests: Sequence[PlanRequest]) -> None:
        if 1 in [request.step for request in requests]:
            raise raised

    planning = PlanningThread(Numbered(fail), PATIENT, 8)
    futures = [planning.submit(wanted(number)) for number in range(4)]
    assert [said(futures[number]) for number in (0, 2, 3)] == [0, 2, 3]
    with pytest.raises(RefusedError, match=reason) as refused:
        futures[1].result(10)
    assert refused.value.status == status and "secret" not in refused.value.reason
    planning.close()


@pytest.mark.parametrize(
    ("chunks", "reason"), [(np.zeros((1, 3, 1)), "another size"), (np.full((1, 2, 1), np.nan), "not finite")]
)
def test_chunks_that_cannot_be_executed_are_not_sent(chunks: FloatArray, reason: str) -> None:
    class Wrong:
        chunk_length = 2

        def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
            return chunks

    planning = PlanningThread(Wrong(), BatchingConfig(wait_milliseconds=0), 8)
    with pytest.raises(RefusedError, match=reason):
        planning.submit(wanted(0)).result(10)
    planning.close()


def test_a_full_queue_refuses_a_canceled_request_is_skipped_and_an_end_is_told() -> None:
    first, go_on = threading.Event(), threading.Event()

    def hold(requests: Sequence[PlanRequest]) -> None:
        first.set()
        go_on.wait(10)

    policy = Numbered(hold)
    planning = PlanningThread(policy, BatchingConfig(most=1, wait_milliseconds=0), 2)
    running = planning.submit(wanted(0))
    first.wait(10)
    canceled, waiting = planning.submit(wanted(1)), planning.submit(wanted(2))
    with pytest.raises(RefusedError, match="Too many") as refused:
        planning.submit(wanted(3))
    assert refused.value.status == 503 and planning.waiting == 2
    assert canceled.cancel()
    closing = threading.Thread(target=planning.close)
    closing.start()
    with pytest.raises(RefusedError, match="ending"):
        waiting.result(10)
    go_on.set()
    assert said(running) == 0
    closing.join(10)
    with pytest.raises(CancelledError):
        canceled.result()
    with pytest.raises(RefusedError, match="ending"):
        planning.submit(wanted(4))
    assert policy.calls == [[0]]
