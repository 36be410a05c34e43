import numpy as np
import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.calvin.check import check_world, compute_devices
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureMaker, MiniatureWorld
from vidrep_pipelines.evaluation.calvin.recordings import expert_recordings
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task

RECORDED = expert_recordings([calvin_task("turn_on_led"), calvin_task("move_slider_left")])


class Faulty(MiniatureMaker):
    """Makes worlds with a fault."""

    world: type[MiniatureWorld] = MiniatureWorld

    def make(self) -> MiniatureWorld:
        return self.world(MiniatureConfig())


def faulty(**members: object) -> Faulty:
    maker = Faulty()
    object.__setattr__(maker, "world", type("FaultyWorld", (MiniatureWorld,), members))
    return maker


def test_facts_of_the_miniature() -> None:
    facts = check_world(MiniatureMaker(), RECORDED)
    assert facts.renderer == "miniature" and facts.devices == compute_devices()
    assert facts.pictures == {"rgb_static": (32, 32), "rgb_gripper": (16, 16)}
    assert facts.robot_error == 0 and facts.scene_error < 1e-6
    assert facts.step_milliseconds > 0 and facts.picture_milliseconds > 0
    assert (facts.replayed, facts.succeeded) == (2, 2)


def test_without_recordings_nothing_is_replayed() -> None:
    assert check_world(MiniatureMaker(), None).replayed == 0


def test_another_renderer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="miniature was asked for, and tiny renders"):
        check_world(faulty(renderer="tiny"), None)


def test_pictures_of_one_color_are_refused() -> None:
    def get_obs(self, *, pictures):  # type: ignore[no-untyped-def]
        seen = MiniatureWorld.get_obs(self, pictures=pictures)
        return seen | {"rgb_gripper": np.zeros((4, 4, 3), np.uint8)}

    with pytest.raises(ConfigurationError, match="rgb_gripper by miniature are of one color"):
        check_world(faulty(get_obs=get_obs), None)


def test_a_reset_to_another_place_is_refused() -> None:
    def reset(self, robot_obs, scene_obs):  # type: ignore[no-untyped-def]
        MiniatureWorld.reset(self, robot_obs + 0.01, scene_obs)

    with pytest.raises(ConfigurationError, match=r"After a reset the hand is 0.01 m"):
        check_world(faulty(reset=reset), None)


def test_turned_actions_are_found_by_the_replay() -> None:
    def step(self, action):  # type: ignore[no-untyped-def]
        MiniatureWorld.step(self, action * np.array([1, 1, 1, 1, 1, 1, -1]))

    with pytest.raises(ConfigurationError, match=r"1 of 2 replayed .*move_slider_left/0"):
        check_world(faulty(step=step), RECORDED)
