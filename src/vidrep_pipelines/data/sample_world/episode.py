"""One run of a policy in the world."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.policy import Policy
from vidrep_pipelines.data.sample_world.renderer import RenderedFrame, Renderer
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.world import Snapshot


@dataclass(frozen=True)
class ArmEpisode:
    """What happened, without pictures.

    Attributes:
        scene: What it took place in.
        snapshots: (T) what there was to see at each frame.
        actions: (T, 4) float32; the action carried out between frame t and t + 1, zero at the last frame.
        states: (T, 4) float32, the joints at frame t.
        rewards: (T,) float32 in 0..1, of the state at frame t.
        phases: (T,) int16, the phase that frame t belongs to.
    """

    scene: Scene
    snapshots: tuple[Snapshot, ...]
    actions: NDArray[np.float32]
    states: NDArray[np.float32]
    rewards: NDArray[np.float32]
    phases: NDArray[np.int16]


def run_episode(
    scene: Scene, policy: Policy, frames: int, frames_per_second: int, policy_seed: int | None = None
) -> ArmEpisode:
    """Lets a policy act for ``frames`` frames; it draws from the scene's seed unless another is given."""
    world = scene.world(frames_per_second)
    policy.start(scene.activity, frames, scene.seed if policy_seed is None else policy_seed)
    snapshots, actions, states, rewards, phases = [], [], [], [], []
    for frame in range(frames):
        action, phase = policy.act(world)
        snapshots.append(world.snapshot())
        states.append(world.joints)
        rewards.append(scene.activity.reward(world))
        phases.append(phase)
        last = frame == frames - 1
        actions.append(np.zeros(4, np.float32) if last else world.step(action))
    return ArmEpisode(
        scene,
        tuple(snapshots),
        np.stack(actions),
        np.stack(states),
        np.array(rewards, np.float32),
        np.array(phases, np.int16),
    )


def render_episode(episode: ArmEpisode, config: SampleWorldConfig) -> Iterator[RenderedFrame]:
    """Draws the frames of an episode one after the other."""
    renderer = Renderer(episode.scene, config)
    before = episode.snapshots[0]
    for index, now in enumerate(episode.snapshots):
        yield renderer.render(now, before, index)
        before = now


def render_some_frames(
    episode: ArmEpisode, config: SampleWorldConfig, indices: Sequence[int]
) -> list[RenderedFrame]:
    """Draws the frames at ``indices`` only, each as :func:`render_episode` draws it."""
    renderer = Renderer(episode.scene, config)
    moments = episode.snapshots
    return [renderer.render(moments[index], moments[max(0, index - 1)], index) for index in indices]
