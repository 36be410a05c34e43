"""The two WebSockets, asked by clients that are written here as their wires are described."""

import io
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.rollouts import Noisy, Steady
from tests.helpers.serving import PICTURE, Listening, get, listening, until
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest

import msgpack  # isort: skip
from websockets.exceptions import ConnectionClosed, InvalidStatus  # isort: skip
from websockets.sync.client import ClientConnection, connect  # isort: skip

TOKEN = "a-token-of-thirty-two-letters-..."
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def opened(running: Listening, path: str = "/openpi", **headers: str) -> ClientConnection:
    address = running.address.replace("http", "ws") + path
    return connect(address, compression=None, max_size=None, additional_headers=headers or None)


def as_bytes(array: Any) -> dict[bytes, Any]:
    """An array in openpi's wire."""
    data = {"__ndarray__": True, "data": array.tobytes(), "dtype": array.dtype.str, "shape": array.shape}
    return {name.encode(): value for name, value in data.items()}


def array_of(fields: dict[Any, Any]) -> Any:
    plain = {key.decode() if isinstance(key, bytes) else key: value for key, value in fields.items()}
    return np.frombuffer(plain["data"], plain["dtype"]).reshape(plain["shape"])


def observed(**changed: Any) -> bytes:
    """What a client of openpi sends for LIBERO."""
    seen = {
        "observation/image": as_bytes(PICTURE),
        "observation/wrist_image": as_bytes(PICTURE.transpose(2, 0, 1)),
        "observation/state": as_bytes(np.array([0.5, -1.0], np.float32)),
        "prompt": "lift the red block",
    }
    return bytes(msgpack.packb(seen | changed))


def test_openpi_is_told_who_answers_and_gets_chunks() -> None:
    policy = Steady((1.0, 2.0))
    config = {"cameras": {"observation/image": "front"}}
    with listening(policy, openpi=config) as running, opened(running) as client:
        about = msgpack.unpackb(client.recv())
        client.send(observed())
        first = msgpack.unpackb(client.recv(), strict_map_key=False)
        client.send(observed(time_stamp=7.25))
        second = msgpack.unpackb(client.recv(), strict_map_key=False)
    assert about == {"policy": "a policy", "action_horizon": 2}
    assert array_of(first["actions"]).tolist() == [[1.0], [2.0]]
    assert array_of(first["actions"]).dtype == np.float32
    assert first["server_timing"].keys() == {"infer_ms"} and second["time_stamp"] == 7.25
    assert second["server_timing"]["prev_total_ms"] > 0
    request = policy.requests[0][0]
    np.testing.assert_array_equal(request.observation.pictures["front"], PICTURE)
    np.testing.assert_array_equal(request.observation.pictures["wrist_image"], PICTURE)
    np.testing.assert_array_equal(request.observation.state, [0.5, -1.0])
    assert request.instruction == "lift the red block"
    assert [asked[0].step for asked in policy.requests] == [0, 1]


def test_openpi_with_nested_pictures_and_a_state_in_parts() -> None:
    policy = Steady()
    config = {"state": ["joints", "gripper"], "instruction": "task"}
    seen = {
        "images": {"cam_high": as_bytes(PICTURE)},
        "joints": as_bytes(np.arange(3.0)),
        "gripper": {b"__npgeneric__": True, b"data": 0.5, b"dtype": "<f8"},
        "task": "go",
    }
    with listening(policy, openpi=config) as running, opened(running, "/") as client:
        client.recv()
        client.send(msgpack.packb(seen))
        client.recv()
    request = policy.requests[0][0]
    assert list(request.observation.pictures) == ["cam_high"] and request.instruction == "go"
    np.testing.assert_array_equal(request.observation.state, [0, 1, 2, 0.5])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\xc1", "no MessagePack"),
        ("a text", "messages are binary"),
        (bytes(msgpack.packb({"prompt": "go"})), "no picture"),
        (observed(prompt=3), "prompt is no text"),
        (observed(time_stamp="now"), "time_stamp"),
        (observed(**{"observation/state": "text"}), "observation/state holds no numbers"),
        (observed(**{"observation/state": as_bytes(np.array([np.nan]))}), "not finite"),
        (observed(x={b"__ndarray__": True, b"data": b"", b"dtype": "O", b"shape": [0]}), "plain numbers"),
    ],
)
def test_openpi_reads_what_is_refused_as_a_text_and_the_connection_ends(
    message: str | bytes, reason: str
) -> None:
    with listening() as running, opened(running) as client:
        client.recv()
        client.send(message)
        answer = client.recv()
        assert isinstance(answer, str) and reason in answer
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert 'protocol="openpi",status="422"' in get(running.address, "/metrics")[1]


def envelope(kind: str, payload: Any, seq: Any, **changed: Any) -> bytes:
    message = {"type": kind, "payload": payload, "seq": seq, "timestamp": 103.0}
    return bytes(msgpack.packb(message | changed))


def png(pixels: Any = PICTURE) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return {"__image__": True, "format": "png", "data": buffer.getvalue(), "shape": list(pixels.shape)}


def seen(**changed: Any) -> dict[str, Any]:
    states = np.array([0.5, -1.0], np.float32)
    fields = {"__ndarray__": True, "data": states.tobytes(), "dtype": states.dtype.str, "shape": [2]}
    return {
        "images": {"rgb_static": png()},
        "states": fields,
        "task_description": "open the drawer",
    } | changed


def answered(client: ClientConnection, message: bytes) -> Any:
    client.send(message)
    return msgpack.unpackb(client.recv())


