"""The WebSocket of openpi: the server says who it is, then every observation is answered with a chunk.

Messages are bare maps in MessagePack, arrays in them marked by keys that are bytes. An error is a text, after
which the connection ends. Observations have no fixed names: pictures are what looks like pictures.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.serving.config import OpenpiConfig
from vidrep_pipelines.serving.msgpack_arrays import packed, unpacked
from vidrep_pipelines.serving.questions import Question, RefusedError
from vidrep_pipelines.serving.service import Answer, PolicyService
from vidrep_pipelines.serving.sockets import INTERNAL_ERROR, POLICY_VIOLATION, BoundedSocket

PROTOCOL = "openpi"


async def serve_openpi(socket: BoundedSocket, service: PolicyService) -> None:
    """Answers a client until it goes, or sends what is refused."""
    about = {"policy": service.identity, "action_horizon": service.chunk_length}
    try:
        await socket.send(packed(about, bytes_keys=True))
        await _answer_all(socket, service)
    except RefusedError as refusal:
        service.metrics.refused(PROTOCOL, refusal.status)
        await socket.send(refusal.reason)
        await socket.close(POLICY_VIOLATION if refusal.status < 500 else INTERNAL_ERROR, refusal.reason[:100])


async def _answer_all(socket: BoundedSocket, service: PolicyService) -> None:
    step, before = 0, None
    while (data := await socket.receive()) is not None:
        began = time.perf_counter()
        question = await asyncio.to_thread(openpi_question, data, service.config.openpi, step, service)
        answer = await service.answer(question, PROTOCOL)
        await socket.send(packed(openpi_message(answer, before), bytes_keys=True))
        step, before = step + 1, time.perf_counter() - began


def openpi_message(answer: Answer, before: float | None) -> dict[str, Any]:
    """What a client gets: ``actions`` (T, A) float32, the observation's time stamp, and how long it took.

    Args:
        answer: The chunk.
        before: Seconds that the request before this one took as a whole.
    """
    timing = {"infer_ms": 1000 * answer.seconds}
    if before is not None:
        timing["prev_total_ms"] = 1000 * before
    actions = answer.actions.astype(np.float32)
    return {"actions": actions, "time_stamp": answer.time_stamp, "server_timing": timing}


def openpi_question(data: bytes, config: OpenpiConfig, step: int, service: PolicyService) -> Question:
    """What an observation asks.

    Args:
        data: The message.
        config: Which names mean what.
        step: Observations of this connection so far, where the message has none of its own.
        service: Whose bounds count.

    Raises:
        RefusedError: It is no such message.
    """
    entries = _flat(unpacked(data, service.config.bounds.picture_side))
    instruction = entries.get(config.instruction, "")
    stamp, episode, step = (
        entries.get(name, default) for name, default in (("time_stamp", 0.0), ("episode", ""), ("step", step))
    )
    if not isinstance(instruction, str):
        raise RefusedError(422, f"{config.instruction} is no text.")
    if not isinstance(stamp, int | float) or not isinstance(episode, str) or type(step) is not int:
        raise RefusedError(422, "time_stamp, episode or step is not what it should be.")
    pictures: dict[str, Pixels] = {}
    for name, value in entries.items():
        picture = picture_in(value)
        if picture is not None:
            pictures[config.cameras.get(name, name.rpartition("/")[2])] = picture
    return Question(
        pictures, instruction, float(stamp), numbers_of(entries, config.state), episode[:200], max(step, 0)
    )


def picture_in(value: object) -> Pixels | None:
    """A picture (H, W, 3) uint8, if a value is one, also with its channels first."""
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.ndim != 3:
        return None
    if value.shape[2] == 3:
        return value
    return value.transpose(1, 2, 0) if value.shape[0] == 3 else None


def numbers_of(entries: Mapping[str, Any], names: tuple[str, ...]) -> FloatArray:
    """Those of the named entries that are there, one after the other: (S,) float64.

    Raises:
        RefusedError: One of them holds no numbers.
    """
    parts: list[NDArray[Any]] = []
    for name in names:
        if name in entries:
            try:
                parts.append(np.asarray(entries[name], np.float64).reshape(-1))
            except (TypeError, ValueError) as error:
                raise RefusedError(422, f"{name} holds no numbers.") from error
    return np.concatenate(parts) if parts else np.zeros(0)


def _flat(entries: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Maps in maps with their names joined by slashes."""
    flat: dict[str, Any] = {}
    for name, value in entries.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}/")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
