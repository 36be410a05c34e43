import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop

CONFIG = TabletopConfig(width=48, height=40, objects_max=2, cameras=("front", "side"))


@pytest.fixture(scope="module")
def table() -> Tabletop:
    return Tabletop(CONFIG, 3)


@pytest.mark.parametrize("number", [0, 3, 5])
def test_the_scripted_actions_lead_to_the_recorded_states_and_pictures(table: Tabletop, number: int) -> None:
    instruction = table.instructions[number]
    recorded, control = table.record(instruction), table.control(instruction)
    rewards = []
    for step, action in enumerate(recorded.actions):
        np.testing.assert_array_equal(control.state, recorded.states[step])
        if step in (0, 9):
            for camera, picture in control.pictures().items():
                np.testing.assert_array_equal(picture, recorded.frames[camera][step])
        rewards.append(control.step(action))
    assert control.succeeded() and recorded.success
    assert rewards[-1] > 0.5 > rewards[0]


def test_nothing_is_done_by_standing_still(table: Tabletop) -> None:
    for instruction in table.instructions:
        control = table.control(instruction)
        assert not control.succeeded()
        control.step(np.zeros(4))
        assert not control.succeeded()


def test_success_is_that_of_the_instruction(table: Tabletop) -> None:
    meant = table.instructions[0]
    other = next(one for one in table.instructions if one.name != meant.name)
    control = table.control(meant)
    for action in table.run(other).actions[:-1]:
        control.step(action)
    assert not control.succeeded()


def test_actions_that_are_none_are_refused(table: Tabletop) -> None:
    with pytest.raises(InputError, match="four finite numbers"):
        table.control(table.instructions[0]).step(np.zeros(3))
