"""The sample world under control: the caller decides the actions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sample_world.config import (
    ACTIVITY_NAMES,
    ActivityName,
    SampleWorldConfig,
)
from vidrep_pipelines.data.sample_world.geometry import ByteArray
from vidrep_pipelines.data.sample_world.policy import Policy
from vidrep_pipelines.data.sample_world.renderer import RenderedFrame, Renderer
from vidrep_pipelines.data.sample_world.scene import Scene, draw_scene
from vidrep_pipelines.data.sample_world.world import ACTION_NAMES, World


class StepResult(NamedTuple):
    """What an action led to.

    Attributes:
        frame: (H, W, 3) uint8, the picture after the action.
        reward: Reward in 0..1 of the state after the action.
        done: Whether the episode has reached its last frame.
        action: (4,) float32, the action that was carried out, which is less than the given one where the arm
            met the table.
    """

    frame: ByteArray
    reward: float
    done: bool
    action: NDArray[np.float32]


class SampleWorldEnvironment:
    """One activity under the caller's actions.

    Episodes end after ``config.frames_max`` frames. Equal seeds and actions give equal pictures and rewards.

    Args:
        config: The world's parameters.
        activity: What is rewarded.

    Raises:
        ConfigurationError: There is no such activity.
    """

    action_names = ACTION_NAMES

    def __init__(self, config: SampleWorldConfig, activity: ActivityName = "push") -> None:
        if activity not in ACTIVITY_NAMES:
            raise ConfigurationError(
                f"sample world: no activity {activity!r}; there are {', '.join(ACTIVITY_NAMES)}"
            )
        self._config, self._activity = config, activity
        self._scene: Scene | None = None

    def reset(self, seed: int) -> ByteArray:
        """Starts an episode and returns its first frame (H, W, 3) uint8."""
        self._scene = draw_scene(self._activity, seed, self._config.distractors)
        self._world = self._scene.world(self._config.frames_per_second)
        self._renderer = Renderer(self._scene, self._config)
        self._before = self._world.snapshot()
        self._index = 0
        self._frame = self._render()
        return self._frame.pixels

    def step(self, action: NDArray[np.floating]) -> StepResult:
        """Carries out an action (4,) in -1..1: velocities of shoulder, elbow, wrist and gripper.

        Raises:
            InputError: There is no episode, it is over, or the action is not four finite numbers.
        """
        if self._scene is None or self.done:
            raise InputError("sample world: the episode has ended or not begun; call reset(seed) first")
        self._before = self._world.snapshot()
        executed = self._world.step(action)
        self._index += 1
        self._frame = self._render()
        return StepResult(self._frame.pixels, self.reward, self.done, executed)

    def _render(self) -> RenderedFrame:
        return self._renderer.render(self._world.snapshot(), self._before, self._index)

    @property
    def done(self) -> bool:
        """Whether the current frame is the episode's last."""
        return self._index >= self._config.frames_max - 1

    @property
    def reward(self) -> float:
        """The reward of the current state."""
        return self.scene.activity.reward(self._world)

    @property
    def frame(self) -> RenderedFrame:
        """The current frame with its masks, parts and keypoints."""
        return self._frame

    @property
    def state(self) -> NDArray[np.float32]:
        """(4,) the joints."""
        return self._world.joints.copy()

    @property
    def instruction(self) -> str:
        """What the arm is asked to do."""
        return self.scene.instruction

    @property
    def world(self) -> World:
        """The world, for a policy to look at."""
        return self._world

    @property
    def scene(self) -> Scene:
        """The episode's scene.

        Raises:
            InputError: No episode has begun.
        """
        if self._scene is None:
            raise InputError("sample world: no episode has begun; call reset(seed) first")
        return self._scene

    def begin(self, policy: Policy) -> None:
        """Tells a policy about the episode that ``reset`` started; then ``act(world)`` gives the actions."""
        policy.start(self.scene.activity, self._config.frames_max, self.scene.seed)
