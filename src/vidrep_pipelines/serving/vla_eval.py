"""The WebSocket of vla-eval: envelopes with a type, one action for every observation.

An envelope has ``type``, ``payload``, ``seq`` and ``timestamp``; an answer bears the ``seq`` of what it
answers. Arrays are marked by keys that are texts, pictures are arrays, PNG or JPEG. A chunk is kept here and
handed out action by action. An error is answered, and the connection stays.
"""

import asyncio
import time
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, ValidationError

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.protocol import Observation
from vidrep_pipelines.evaluation.rollouts.session import PolicySession
from vidrep_pipelines.serving.config import VlaEvalConfig
from vidrep_pipelines.serving.msgpack_arrays import packed, unpacked
from vidrep_pipelines.serving.openpi import numbers_of, picture_in
from vidrep_pipelines.serving.questions import Finite, Question, RefusedError, checked_question, reasons_of
from vidrep_pipelines.serving.service import PolicyService
from vidrep_pipelines.serving.sockets import BoundedSocket

PROTOCOL = "vla_eval"


class Envelope(FrozenConfig):
    """A message of vla-eval; what else newer versions put into it is not read."""

    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=True)

    type: Literal["hello", "episode_start", "observation", "episode_end", "error"]
    """What the payload means."""

    payload: dict[str, Any]
    """By type."""

    seq: int = Field(ge=0, lt=2**53)
    """Number of the message in its connection."""

    timestamp: Finite = 0.0
    """Seconds of the client's clock when it was made."""


async def serve_vla_eval(socket: BoundedSocket, service: PolicyService) -> None:
    """Answers a benchmark until it goes."""
    session = BenchmarkSession(service)
    number = 0
    while True:
        try:
            data = await socket.receive()
            if data is None:
                return
            envelope = await asyncio.to_thread(envelope_of, data, service.config.bounds.picture_side)
            number = envelope.seq
            answer = await session.answer(envelope)
        except RefusedError as refusal:
            service.metrics.refused(PROTOCOL, refusal.status)
            answer = "error", {"error": refusal.reason}
        if answer is not None:
            kind, payload = answer
            message = {"type": kind, "payload": payload, "seq": number, "timestamp": time.time()}
            await socket.send(packed(message, bytes_keys=False))


def envelope_of(data: bytes, side: int) -> Envelope:
    """The envelope in a message.

    Raises:
        RefusedError: There is none.
    """
    try:
        return Envelope.model_validate(unpacked(data, side))
    except ValidationError as error:
        raise RefusedError(422, reasons_of(error)) from error


class BenchmarkSession:
    """One connection: its episode, and what is left of its chunk.

    Args:
        service: What plans.

    Raises:
        ConfigurationError: More actions are to be handed out than the policy plans.
    """

    def __init__(self, service: PolicyService) -> None:
        self._service, self._config = service, service.config.vla_eval
        rollouts = RolloutConfig(execute_steps=self._config.execute_steps, seed=service.config.seed)
        rollouts.check_chunk(service.chunk_length)
        self._session = PolicySession(rollouts)
        self._instruction, self._episode, self._restarts = "", "", 0
        self._session.reset("", "")

    async def answer(self, envelope: Envelope) -> tuple[str, dict[str, Any]] | None:
        """Type and payload of the answer; none where none is expected.

        Raises:
            RefusedError: The observation is none, or cannot be answered.
        """
        payload = envelope.payload
        if envelope.type == "hello":
            version = payload.get("harness_version")
            return "hello", {
                "harness_version": version if isinstance(version, str) else "",
                "model_server": self._service.identity,
                "capabilities": {},
            }
        if envelope.type == "episode_start":
            self._begin(_episode_name(payload))
        elif envelope.type == "observation":
            return "action", await self._act(envelope)
        return None

    def _begin(self, episode: str) -> None:
        self._episode, self._restarts = episode, 0
        self._session.reset(episode, self._instruction)

    def _restart(self, instruction: str) -> None:
        self._restarts += 1
        self._instruction = instruction
        self._session.reset(f"{self._episode}/{self._restarts}", instruction)

    async def _act(self, envelope: Envelope) -> dict[str, Any]:
        payload = envelope.payload
        instruction = payload.get("task_description", "")
        if not isinstance(instruction, str):
            raise RefusedError(422, "task_description is no text.")
        # CALVIN says so where a task ends, others just change the instruction: the chunk was for the former.
        if payload.get("episode_restart") is True or instruction != self._instruction:
            self._restart(instruction)
        if self._session.wants_plan:
            question = await asyncio.to_thread(self._question, envelope)
            request = self._session.request(Observation(question.pictures, question.state))
            answer = await self._service.answer(question, PROTOCOL, request.seed)
            self._session.receive(answer.actions)
        else:
            self._service.metrics.held(PROTOCOL)
        action = scaled_action(self._session.next_action(), self._config)
        return {"actions": action.astype(np.float32), "time_stamp": envelope.timestamp}

    def _question(self, envelope: Envelope) -> Question:
        payload, cameras = envelope.payload, self._config.cameras
        seen = payload.get("images", {})
        if not isinstance(seen, dict):
            seen = {"image": seen}
        pictures: dict[str, Pixels] = {}
        for name, value in seen.items():
            picture = picture_in(value)
            if picture is None:
                raise RefusedError(422, f"images.{name[:100]} is no picture of three channels of bytes.")
            pictures[cameras.get(name, name)] = picture
        question = Question(
            pictures,
            self._instruction,
            envelope.timestamp,
            numbers_of(payload, ("states", "state")),
            self._episode,
            self._session.step,
        )
        return checked_question(question, self._service.config.bounds)


def scaled_action(action: FloatArray, config: VlaEvalConfig) -> FloatArray:
    """An action (A,) in the benchmark's units.

    Raises:
        RefusedError: There are more or fewer factors than numbers.
    """
    if not config.action_scale:
        return action
    if len(config.action_scale) != len(action):
        raise RefusedError(
            500,
            f"serve_policy.vla_eval.action_scale has {len(config.action_scale)} factors for actions of "
            f"{len(action)} numbers.",
        )
    return np.asarray(action * np.asarray(config.action_scale), np.float64)


def _episode_name(payload: dict[str, Any]) -> str:
    """What an episode is called: its task's name, and its number if it says one."""
    task = payload.get("task", payload)
    parts = [task.get("name", "")] if isinstance(task, dict) else []
    parts.append(payload.get("episode_idx", ""))
    return "/".join(str(part)[:200] for part in parts if isinstance(part, str | int) and part != "")
