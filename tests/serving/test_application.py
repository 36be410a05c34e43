"""The service as it listens: over HTTP, with what nobody should be able to do to it."""

import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.helpers.rollouts import Noisy, Steady
from tests.helpers.serving import asked, get, listening, post
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest

TOKEN = "a-token-of-thirty-two-letters-..."
CLOSING = b"Connection: close\r\n\r\n"


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: here", *lines, "", ""]).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_chunk_is_planned_and_bears_the_time_stamp() -> None:
    policy = Steady((1.0, 2.0))
    with listening(policy) as running:
        status, answer = post(running.address, asked(time_stamp=1764500000.123456, episode="first", step=3))
    assert status == 200
    assert answer["actions"] == [[1.0], [2.0]] and answer["time_stamp"] == 1764500000.123456
    assert answer["policy"] == "a policy" and answer["batch"] == 1
    [[request]] = policy.requests
    assert (request.instruction, request.episode, request.step) == ("lift the red block", "first", 3)
    np.testing.assert_array_equal(request.observation.state, [0.5, -1.0])


def test_noise_follows_from_seed_episode_and_step() -> None:
    def planned(seed: int, episode: str, step: int) -> str:
        with listening(Noisy(), seed=seed) as running:
            return str(post(running.address, asked(episode=episode, step=step))[1]["actions"])

    same = planned(0, "a", 0)
    assert planned(0, "a", 0) == same
    assert len({same, planned(1, "a", 0), planned(0, "b", 0), planned(0, "a", 1)}) == 4


def test_concurrent_requests_are_planned_together_and_each_gets_its_own() -> None:
    class Echo:
        chunk_length = 1

        def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
            return np.stack([request.observation.state[None] for request in requests])

    batching = {"most": 8, "wait_milliseconds": 300}
    with listening(Echo(), batching=batching) as running, ThreadPoolExecutor(8) as clients:
        bodies = [asked(state=[float(number)], time_stamp=float(number)) for number in range(8)]
        answers = list(clients.map(lambda body: post(running.address, body), bodies))
    assert [answer["actions"] for _, answer in answers] == [[[float(number)]] for number in range(8)]
    assert [answer["time_stamp"] for _, answer in answers] == [float(number) for number in range(8)]
    assert max(answer["batch"] for _, answer in answers) > 2


def test_health_metrics_and_schema(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), listening() as running:
        post(running.address, asked())
        post(running.address, b"{}")
        health, metrics = get(running.address, "/health"), get(running.address, "/metrics")
        assert get(running.address, "/healthz") == (200, "OK\n")
        schema = json.loads(get(running.address, "/openapi.json")[1])
        assert get(running.address, "/docs")[0] == 404
    assert health[0] == 200 and json.loads(health[1]) == {"status": "ok", "chunk_length": 4}
    assert 'vidrep_requests_total{protocol="http",status="200"} 1.0' in metrics[1]
    assert 'vidrep_requests_total{protocol="http",status="422"} 1.0' in metrics[1]
    assert 'vidrep_plan_seconds_bucket{le="+Inf",protocol="http"} 1.0' in metrics[1]
    body = schema["paths"]["/plan"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"pictures", "instruction", "time_stamp", "state"} <= body["properties"].keys()
    assert body["properties"]["instruction"]["description"] == "What is to be done."
    assert "1 plans in" in caplog.text and "at 99 %" in caplog.text


def test_faults_of_the_policy_are_told_apart() -> None:
    class Failing(Noisy):
        def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
            if requests[0].instruction == "wrong":
                raise InputError("no such camera. Remedy: another one.")
            raise RuntimeError("secret")

    with listening(Failing()) as running:
        assert post(running.address, asked(instruction="wrong")) == (
            422,
            {"detail": "no such camera. Remedy: another one."},
        )
        status, answer = post(running.address, asked(instruction="other"))
    assert status == 500 and "secret" not in str(answer)


def test_a_token_is_asked_for_of_all_but_watchers() -> None:
    with listening(token=TOKEN) as running:
        assert post(running.address, asked())[0] == 401
        assert post(running.address, asked(), {"Authorization": "Bearer wrong"})[0] == 401
        assert post(running.address, asked(), {"Authorization": TOKEN})[0] == 401
        assert get(running.address, "/metrics")[0] == 401
        assert get(running.address, f"/metrics?token={TOKEN}")[0] == 401
        assert get(running.address, "/health")[0] == 200
        for scheme in ("Bearer", "bearer", "Api-Key"):
            assert post(running.address, asked(), {"Authorization": f"{scheme} {TOKEN}"})[0] == 200