def test_vla_eval_gets_one_action_for_every_observation() -> None:
    policy = Steady((1.0, 2.0, 3.0))
    parameters = {
        "vla_eval": {"execute_steps": 2, "cameras": {"rgb_static": "static"}, "action_scale": [0.02]}
    }
    with listening(policy, **parameters) as running, opened(running, "/vla-eval") as client:
        hello = answered(client, envelope("hello", {"harness_version": "0.9", "new": 1}, 1, newer=True))
        client.send(envelope("episode_start", {"task": {"name": "seq_0000"}, "mode": "sync"}, 2))
        answers = [answered(client, envelope("observation", seen(), seq)) for seq in range(3, 8)]
        client.send(envelope("episode_end", {"success": True}, 8))
        client.send(envelope("episode_start", {"task": {"name": "seq_0001"}}, 9))
        again = answered(client, envelope("observation", seen(), 10))
    assert (hello["type"], hello["seq"]) == ("hello", 1)
    assert hello["payload"]["harness_version"] == "0.9" and hello["payload"]["model_server"] == "a policy"
    assert [answer["type"] for answer in answers] == ["action"] * 5
    assert [answer["seq"] for answer in answers] == [3, 4, 5, 6, 7]
    actions = [array_of(answer["payload"]["actions"]) for answer in answers]
    np.testing.assert_allclose(np.ravel(actions), [0.02, 0.04, 0.02, 0.04, 0.02], rtol=1e-6)
    assert actions[0].shape == (1,) and answers[0]["payload"]["time_stamp"] == 103.0
    assert array_of(again["payload"]["actions"])[0] == pytest.approx(0.02)
    assert [request.step for [request] in policy.requests] == [0, 2, 4, 0]
    request = policy.requests[0][0]
    np.testing.assert_array_equal(request.observation.pictures["static"], PICTURE)
    np.testing.assert_array_equal(request.observation.state, [0.5, -1.0])
    assert request.instruction == "open the drawer" and request.episode.startswith("seq_0000")


def test_vla_eval_drops_the_chunk_where_the_next_task_begins() -> None:
    policy = Steady((1.0, 2.0))
    with listening(policy) as running, opened(running, "/vla-eval") as client:
        client.send(envelope("episode_start", {}, 1))
        for seq, changed in enumerate(
            [{}, {"episode_restart": True}, {"task_description": "close it"}, {}], 2
        ):
            answer = answered(client, envelope("observation", seen(**changed), seq))
            assert array_of(answer["payload"]["actions"]).tolist() == [1.0]
    assert [request.instruction for [request] in policy.requests] == [
        "open the drawer",
        "open the drawer",
        "close it",
        "open the drawer",
    ]
    assert len({request.seed for [request] in policy.requests}) == 4


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\xc1", "no MessagePack"),
        (envelope("what", {}, 5), "type"),
        (envelope("observation", 3, 5), "payload"),
        (envelope("observation", {}, "five"), "seq"),
        (envelope("observation", seen(task_description=3), 5), "task_description"),
        (envelope("observation", seen(images={}), 5), "no picture"),
        (envelope("observation", seen(images={"depth": [1.0]}), 5), "images.depth is no picture"),
        (envelope("observation", seen(states="text"), 5), "states holds no numbers"),
    ],
)
def test_vla_eval_reads_errors_and_the_connection_stays(message: bytes, reason: str) -> None:
    with listening(root="vla_eval") as running, opened(running, "/") as client:
        answer = answered(client, message)
        assert answer["type"] == "error" and reason in answer["payload"]["error"]
        assert answered(client, envelope("observation", seen(), 9))["type"] == "action"


def test_messages_that_are_too_long_end_the_connection() -> None:
    with listening(bounds={"message_bytes": 2048}) as running, opened(running, "/vla-eval") as client:
        client.send(bytes(5000))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


def test_a_connection_that_says_nothing_is_closed() -> None:
    with listening(bounds={"idle_seconds": 0.2}) as running:
        client = opened(running, "/vla-eval")
        with client, pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
    assert closed.value.rcvd is not None and "too long" in closed.value.rcvd.reason


def test_a_connection_that_asks_too_often_waits() -> None:
    with listening(bounds={"per_second": 10}) as running, opened(running, "/vla-eval") as client:
        began = time.monotonic()
        for seq in range(14):
            assert answered(client, envelope("observation", seen(), seq))["type"] == "action"
    assert time.monotonic() - began > 0.25


def test_tokens_origins_and_the_number_of_connections() -> None:
    with listening(token=TOKEN, bounds={"connections": 1, "waiting": 8}) as running:
        for path, headers in (
            ("/openpi", {}),
            ("/openpi?token=wrong", {}),
            ("/openpi", {"Authorization": "Api-Key wrong"}),
            (f"/openpi?token={TOKEN}", {"Origin": "https://example.com"}),
            (f"/elsewhere?token={TOKEN}", {}),
        ):
            with pytest.raises(InvalidStatus) as refused:
                opened(running, path, **headers)
            assert refused.value.response.status_code in (401, 403)
        with opened(running, Authorization=f"Api-Key {TOKEN}"), pytest.raises(InvalidStatus):
            opened(running, f"/vla-eval?token={TOKEN}")
        until(lambda: "vidrep_open_sockets 0.0" in get(running.address, "/metrics", BEARER)[1])
        with opened(running, f"/vla-eval?token={TOKEN}") as client:
            assert answered(client, envelope("hello", {}, 0))["type"] == "hello"


def test_a_fault_of_the_policy_is_told_without_its_words() -> None:
    class Failing(Noisy):
        def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
            raise RuntimeError("secret")

    with listening(Failing()) as running, opened(running, "/vla-eval") as client:
        answer = answered(client, envelope("observation", seen(), 1))
    assert answer["type"] == "error" and "secret" not in answer["payload"]["error"]
