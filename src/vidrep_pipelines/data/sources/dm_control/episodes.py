"""Episodes of the DeepMind Control Suite (extra ``robots``), simulated while they are prepared."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import ConfigurationError, InputError, MissingExtraError
from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import NO_CAMERA, Episode, EpisodeView
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.sources.dm_control.config import ControlBehavior, ControlConfig
from vidrep_pipelines.data.sources.dm_control.policies import control_policy
from vidrep_pipelines.data.sources.headless_rendering import HOW_TO_RENDER, choose_renderer

_COLLECTION = 2
_DEALT = {"policy", "noise", "behaviors"}
SEED_LIMIT = 2**32

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

    def control_timestep(self) -> float:
        """Seconds between control steps."""

    def reset(self) -> TimeStep:
        """Begins an episode."""

    def step(self, action: NDArray[np.floating[Any]]) -> TimeStep:
        """Carries out an action."""


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
        """Changes with all that the episode depends on, also with the weights of a trained policy."""
        science = self.config.model_dump(exclude={"episodes", *_DEALT, "training", "seed"})
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
        environment = load_environment(self.config.domain, self.config.task, self.seed % SEED_LIMIT)
        yield collect(environment, self.config, self.behavior, self.seed)


def control_requests(
    config: ControlConfig, frames: FramesConfig, trained: Path | None = None
) -> list[EpisodeRequest]:
    """What to prepare, one request per episode.

    Args:
        config: The episodes.
        frames: How their frames are stored.
        trained: The policy of behaviors that act by a trained one and do not name its file.

    Raises:
        ConfigurationError: A trained policy is to act, and there is none.
        InputError: Its file does not exist.
    """
    behaviors = [_with_actor(behavior, trained) for behavior in config.dealt]
    return [
        EpisodeRequest(
            ControlEpisode(
                trajectory=f"{config.name}_{number:04d}",
                config=config,
                behavior=behaviors[number % len(behaviors)],
                seed=seed_for(config.seed, config.domain, config.task, number),
            ),
            frames,
        )
        for number in range(config.episodes)
    ]


def _with_actor(behavior: ControlBehavior, trained: Path | None) -> ControlBehavior:
    if behavior.policy != "trained":
        return behavior.model_copy(update={"actor": None})
    actor = behavior.actor or trained
    if actor is None:
        raise ConfigurationError(
            "dmc.control.behaviors: the policy 'trained' needs a policy. Remedy: name its file (actor)."
        )
    if not actor.is_file():
        raise InputError(f"dmc.control.behaviors: there is no trained policy {actor}. Remedy: correct actor.")
    return behavior.model_copy(update={"actor": actor.absolute()})


def load_environment(domain: str, task: str, seed: int) -> ControlEnvironment:
    """Builds a task of the suite.

    Raises:
        MissingExtraError: dm_control is not installed.
        ConfigurationError: There is no such task, or nothing to render with.
    """
    choose_renderer()
    try:
        suite: Any = require_extra("dm_control.suite", "robots")
    except MissingExtraError:
        raise
    except (ImportError, RuntimeError, AttributeError) as error:  # what its OpenGL loaders raise
        raise ConfigurationError(
            f"dm_control finds nothing to render with ({error}). {HOW_TO_RENDER}"
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
        seed: Seed of the policy's draws.

    Raises:
        InputError: The trained policy's file cannot be used.
        ConfigurationError: There is nothing to render with, or no gait for the domain.
    """
    if config.quality == "fast":  # takes effect before the first picture only
        environment.physics.model.vis.quality.offsamples = 0
    step, seconds = environment.reset(), environment.control_timestep() * config.action_repeat
    observation = {name: np.size(value) for name, value in step.observation.items()}
    act = control_policy(behavior, config.domain, seconds, environment.action_spec(), observation, seed)
    frames, states = [_render(environment, config)], [flat_observation(step.observation)]
    actions, outcomes = list[NDArray[np.float32]](), list[tuple[float, float]]()
    while not step.last():
        action = act(states[-1])
        step, reward = repeat_action(environment, action, config.action_repeat)
        frames.append(_render(environment, config))
        states.append(flat_observation(step.observation))
        actions.append(action.astype(np.float32))
        outcomes.append((reward, 1.0 if step.discount is None else float(step.discount)))
    views = [EpisodeView(NO_CAMERA, len(frames), iter(frames))]
    arrays = (np.stack(states), np.stack(actions), np.array(outcomes, np.float32))
    return Episode(behavior.name, views, *arrays)


def flat_observation(observation: Observation) -> NDArray[np.float32]:
    """The numbers of an observation in the order of its keys, (S,)."""
    return np.concatenate([np.ravel(value) for value in observation.values()]).astype(np.float32)


def repeat_action(
    environment: ControlEnvironment, action: NDArray[np.float64], times: int
) -> tuple[TimeStep, float]:
    """Carries out an action several times, or until the episode ends: the last step, and all rewards."""
    reward = 0.0
    for _ in range(times):
        step = environment.step(action)
        reward += step.reward or 0.0
        if step.last():
            break
    return step, reward


def _render(environment: ControlEnvironment, config: ControlConfig) -> NDArray[np.uint8]:
    return scene_picture(environment, config.size, config.size, config.camera, config.quality)


def scene_picture(
    environment: ControlEnvironment, height: int, width: int, camera: int | str, quality: str
) -> NDArray[np.uint8]:
    """What a camera sees now, (H, W, 3).

    Args:
        environment: The task.
        height: Pixels.
        width: Pixels.
        camera: Its number or name.
        quality: ``fast``: without shadows and reflections.

    Raises:
        ConfigurationError: There is nothing to render with.
    """
    flags = {"shadow": False, "reflection": False} if quality == "fast" else {}
    try:
        picture: NDArray[np.uint8] = environment.physics.render(
            height=height, width=width, camera_id=camera, render_flag_overrides=flags
        )
    except (ImportError, RuntimeError, AttributeError) as error:
        raise ConfigurationError(f"dm_control cannot render ({error}). {HOW_TO_RENDER}") from error
    return np.ascontiguousarray(picture)
