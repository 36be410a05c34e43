"""Activities whose pace varies, so that the share of the time that has passed says little about the phase."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.activities.base import Activity
from vidrep_pipelines.data.sample_world.config import PacingConfig
from vidrep_pipelines.data.sample_world.episode import ArmEpisode, run_episode
from vidrep_pipelines.data.sample_world.policy import NO_PHASE, Disturbance, place_on_path
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.world import World

_SHORTEST = 3  # frames of a step
_DISPENSABLE = ("carry", "lift", "wind_up")
"""Steps that may be skipped: the hand then goes straight on to the next one, and the activity still makes
sense. Without a grasp, the rest would be done by an empty hand."""


@dataclass(frozen=True)
class Movement:
    """A part of a step, done at one pace.

    Attributes:
        phase: The step's phase.
        first: Share of the step's way that is done when it begins, in 0..1.
        last: Share at its end; equal to ``first`` where the arm stands still.
        frames: How long it takes.
    """

    phase: int
    first: float
    last: float
    frames: int

    @property
    def pauses(self) -> bool:
        """Whether the arm stands still."""
        return self.first == self.last


@dataclass(frozen=True)
class Timeline:
    """What is done when, and what of it is filmed.

    Attributes:
        movements: From the beginning to the end of the activity.
        start: Frames that have passed when the film begins.
        frames: Length of the film.
    """

    movements: tuple[Movement, ...]
    start: int
    frames: int

    @property
    def phases(self) -> NDArray[np.int16]:
        """(frames,) the phase of every filmed frame."""
        every = np.repeat([m.phase for m in self.movements], [m.frames for m in self.movements])
        return every[self.start : self.start + self.frames].astype(np.int16)

    @property
    def still(self) -> NDArray[np.bool_]:
        """(frames,) true where the arm does not move on to the next filmed frame."""
        every = np.repeat([m.pauses for m in self.movements], [m.frames for m in self.movements])
        return every[self.start : self.start + self.frames]


def draw_timeline(phases: tuple[str, ...], frames: int, seed: int, pacing: PacingConfig) -> Timeline:
    """Draws how an activity runs in a film of ``frames`` frames; equal arguments give an equal timeline.

    A film that is too short for what is drawn goes without the repetition, then without pauses.

    Args:
        phases: Names of the activity's phases, in their order.
        frames: Length of the film, at least three frames per phase.
        seed: The episode's.
        pacing: How uneven it may be.
    """
    rng = generator_for(seed, "pacing")
    steps = _draw_steps(phases, frames, rng, pacing)
    start, end = (_draw_cut(frames, rng, pacing) for _ in range(2))
    total = frames + start + end
    pauses = _draw_pauses(frames, total - _SHORTEST * len(steps), rng, pacing)
    lengths = _dealt(total - sum(pauses), len(steps), rng, pacing.spread)
    movements = [Movement(step, 0.0, 1.0, length) for step, length in zip(steps, lengths, strict=True)]
    for pause in pauses:
        movements = _with_pause(movements, pause, rng)
    return Timeline(tuple(movements), start, frames)


def _draw_steps(
    phases: tuple[str, ...], frames: int, rng: np.random.Generator, pacing: PacingConfig
) -> list[int]:
    """Phases in the order in which they are gone through."""
    steps = list(range(len(phases)))
    skipped = [step for step in steps if phases[step] in _DISPENSABLE]
    if rng.random() < pacing.skip_probability and skipped:
        steps.remove(int(rng.choice(skipped)))
    again = int(rng.integers(len(steps) // 2 + 1, len(steps)))
    if rng.random() < pacing.repeat_probability and _SHORTEST * (len(steps) + 2) <= frames:
        steps[again + 1 : again + 1] = steps[again - 1 : again + 1]
    return steps


def _draw_cut(frames: int, rng: np.random.Generator, pacing: PacingConfig) -> int:
    """Frames that are missing at one end of the film."""
    cut = rng.random() < pacing.cut_probability
    return round(cut * frames * float(rng.uniform(0, pacing.cut_share)))


def _draw_pauses(frames: int, room: int, rng: np.random.Generator, pacing: PacingConfig) -> list[int]:
    """Lengths of the pauses; those for which there is no room are left out."""
    drawn = [
        max(1, round(frames * float(rng.uniform(*pacing.pause_share))))
        for _ in range(int(rng.integers(0, pacing.most_pauses + 1)))
    ]
    return [pause for number, pause in enumerate(drawn) if sum(drawn[: number + 1]) <= room]


def _dealt(frames: int, steps: int, rng: np.random.Generator, spread: float) -> list[int]:
    """Deals frames to the steps at paces whose logarithms have a standard deviation of ``spread``."""
    paces = np.exp(rng.normal(0, spread, steps))
    ends = np.round(np.cumsum(paces) / paces.sum() * (frames - _SHORTEST * steps)).astype(np.int64)
    lengths: list[int] = (np.diff(ends, prepend=0) + _SHORTEST).tolist()
    return lengths


def _with_pause(movements: list[Movement], pause: int, rng: np.random.Generator) -> list[Movement]:
    """A pause in the middle of one of the movements, the longer the likelier."""
    lengths = np.array([0 if m.pauses or m.frames < 2 else m.frames for m in movements], np.float64)
    number = int(rng.choice(len(movements), p=lengths / lengths.sum()))
    moving = movements[number]
    before = int(rng.integers(1, moving.frames))
    middle = moving.first + (moving.last - moving.first) * before / moving.frames
    parts = [
        replace(moving, last=middle, frames=before),
        Movement(moving.phase, middle, middle, pause),
        replace(moving, first=middle, frames=moving.frames - before),
    ]
    return [*movements[:number], *parts, *movements[number + 1 :]]


class PacedPolicy:
    """Follows a timeline; within a step, the way is that of the scripted policy.

    Args:
        timeline: What is done when.
        noise: Standard deviation of the disturbance as a share of the full joint speed.
    """

    def __init__(self, timeline: Timeline, noise: float = 0.0) -> None:
        self._timeline, self._noise = timeline, noise

    def start(self, activity: Activity, frames: int, seed: int) -> None:
        """Begins the activity; how long it takes is up to the timeline."""
        del frames
        self._activity = activity
        self._disturbance = Disturbance(self._noise, seed)
        self._moments = [
            (movement, frame) for movement in self._timeline.movements for frame in range(movement.frames)
        ]
        self._frame = 0
        self._path = np.zeros((1, 4))

    def act(self, world: World) -> tuple[NDArray[np.float32], int]:
        """The action that keeps to the timeline; none at all in a pause."""
        if self._frame >= len(self._moments):
            return np.zeros(4, np.float32), NO_PHASE
        movement, frame = self._moments[self._frame]
        self._frame += 1
        disturbance = self._disturbance.draw()
        if movement.pauses:
            return np.zeros(4, np.float32), movement.phase
        if movement.first == 0.0 and frame == 0:
            stops = [arm.inverse(hand) for hand in self._activity.path(world, movement.phase)]
            self._path = np.stack([world.joints, *stops]).astype(np.float64)
        share = movement.first + (movement.last - movement.first) * (frame + 1) / movement.frames
        action = (place_on_path(self._path, share) - world.joints) / world.joint_step + disturbance
        return np.clip(action, -1, 1).astype(np.float32), movement.phase


def run_paced_episode(
    scene: Scene, timeline: Timeline, frames_per_second: int, noise: float = 0.0
) -> ArmEpisode:
    """Lets the activity run as the timeline says, and keeps what is filmed of it.

    What is known of an episode holds as ever: labels follow the frames, and actions lead from one state to
    the next.
    """
    total = sum(movement.frames for movement in timeline.movements)
    whole = run_episode(scene, PacedPolicy(timeline, noise), total, frames_per_second)
    filmed = slice(timeline.start, timeline.start + timeline.frames)
    actions = whole.actions[filmed].copy()
    actions[-1] = 0
    return ArmEpisode(
        scene,
        whole.snapshots[filmed],
        actions,
        whole.states[filmed],
        whole.rewards[filmed],
        whole.phases[filmed],
    )
