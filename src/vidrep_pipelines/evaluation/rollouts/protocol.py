"""What an environment and a policy must offer, whoever made them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from vidrep_pipelines.common.arrays import FloatArray, Pixels


@dataclass(frozen=True, eq=False)
class Observation:
    """What there is to see at one control step.

    Attributes:
        pictures: By camera (H, W, 3) uint8; empty where nothing was rendered.
        state: (S,) numbers of the robot, and of the scene where the environment tells them.
    """

    pictures: Mapping[str, Pixels]
    state: FloatArray


@dataclass(frozen=True)
class EpisodeStart:
    """What an episode begins with.

    Attributes:
        name: Its own in a run; runs are compared by it.
        task: Which task, by the environment's name for it.
        instruction: What the policy is told.
        seed: Of the environment's layout.
    """

    name: str
    task: str
    instruction: str
    seed: int = 0


class Environment(Protocol):
    """A world in which one robot acts."""

    @property
    def renderer(self) -> str:
        """What makes its pictures, such as ``calvin_env/tiny``: numbers of other renderers differ."""

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode.

        Raises:
            ConfigurationError: There is no such task.
        """

    def observe(self, *, pictures: bool) -> Observation:
        """What there is to see now; with ``pictures`` of all cameras."""

    def step(self, action: FloatArray) -> float:
        """Executes an action (A,) for one control step; returns its reward, 0 where there are none."""

    def succeeded(self) -> bool:
        """Whether the task of the episode is done."""

    def close(self) -> None:
        """Frees what the environment holds. It is not used again."""


@runtime_checkable
class ScoredEnvironment(Protocol):
    """What an environment may offer beside success: how good an episode was."""

    def score(self) -> float | None:
        """Return so far over the longest possible one of an episode, 0..1; None where there is no scale."""


def score_of(environment: Environment) -> float | None:
    """The score of an environment's episode, where it has one."""
    return environment.score() if isinstance(environment, ScoredEnvironment) else None


@dataclass(frozen=True, eq=False)
class PlanRequest:
    """A policy's question: what next?

    Attributes:
        observation: With pictures.
        instruction: What is to be done.
        episode: Name of the attempt.
        step: Control steps of the attempt so far.
        seed: Of the noise of this plan; follows from the run's seed, the attempt and the step, so that what
            is planned does not depend on what else is planned in the same call.
    """

    observation: Observation
    instruction: str
    episode: str
    step: int
    seed: int


class ChunkPolicy(Protocol):
    """Plans several actions at once."""

    @property
    def chunk_length(self) -> int:
        """Actions T of a plan."""

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """Plans for B observations.

        Returns:
            (B, T, A) actions.
        """


@runtime_checkable
class ImaginesVideo(Protocol):
    """What a policy may offer beside its plans, for films: the future that it sees."""

    def imagine(self, requests: Sequence[PlanRequest]) -> Pixels:
        """Imagines what happens after B observations, of which the same plans were asked.

        Returns:
            (B, F, H, W, 3) uint8; the first frame is the present.
        """


class PolicyMaker(Protocol):
    """Makes the policy in worker processes: a small picklable object.

    A process makes the policy once for each block of episodes; a maker whose policy is large keeps it.
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its actions depend on, as plain data: digests of weights, sampler, noise policy."""

    def make(self) -> ChunkPolicy:
        """The policy, ready to plan."""


class EnvironmentMaker(Protocol):
    """Makes environments in worker processes: a small picklable object."""

    @property
    def renderer(self) -> str:
        """What makes the pictures, known before anything is built."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its environments' behavior depends on, as plain data, for digests."""

    def make(self) -> Environment:
        """A fresh environment.

        Raises:
            ConfigurationError: It cannot be had here.
        """
