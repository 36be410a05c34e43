"""Episodes of the DeepMind Control Suite (extra ``robots``), simulated while they are prepared."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import ConfigurationError, MissingExtraError
from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import NO_CAMERA, Episode, EpisodeView
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.sources.dm_control_policies import ControlBehavior, control_policy

_COLLECTION = 1
_SEED_LIMIT = 2**32
_HOW_TO_RENDER = (
    "Remedy: set MUJOCO_GL=egl before the start (Debian: libegl1 libegl-mesa0 libgl1-mesa-dri), or "
    "MUJOCO_GL=osmesa with PYOPENGL_PLATFORM=osmesa (libosmesa6)."
)

Observation = Mapping[str, NDArray[np.floating[Any]] | float]


class TimeStep(Protocol):
    """What the suite tells after an action."""

    observation: Observation
    reward: float | None
    discount: float | None

    def last(self) -> bool:
        """Whether the episode is over."""


class ControlEnvironment(Protocol):
    """The part of the suite's environments that is used here."""

    @property
    def physics(self) -> Any:
        """The simulator: ``model`` and ``render``."""

    def action_spec(self) -> Any:
        """``shape``, ``minimum`` and ``maximum`` of actions."""

    def reset(self) -> TimeStep:
        """Begins an episode."""

    def step(self, action: NDArray[np.floating[Any]]) -> TimeStep:
        """Carries out an action."""


class ControlConfig(FrozenConfig):
    """Which episodes are collected. The defaults are those of V-D4RL and of the published system."""

    domain: str = "cheetah"
    """For example ``cheetah`` or ``walker``."""

    task: str = "run"
    """For example ``run`` or ``walk``."""

    episodes: int = Field(50, ge=1)
    """Number of episodes."""

    behaviors: tuple[ControlBehavior, ...] = Field((ControlBehavior(),), min_length=1)
    """Dealt to the episodes in turn. Random actions alone earn next to nothing."""

    action_repeat: int = Field(2, ge=1)
    """Control steps per action; the rewards of these are added up."""

    size: int = Field(84, ge=16)
    """Side of the rendered pictures in pixels."""

    camera: int = Field(0, ge=0)
    """Number of the camera; 2 for ``quadruped``."""

    quality: Literal["fast", "published"] = "fast"
    """``fast``: without shadows, reflections and multisampling, 6 to 8 times faster in software. The pictures
    differ a little (a walker has no shadow), so that encoders of one kind should not get the other."""

    seed: int = 0
    """Everything that is drawn follows from it."""


@dataclass(frozen=True)
class ControlEpisode:
    """One episode.

    Attributes:
        trajectory: Its name in the store.
        config: The task and its pictures.
        behavior: Who acts.
        seed: Start and draws.
    """

    trajectory: str
    config: ControlConfig
    behavior: ControlBehavior
    seed: int

    @property
    def digest(self) -> str:
        """Changes with all that the episode depends on, also with the actor's weights."""
        science = self.config.model_dump(exclude={"episodes", "behaviors", "seed"})
        actor = None if self.behavior.actor is None else digest_of_file(self.behavior.actor)
        behavior = self.behavior.model_dump(exclude={"actor"})
        return digest_of(_COLLECTION, science, behavior, actor, self.seed)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Simulates the episode.

        Raises:
            MissingExtraError: dm_control is not installed.
            ConfigurationError: There is no such task, or nothing to render with.
        """
        environment = load_environment(self.config.domain, self.config.task, self.seed % _SEED_LIMIT)
        yield collect(environment, self.config, self.behavior, self.seed)


def control_requests(config: ControlConfig, frames: FramesConfig) -> list[EpisodeRequest]:
    """What to prepare, one request per episode.

    Raises:
        ConfigurationError: An actor is to act, but its file is not named.
    """
    if any(behavior.policy == "actor" and behavior.actor is None for behavior in config.behaviors):
        raise ConfigurationError("behaviors: the policy 'actor' needs its file; set actor.")
    return [
        EpisodeRequest(
            ControlEpisode(
                trajectory=f"{config.domain}_{config.task}_{number:04d}",
                config=config,
                behavior=config.behaviors[number % len(config.behaviors)],
                seed=seed_for(config.seed, config.domain, config.task, number),
            ),
            frames,
        )
        for number in range(config.episodes)
    ]


def load_environment(domain: str, task: str, seed: int) -> ControlEnvironment:
    """Builds a task of the suite.

    Raises:
        MissingExtraError: dm_control is not installed.
        ConfigurationError: There is no such task, or nothing to render with.
    """
    try:
        suite: Any = require_extra("dm_control.suite", "robots")
    except MissingExtraError:
        raise
    except (ImportError, RuntimeError, AttributeError) as error:  # what its OpenGL loaders raise
        raise ConfigurationError(
            f"dm_control finds nothing to render with ({error}). {_HOW_TO_RENDER}"
        ) from error
    if (domain, task) not in suite.ALL_TASKS:
        known = ", ".join(sorted({name for name, _ in suite.ALL_TASKS}))
        raise ConfigurationError(f"dm_control has no task {domain}-{task}. Domains: {known}.")
    environment: ControlEnvironment = suite.load(domain, task, task_kwargs={"random": seed})
    return environment


def collect(
    environment: ControlEnvironment, config: ControlConfig, behavior: ControlBehavior, seed: int
) -> Episode:
    """Runs one episode.

    Args:
        environment: The task.
        config: Pictures and action repeat.
        behavior: Who acts.
        seed: Of the policy's draws.

    Raises:
        InputError: The actor's file cannot be used.
        ConfigurationError: There is nothing to render with.
    """
    if config.quality == "fast":  # takes effect before the first picture only
        environment.physics.model.vis.quality.offsamples = 0
    act = control_policy(behavior, environment.action_spec(), seed)
    step = environment.reset()
    frames, states = [_render(environment, config)], [flat_observation(step.observation)]
    actions, outcomes = list[NDArray[np.float32]](), list[tuple[float, float]]()
    while not step.last():
        action = act(states[-1])
        step, reward = _repeat(environment, action, config.action_repeat)
        frames.append(_render(environment, config))
        states.append(flat_observation(step.observation))
        actions.append(action.astype(np.float32))
        outcomes.append((reward, 1.0 if step.discount is None else float(step.discount)))
    views = [EpisodeView(NO_CAMERA, len(frames), iter(frames))]
    arrays = (np.stack(states), np.stack(actions), np.array(outcomes, np.float32))
    return Episode(behavior.policy, views, *arrays)


def flat_observation(observation: Observation) -> NDArray[np.float32]:
    """The numbers of an observation in the order of its keys, (S,)."""
    return np.concatenate([np.ravel(value) for value in observation.values()]).astype(np.float32)


def _repeat(
    environment: ControlEnvironment, action: NDArray[np.float64], times: int
) -> tuple[TimeStep, float]:
    """The last step, and the sum of the rewards; less often if the episode ends."""
    reward = 0.0
    for _ in range(times):
        step = environment.step(action)
        reward += step.reward or 0.0
        if step.last():
            break
    return step, reward


def _render(environment: ControlEnvironment, config: ControlConfig) -> NDArray[np.uint8]:
    flags = {"shadow": False, "reflection": False} if config.quality == "fast" else {}
    try:
        picture: NDArray[np.uint8] = environment.physics.render(
            height=config.size, width=config.size, camera_id=config.camera, render_flag_overrides=flags
        )
    except (ImportError, RuntimeError, AttributeError) as error:
        raise ConfigurationError(f"dm_control cannot render ({error}). {_HOW_TO_RENDER}") from error
    return np.ascontiguousarray(picture)