def test_web_pages_and_other_types_are_refused() -> None:
    with listening() as running:
        assert post(running.address, asked(), {"Origin": "https://example.com"})[0] == 403
        assert post(running.address, asked(), {"Content-Type": "text/plain"})[0] == 415
        assert get(running.address, "/plan")[0] == 405
        assert get(running.address, "/nowhere")[0] == 404


def test_too_many_requests_of_one_address_are_refused() -> None:
    with listening(bounds={"per_second": 0.001}) as running:
        assert [post(running.address, asked())[0] for _ in range(3)] == [200, 429, 429]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"not HTTP at all\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
        head("/plan", "Content-Type: application/json", "Content-Length: 9", "Connection: close")
        + b"not JSON.",
        head("/plan", "Content-Type: application/json", "Content-Length: -3"),
        head("/plan", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"zz\r\n",
        head("/plan", "Content-Type: application/json", "Content-Length: 99999999999", "Connection: close"),
    ],
    ids=["no HTTP", "header", "long", "no JSON", "negative length", "chunk", "huge length"],
)
def test_malformed_requests_are_answered_with_4xx(request_bytes: bytes) -> None:
    with listening() as running:
        assert 400 <= status_of(running.said(request_bytes)) < 500
        assert post(running.address, asked())[0] == 200


def test_a_body_that_is_too_long_is_read_to_its_end_and_refused() -> None:
    with listening(bounds={"message_bytes": 4096}) as running:
        status, answer = post(running.address, b" " * 20_000)
        assert status == 413 and "4096" in answer["detail"]
        chunked = b"".join(b"1000\r\n" + b" " * 4096 + b"\r\n" for _ in range(3)) + b"0\r\n\r\n"
        lines = ("Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close")
        assert status_of(running.said(head("/plan", *lines) + chunked)) == 413
        expecting = head(
            "/plan", "Content-Type: application/json", "Content-Length: 5000", "Expect: 100-continue"
        )
        assert status_of(running.said(expecting)) == 413


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"POST /plan HTTP/1.1\r\nHost: a\r\nContent-Ty",
        head("/plan", "Content-Type: application/json", "Content-Length: 100") + b"{",
    ],
    ids=["nothing", "headers", "body"],
)
def test_slow_requests_are_answered_with_408(begin: bytes) -> None:
    with listening(bounds={"receive_seconds": 0.3}) as running:
        began = time.monotonic()
        assert status_of(running.said(begin)) == 408
        assert time.monotonic() - began >= 0.3


def test_a_client_that_sends_drop_by_drop_does_not_hold_up_others() -> None:
    with listening(bounds={"receive_seconds": 2.0}) as running, running.connect() as slow:
        slow.sendall(head("/plan", "Content-Type: application/json", "Content-Length: 1000"))
        ended = threading.Event()

        def drip() -> None:
            try:
                while not ended.wait(0.05):
                    slow.sendall(b" ")
            except OSError:
                return

        dripping = threading.Thread(target=drip)
        dripping.start()
        statuses = {post(running.address, asked())[0] for _ in range(5)}
        answer = slow.recv(65536)
        ended.set()
        dripping.join(5)
    assert statuses == {200} and status_of(answer) == 408


def test_a_second_request_on_a_kept_connection_must_come_in_time_too() -> None:
    with listening(bounds={"receive_seconds": 1.5}) as running, running.connect() as kept:
        body = json.dumps(asked()).encode()
        kept.sendall(head("/plan", "Content-Type: application/json", f"Content-Length: {len(body)}") + body)
        assert status_of(kept.recv(65536)) == 200
        kept.sendall(b"POST /plan HT")
        assert status_of(kept.recv(65536)) == 408


def test_a_plan_that_takes_too_long_is_given_up() -> None:
    go_on = threading.Event()

    class Slow(Noisy):
        def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
            go_on.wait(10)
            return super().plan(requests)

    with listening(Slow(), bounds={"plan_seconds": 1.0}) as running:
        assert post(running.address, asked())[0] == 504
        go_on.set()
        assert post(running.address, asked())[0] == 200


def test_too_many_connections_are_refused() -> None:
    with listening(bounds={"connections": 2, "waiting": 8}) as running, running.connect() as one:
        one.sendall(head("/plan", "Content-Type: application/json", "Content-Length: 100"))
        with running.connect() as two:
            two.sendall(head("/plan", "Content-Type: application/json", "Content-Length: 100"))
            with running.connect() as three:
                three.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                assert status_of(three.recv(65536)) == 503
