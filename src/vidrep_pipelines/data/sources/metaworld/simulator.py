"""One of MetaWorld's tasks at a time, simulated and filmed (extra ``robots``)."""

import warnings
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.errors import ConfigurationError, InputError, MissingExtraError
from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.data.sources.headless_rendering import HOW_TO_RENDER, choose_renderer
from vidrep_pipelines.data.sources.metaworld.config import MetaworldPicturesConfig

ACTION_SIZE = 4
"""Numbers of an action in -1..1: how the hand moves in three directions, and how firmly it closes."""

STATE_SIZE = 4
"""Numbers of a state: the hand's place in meters, and how far it is open, 0..1."""


class MetaworldSimulator:
    """One layout of a task after another.

    Args:
        task: Its name, such as ``reach-v3``.
        pictures: How it is filmed.

    Raises:
        MissingExtraError: MetaWorld is not installed.
        ConfigurationError: There is no such task, or nothing to render with.
    """

    def __init__(self, task: str, pictures: MetaworldPicturesConfig) -> None:
        self.task, self._config = task, pictures
        self._environment: Any = _environment(task)
        self._environment.seeded_rand_vec = True
        self._environment._freeze_rand_vec = False  # there is no public way to layouts by seed
        self._renderer: Any = None
        self._observed: FloatArray | None = None
        self._succeeded = False

    def reset(self, seed: int) -> None:
        """Begins an episode in the layout of that seed, in 0..2**31 - 1."""
        self._environment.seed(seed)
        observed, _ = self._environment.reset()
        self._observed, self._succeeded = np.asarray(observed, np.float64), False

    @property
    def observation(self) -> FloatArray:
        """All that MetaWorld tells (39,), the goal included: what its experts see.

        Raises:
            InputError: No episode has begun.
        """
        if self._observed is None:
            raise InputError("MetaWorld: no episode has begun; call reset first")
        return self._observed

    @property
    def state(self) -> FloatArray:
        """(4,): the hand's place in meters, and how far it is open, 0..1."""
        return self.observation[:STATE_SIZE].copy()

    @property
    def succeeded(self) -> bool:
        """MetaWorld's own flag after the last action."""
        return self._succeeded

    def step(self, action: FloatArray) -> float:
        """Executes (4,) for one control step, cut to -1..1; returns MetaWorld's reward, 0..10.

        Raises:
            InputError: The action is not four finite numbers, or no episode has begun.
        """
        action = np.asarray(action, np.float64)
        if self.observation.size == 0 or action.shape != (ACTION_SIZE,) or not np.isfinite(action).all():
            raise InputError(f"MetaWorld: an action is {ACTION_SIZE} finite numbers, not {action!r}.")
        observed, reward, _, _, told = self._environment.step(np.clip(action, -1, 1))
        self._observed, self._succeeded = np.asarray(observed, np.float64), bool(told["success"])
        return float(reward)

    def pictures(self) -> dict[str, Pixels]:
        """What the cameras see now, (H, W, 3) uint8 by their names.

        Raises:
            ConfigurationError: There is nothing to render with.
        """
        try:
            if self._renderer is None:
                self._renderer = self._prepared_renderer()
            return {camera: self._picture(camera) for camera in self._config.cameras}
        except (ImportError, RuntimeError, AttributeError) as error:  # what OpenGL's loaders raise
            raise ConfigurationError(f"MuJoCo cannot render ({error}). {HOW_TO_RENDER}") from error

    def _prepared_renderer(self) -> Any:
        """Multisampling and sizes take effect before the renderer is made only."""
        mujoco: Any = require_extra("mujoco", "robots")
        model, config = self._environment.model, self._config
        if config.quality == "fast":
            model.vis.quality.offsamples = 0
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, config.width)
        model.vis.global_.offheight = max(model.vis.global_.offheight, config.height)
        if config.field_of_view is not None:
            model.cam_fovy[:] = config.field_of_view
        return mujoco.Renderer(model, config.height, config.width)

    def _picture(self, camera: str) -> Pixels:
        flags: Any = require_extra("mujoco", "robots").mjtRndFlag
        self._renderer.update_scene(self._environment.data, camera=camera)
        if self._config.quality == "fast":
            self._renderer.scene.flags[flags.mjRND_SHADOW] = 0
            self._renderer.scene.flags[flags.mjRND_REFLECTION] = 0
        pixels: Pixels = self._renderer.render().copy()
        return pixels

    def close(self) -> None:
        """Frees what it renders with. It is not used again."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None
        self._environment.close()


def expert_action(task: str, observation: FloatArray) -> FloatArray:
    """What the scripted expert of a task does, (4,) in -1..1.

    Args:
        task: Its name.
        observation: (39,) of the simulator.

    Raises:
        MissingExtraError: MetaWorld is not installed.
    """
    experts: Any = require_extra("metaworld.policies", "robots").ENV_POLICY_MAP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it asks for more than the robot can do
        action = experts[task]().get_action(observation)
    return np.clip(np.asarray(action, np.float64), -1, 1)


def _environment(task: str) -> Any:
    choose_renderer()
    try:
        known: Any = require_extra("metaworld.env_dict", "robots").ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
    except MissingExtraError:
        raise
    except (ImportError, RuntimeError, AttributeError) as error:
        raise ConfigurationError(f"MetaWorld cannot be loaded ({error}). {HOW_TO_RENDER}") from error
    name = f"{task}-goal-observable"
    if name not in known:
        names = ", ".join(sorted(key.removesuffix("-goal-observable") for key in known))
        raise ConfigurationError(f"MetaWorld has no task {task!r}. Tasks: {names}.")
    return known[name](seed=0)
