import numpy as np
import pytest

from tests.helpers.rollouts import LineWorld, reach
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.rollouts.replay import RecordedEpisode, replay_episode, require_replay

GOOD = RecordedEpisode(reach(3), np.array([[1.0], [0.5], [1.5]]))
TURNED = RecordedEpisode(reach(3, "turned"), -GOOD.actions)


def test_recorded_actions_are_executed_in_their_order() -> None:
    world = LineWorld()
    record = replay_episode(world, GOOD)
    assert record.success and record.steps == 3
    assert world.executed == [1.0, 0.5, 1.5]


def test_a_policy_is_not_scored_where_recorded_actions_fail() -> None:
    assert len(require_replay(LineWorld, [GOOD, GOOD])) == 2
    with pytest.raises(ConfigurationError, match=r"1 of 2 .*not in turned.*gripper"):
        require_replay(LineWorld, [GOOD, TURNED])
    assert len(require_replay(LineWorld, [GOOD, TURNED], least=0.5)) == 2


def test_nothing_to_replay_is_an_error() -> None:
    with pytest.raises(InputError, match="no recorded episode"):
        require_replay(LineWorld, [])
    with pytest.raises(InputError, match="to-3: there are no recorded actions"):
        replay_episode(LineWorld(), RecordedEpisode(reach(3), np.zeros((0, 1))))
