"""Episodes of the sample world's arm under chosen policies, rendered while they are prepared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import (
    NO_ANNOTATIONS,
    NO_CAMERA,
    Episode,
    EpisodeAnnotations,
    EpisodeView,
    Segment,
)
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.sample_world.activities.base import Activity
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig, BehaviorConfig
from vidrep_pipelines.data.sample_world.config import ActivityName, SampleWorldConfig
from vidrep_pipelines.data.sample_world.episode import ArmEpisode, render_episode, run_episode
from vidrep_pipelines.data.sample_world.policy import Policy, named_policy
from vidrep_pipelines.data.sample_world.scene import draw_scene
from vidrep_pipelines.data.sample_world.world import World

_COLLECTION = 2
"""Version of what equal parameters lead to: raised when the episodes change."""


@dataclass(frozen=True)
class AgentEpisode:
    """One episode.

    Attributes:
        trajectory: Its name in the store.
        world: The world and its camera.
        activity: What is rewarded.
        behavior: Who acts.
        scene_seed: Looks and start.
        policy_seed: The policy's draws.
        frames: Length.
        annotated: Whether instruction, phases, rate and masks are kept.
    """

    trajectory: str
    world: SampleWorldConfig
    activity: ActivityName
    behavior: BehaviorConfig
    scene_seed: int
    policy_seed: int
    frames: int
    annotated: bool = False

    @property
    def digest(self) -> str:
        """Changes with all that the episode depends on, and not with how many there are."""
        unused = {"clips", "activities", "frames_min", "frames_max", "seed", "quality", "keyframe_interval"}
        seeds = (self.scene_seed, self.policy_seed)
        pictures = self.world.model_dump(exclude=unused)
        more = ["annotated"] if self.annotated else []
        return digest_of(_COLLECTION, pictures, self.activity, self.behavior, seeds, self.frames, *more)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Runs the episode; frames are rendered while the pictures are taken."""
        scene = draw_scene(self.activity, self.scene_seed, self.world.distractors)
        policy = _Reseeded(named_policy(self.behavior.policy, self.behavior.noise), self.policy_seed)
        run = run_episode(scene, policy, self.frames, self.world.frames_per_second)
        frames = render_episode(run, self.world)
        masks = None
        if self.annotated:
            frames, labelled = tee(frames)
            masks = (frame.masks for frame in labelled)
        pictures = (frame.pixels for frame in frames)
        rewards = run.rewards[1:]
        yield Episode(
            robot=self.behavior.name,
            views=[EpisodeView(NO_CAMERA, self.frames, pictures, masks)],
            states=run.states,
            actions=run.actions[:-1],
            outcomes=np.stack([rewards, np.ones_like(rewards)], axis=1),
            annotations=self._annotations(run) if self.annotated else NO_ANNOTATIONS,
        )

    def _annotations(self, run: ArmEpisode) -> EpisodeAnnotations:
        return EpisodeAnnotations(
            segments=(Segment(0, self.frames, run.scene.instruction, self.activity),),
            phases=phase_segments(run.phases, run.scene.activity.phases),
            frames_per_second=self.world.frames_per_second,
            mask_names=("background", "arm", *(body.name for body in run.scene.bodies)),
        )


def phase_segments(phases: NDArray[np.int16], names: Sequence[str]) -> tuple[Segment, ...]:
    """Where the phases of a plan begin and end.

    Args:
        phases: (T,) int16 index into ``names``; -1 where nobody follows a plan, which gives no segment.
        names: Names of the phases.
    """
    changes = np.flatnonzero(np.diff(phases)) + 1
    starts, ends = [0, *changes.tolist()], [*changes.tolist(), len(phases)]
    return tuple(
        Segment(first, last, names[phases[first]])
        for first, last in zip(starts, ends, strict=True)
        if phases[first] >= 0
    )


def agent_requests(config: AgentEpisodesConfig, frames: FramesConfig) -> list[EpisodeRequest]:
    """What to prepare, one request per episode."""
    return [EpisodeRequest(_episode(config, number), frames) for number in range(config.episodes)]


def _episode(config: AgentEpisodesConfig, number: int) -> AgentEpisode:
    behavior = config.behaviors[number % len(config.behaviors)]
    scene = number if config.scenes is None else number % config.scenes
    return AgentEpisode(
        trajectory=f"{config.activity}_{number:04d}",
        world=config.world,
        activity=config.activity,
        behavior=behavior,
        scene_seed=seed_for(config.seed, config.activity, "scene", scene),
        policy_seed=seed_for(config.seed, config.activity, "policy", number),
        frames=config.frames,
        annotated=config.annotations,
    )


class _Reseeded:
    """A policy whose draws do not depend on the scene."""

    def __init__(self, policy: Policy, seed: int) -> None:
        self._policy, self._seed = policy, seed

    def start(self, activity: Activity, frames: int, seed: int) -> None:
        """Begins an episode."""
        self._policy.start(activity, frames, self._seed)

    def act(self, world: World) -> tuple[NDArray[np.float32], int]:
        """The policy's action."""
        return self._policy.act(world)
