"""A policy to import: pictures, state and instruction in, one action or a chunk of them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, Observation
from vidrep_pipelines.evaluation.rollouts.session import PolicySession

XBOT_CAMERAS = ("cam_high", "cam_left", "cam_right")
"""Views of Video Prediction Policy's two-armed robot, in the order in which its agent takes them."""


class AgentConfig(FrozenConfig):
    """What an agent takes and gives."""

    execute_steps: int = Field(10, ge=1)
    """Actions of a chunk that ``act`` hands out before it plans again; 1: every call plans."""

    pictures: Literal["uint8", "signed"] = "uint8"
    """``uint8``: (H, W, 3), 0 to 255. ``signed``: (..., 3, H, W) floats from -1 to 1, whose leading axes have
    length 1, as the agent of Video Prediction Policy's two-armed robot takes them."""

    cameras: tuple[str, ...] = ()
    """Names for pictures that come as a list, in its order."""

    seed: int = 0
    """Of the noise of the plans."""

    @classmethod
    def xbot(cls) -> Self:
        """The published agent's conventions: three signed pictures in a fixed order, a plan at every call."""
        return cls(execute_steps=1, pictures="signed", cameras=XBOT_CAMERAS)


@dataclass(frozen=True, eq=False)
class TimedChunk:
    """Actions, and what they were planned for.

    Attributes:
        actions: (T, A).
        time_stamp: Of the observation, as it was given; the first action is meant for this time.
    """

    actions: FloatArray
    time_stamp: float


class StateUnits(Protocol):
    """How a robot's state becomes what a policy was trained on."""

    def normalized(self, values: FloatArray) -> FloatArray:
        """A state (S,) around -1 to 1."""


class ChunkDecoding(Protocol):
    """How a policy's output becomes commands, as ``ActionCoding`` of Video Prediction Policy does it."""

    def decode(self, learned: FloatArray, state: FloatArray) -> FloatArray:
        """Commands (T, D) for an output (T, A) and the robot's own state (S,)."""


class PolicyAgent:
    """One robot's policy, with what it is told and what is left of its last chunk.

    Args:
        policy: What plans.
        config: What is taken and given.
        state_units: Normalizes states; None: the policy takes them as they are.
        decoding: Turns outputs into commands, such as normalized differences from the state into absolute
            positions; None: the policy gives commands.

    Raises:
        ConfigurationError: More actions are to be executed than the policy plans.
    """

    def __init__(
        self,
        policy: ChunkPolicy,
        config: AgentConfig,
        state_units: StateUnits | None = None,
        decoding: ChunkDecoding | None = None,
    ) -> None:
        rollouts = RolloutConfig(execute_steps=config.execute_steps, seed=config.seed)
        rollouts.check_chunk(policy.chunk_length)
        self._policy, self._config = policy, config
        self._units, self._decoding = state_units, decoding
        self._session = PolicySession(rollouts)

    def reset(self, instruction: str, episode: str = "") -> None:
        """Begins an episode; what is left of the last chunk is dropped.

        Args:
            instruction: What is to be done.
            episode: Its name; equal names, steps and seeds draw equal noise.
        """
        self._session.reset(episode, instruction)

    def observation(
        self,
        pictures: Mapping[str, NDArray[Any]] | Sequence[NDArray[Any]],
        state: Sequence[float] | FloatArray,
    ) -> Observation:
        """An observation in the form that policies take.

        Args:
            pictures: By camera, or in the order of the configured cameras.
            state: Numbers of the robot; axes of length 1 are dropped.

        Raises:
            InputError: There are more or fewer pictures than cameras, or one has another shape.
        """
        if not isinstance(pictures, Mapping):
            pictures = self._named(pictures)
        shown = {camera: self._picture(camera, picture) for camera, picture in pictures.items()}
        return Observation(shown, np.asarray(state, np.float64).reshape(-1))

    def act(self, observation: Observation) -> FloatArray:
        """The next action (A,); plans if the last chunk is used up.

        Raises:
            InputError: An action is not finite.
        """
        if self._session.wants_plan:
            self._session.receive(self._plan(observation))
        return self._session.next_action()

    def plan(self, observation: Observation, time_stamp: float) -> TimedChunk:
        """A whole chunk for an observation, in place of what is left of the last one.

        The next call of :meth:`act` hands out its first action. Who blends chunks uses this alone.

        Raises:
            InputError: An action is not finite.
        """
        chunk = self._plan(observation)
        self._session.receive(chunk)
        return TimedChunk(chunk, time_stamp)

    def _plan(self, observation: Observation) -> FloatArray:
        state = observation.state if self._units is None else self._units.normalized(observation.state)
        request = self._session.request(Observation(observation.pictures, state))
        [chunk] = self._policy.plan([request])
        return chunk if self._decoding is None else self._decoding.decode(chunk, observation.state)

    def _named(self, pictures: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        cameras = self._config.cameras
        if len(pictures) != len(cameras):
            raise InputError(
                f"There are {len(pictures)} pictures for the {len(cameras)} cameras {', '.join(cameras)}. "
                "Remedy: give one for each, or name them."
            )
        return dict(zip(cameras, pictures, strict=True))

    def _picture(self, camera: str, picture: NDArray[Any]) -> Pixels:
        return (_signed if self._config.pictures == "signed" else _plain)(camera, np.asarray(picture))


def _plain(camera: str, picture: NDArray[Any]) -> Pixels:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise InputError(
            f"The picture of {camera} is {picture.dtype} {picture.shape}. Remedy: give (height, width, 3) "
            "uint8."
        )
    return picture


def _signed(camera: str, picture: NDArray[Any]) -> Pixels:
    leading = picture.shape[:-3]
    if picture.ndim < 3 or picture.shape[-3] != 3 or any(length != 1 for length in leading):
        raise InputError(
            f"The picture of {camera} is {picture.shape}. Remedy: give (1, 1, 3, height, width) from -1 to 1."
        )
    values = np.asarray(picture, np.float64).reshape(picture.shape[-3:])
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) > 1.001:
        raise InputError(f"The picture of {camera} has values outside of -1 to 1. Remedy: normalize it.")
    return np.rint((values.clip(-1, 1) + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)
