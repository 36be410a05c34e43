"""The tabletop under control: the caller decides the actions, and pictures are drawn when asked for."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.geometry import ByteArray
from vidrep_pipelines.data.sample_world.renderer import Renderer
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.tabletop import CameraName
from vidrep_pipelines.data.sample_world.tabletop_expert import TabletopTask

_OTHERS = 9
"""Numbers of the three objects that there may be beside the named one."""


class TabletopControl:
    """One attempt at an instruction. Equal actions give equal pictures.

    Args:
        task: What is to be done.
        scene: The table with the task.
        renderers: What draws it, for each camera.
        frames_per_second: Rate of control.
    """

    def __init__(
        self,
        task: TabletopTask,
        scene: Scene,
        renderers: Mapping[CameraName, Renderer],
        frames_per_second: int,
    ) -> None:
        self._task, self._renderers = task, renderers
        self._world = scene.world(frames_per_second)
        self._snapshots = [self._world.snapshot()]

    @property
    def state(self) -> NDArray[np.float32]:
        """(4,) the joints in radians and the gripper's opening in 0..1."""
        return self._world.joints.copy()

    @property
    def exact_state(self) -> FloatArray:
        """What the scripted arm looks at (24,): the named object comes first, whatever it is called.

        Joints (4,); place of the grip and direction of the hand (3,); whether the named object is held; its
        x, y and angle (3,), its goal (2,), half its width and height (2,); x, y and angle of up to three
        others (9,), 0 where there is none.
        """
        world, target = self._world, self._task.target
        pose, body = world.pose, self._task.bodies[target]
        others, beside = np.zeros(_OTHERS), np.delete(world.places, target, axis=0).ravel()
        others[: len(beside)] = beside
        parts = (
            world.joints,
            pose.grip,
            [pose.hand_angle, float(world.held == target)],
            world.places[target],
            self._task.goal,
            [body.half_width, body.half_height],
            others,
        )
        return np.concatenate([np.asarray(part, np.float64) for part in parts])

    def step(self, action: NDArray[np.floating]) -> float:
        """Carries out (4,) joint velocities in -1..1 as shares of the largest; returns the reward in 0..1.

        Raises:
            InputError: The action is not four finite numbers.
        """
        self._world.step(action)
        self._snapshots.append(self._world.snapshot())
        return self._task.reward(self._world)

    def pictures(self) -> dict[CameraName, ByteArray]:
        """(H, W, 3) uint8 of each camera."""
        now, index = self._snapshots[-1], len(self._snapshots) - 1
        before = self._snapshots[max(index - 1, 0)]
        return {
            camera: renderer.render(now, before, index).pixels for camera, renderer in self._renderers.items()
        }

    def succeeded(self) -> bool:
        """Whether it is done, by the exact states so far."""
        return self._task.succeeded(self._snapshots)
