import numpy as np
import pytest

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.calvin.initial_scene import initial_observations
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureWorld
from vidrep_pipelines.evaluation.calvin.sequences import initial_states
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task
from vidrep_pipelines.evaluation.calvin.world import (
    CalvinEnvironment,
    scene_for_task,
    tasks_from_initial_states,
)
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart


class Recorder(MiniatureWorld):
    def step(self, action: np.ndarray) -> None:
        self.last = action
        super().step(action)


@pytest.fixture
def environment() -> CalvinEnvironment:
    made = CalvinEnvironment(Recorder(MiniatureConfig()))
    made.reset(EpisodeStart("e", "open_drawer", "open"))
    return made


@pytest.mark.parametrize(("gripper", "told"), [(0.3, 1), (1e-9, 1), (0.0, -1), (-0.2, -1), (7.0, 1)])
def test_of_the_gripper_only_the_sign_counts(environment, gripper: float, told: float) -> None:
    action = np.array([0.1, 0, 0, 0, 0, 0, gripper])
    environment.step(action)
    np.testing.assert_array_equal(environment._world.last, [0.1, 0, 0, 0, 0, 0, told])
    assert action[6] == gripper


def test_the_state_is_robot_and_scene(environment) -> None:
    seen = environment.observe(pictures=False)
    assert seen.pictures == {} and seen.state.shape == (39,)
    assert set(environment.observe(pictures=True).pictures) == {"rgb_static", "rgb_gripper"}


def test_success_is_between_the_beginning_of_the_task_and_now(environment) -> None:
    world = environment._world
    world.joints["drawer"] = 0.2
    assert environment.succeeded()
    environment.begin(calvin_task("open_drawer"))
    assert not environment.succeeded()
    environment.begin(calvin_task("close_drawer"))
    world.joints["drawer"] = 0.0
    assert environment.succeeded()


def test_scenes_allow_the_task_and_vary_with_the_seed() -> None:
    for task in tasks_from_initial_states():
        fitting = [state for state in initial_states() if task.applied(state)]
        first, second = (scene_for_task(EpisodeStart("e", task.name, "", seed))[1] for seed in (0, 1))
        np.testing.assert_array_equal(first, initial_observations(fitting[0])[1])
        assert (first != second).any()


def test_what_cannot_be_begun_or_executed_is_refused(environment) -> None:
    with pytest.raises(ConfigurationError, match=r"stack_block cannot be begun.*recordings"):
        environment.reset(EpisodeStart("e", "stack_block", ""))
    with pytest.raises(InputError, match="7 numbers"):
        environment.step(np.zeros(8))
    with pytest.raises(InputError, match="15 and 24 numbers"):
        environment.place(np.zeros(15), np.zeros(23))
