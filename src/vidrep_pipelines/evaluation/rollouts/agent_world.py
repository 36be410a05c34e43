"""The sample world's agent as an environment: one activity, begun from a scrambled pose, and its expert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.resize_rules import resized_picture
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sample_world.policy import (
    RANDOM_LEVEL,
    Disturbance,
    RandomPolicy,
    ScriptedPolicy,
)
from vidrep_pipelines.data.sample_world.renderer import Renderer
from vidrep_pipelines.data.sample_world.scene import Scene, draw_scene
from vidrep_pipelines.data.sample_world.world import World
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, Observation, PlanRequest

AgentPart = Literal["validation", "test"]
CAMERA = "main"
"""The only camera."""


@dataclass(frozen=True)
class AgentWorldMaker:
    """Makes environments in worker processes: an :class:`~.protocol.EnvironmentMaker`.

    Attributes:
        agents: The world and the activity, as episodes were collected in it.
        frames: How pictures are stored, which is how they are shown to a policy.
        scramble: Steps by chance before a policy takes over, so that no two episodes begin alike.
        success: Reward from which the activity counts as done.
    """

    agents: AgentEpisodesConfig
    frames: FramesConfig
    scramble: int
    success: float

    @property
    def renderer(self) -> str:
        """What makes the pictures."""
        return f"sample_world/{self.agents.activity}_{self.frames.height}x{self.frames.width}"

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its behavior depends on."""
        return {
            "world": "agent",
            "camera": self.agents.world.model_dump(mode="json"),
            "scenes": [self.agents.activity, self.agents.scenes, self.agents.episodes, self.agents.seed],
            "frames": self.frames.model_dump(mode="json"),
            "scramble": self.scramble,
            "success": self.success,
        }

    def make(self) -> "AgentWorldEnvironment":
        """A fresh one."""
        return AgentWorldEnvironment(self)

    def scene(self, start: EpisodeStart) -> Scene:
        """What an episode takes place in.

        One of the scenes of the collected episodes, or, if each of these had its own, one that none had.
        """
        number = int(start.name.rpartition("/")[2])
        agents = self.agents
        scene = agents.episodes + number if agents.scenes is None else number % agents.scenes
        seed = seed_for(agents.seed, agents.activity, "scene", scene)
        return draw_scene(agents.activity, seed, agents.world.distractors)

    def begin(self, start: EpisodeStart) -> tuple[Scene, World]:
        """The scene, and the world after the steps by chance."""
        scene = self.scene(start)
        world = scene.world(self.agents.world.frames_per_second)
        chance = RandomPolicy()
        chance.start(scene.activity, self.scramble, start.seed)
        for _ in range(self.scramble):
            world.step(chance.act(world)[0])
        return scene, world


class AgentWorldEnvironment:
    """One episode after another under a policy's actions.

    Args:
        maker: What the world is.
    """

    def __init__(self, maker: AgentWorldMaker) -> None:
        self._maker = maker
        self._running: tuple[Scene, World, Renderer] | None = None

    @property
    def renderer(self) -> str:
        """See :class:`~.protocol.Environment`."""
        return self._maker.renderer

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode."""
        scene, world = self._maker.begin(start)
        self._running = scene, world, Renderer(scene, self._maker.agents.world)
        self._before, self._index = world.snapshot(), 0

    def _now(self) -> tuple[Scene, World, Renderer]:
        if self._running is None:
            raise InputError("sample world: no episode has begun; call reset(start) first")
        return self._running

    def observe(self, *, pictures: bool) -> Observation:
        """The picture of the camera ``main`` as frames are stored, and the joints (4,)."""
        _, world, renderer = self._now()
        shown = {}
        if pictures:
            frame = renderer.render(world.snapshot(), self._before, self._index)
            shown[CAMERA] = resized_picture(frame.pixels, self._maker.frames)
        return Observation(shown, world.joints.astype(np.float64))

    def step(self, action: FloatArray) -> float:
        """Executes (4,) joint velocities in -1..1.

        Returns:
            What the step added to how well the activity is done, so that the sum over an episode is how well
            it is done in the end, in -1..1, less what chance had done before.

        Raises:
            InputError: The action is not four finite numbers.
        """
        scene, world, _ = self._now()
        before = scene.activity.reward(world)
        self._before = world.snapshot()
        world.step(action)
        self._index += 1
        return scene.activity.reward(world) - before

    def succeeded(self) -> bool:
        """Whether the activity is done, by the exact state."""
        scene, world, _ = self._now()
        return scene.activity.reward(world) >= self._maker.success

    def close(self) -> None:
        """Nothing is held."""


def agent_starts(
    agents: AgentEpisodesConfig, part: AgentPart, episodes: int, seed: int
) -> list[EpisodeStart]:
    """What episodes begin with; those of the parts ``validation`` and ``test`` have no steps in common.

    Args:
        agents: The world.
        part: To choose settings by, or to be looked at once.
        episodes: How many; more of them leave the earlier ones as they are.
        seed: Of the steps by chance.
    """
    activity = agents.activity
    return [
        EpisodeStart(f"{activity}/{part}/{number:05d}", activity, activity, seed_for(seed, part, number))
        for number in range(episodes)
    ]


class ScriptedAgent:
    """What the scripted policy does from the same starts, undisturbed: the ceiling.

    Args:
        maker: The world.
        starts: All episodes that it will be asked about.
        steps: Actions of a plan, which is the whole episode.
    """

    def __init__(self, maker: AgentWorldMaker, starts: Sequence[EpisodeStart], steps: int) -> None:
        self._maker, self.chunk_length = maker, steps
        self._starts = {start.name: start for start in starts}

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, steps, 4): the scripted actions of each request's episode."""
        return np.stack([self._actions(self._starts[request.episode]) for request in requests])

    def _actions(self, start: EpisodeStart) -> FloatArray:
        scene, world = self._maker.begin(start)
        policy = ScriptedPolicy(0.0)
        policy.start(scene.activity, self.chunk_length, start.seed)
        actions = [world.step(policy.act(world)[0]) for _ in range(self.chunk_length)]
        return np.stack(actions).astype(np.float64)


@dataclass(frozen=True)
class ScriptedAgentMaker:
    """Makes a :class:`ScriptedAgent`.

    Attributes:
        world: The world.
        starts: All episodes.
        steps: Steps that it plans for.
    """

    world: AgentWorldMaker
    starts: tuple[EpisodeStart, ...]
    steps: int

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does."""
        return {"policy": "scripted", "world": dict(self.world.identity), "steps": self.steps}

    def make(self) -> ScriptedAgent:
        """The policy."""
        return ScriptedAgent(self.world, self.starts, self.steps)


class WanderingAgent:
    """Smoothly random velocities, as the random behavior of the collected episodes has them: a floor.

    Args:
        steps: Actions of a plan.
    """

    def __init__(self, steps: int) -> None:
        self.chunk_length = steps

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, steps, 4) by chance, each plan's from its own seed."""
        return np.stack([self._wander(request.seed) for request in requests])

    def _wander(self, seed: int) -> FloatArray:
        noise = Disturbance(RANDOM_LEVEL, seed)
        return np.clip([noise.draw() for _ in range(self.chunk_length)], -1, 1)


@dataclass(frozen=True)
class WanderingMaker:
    """Makes a :class:`WanderingAgent`.

    Attributes:
        steps: Actions of a plan.
    """

    steps: int

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does."""
        return {"policy": "wandering", "steps": self.steps}

    def make(self) -> WanderingAgent:
        """The policy."""
        return WanderingAgent(self.steps)
