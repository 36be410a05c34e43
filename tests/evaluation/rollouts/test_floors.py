import numpy as np
import pytest

from vidrep_pipelines.evaluation.rollouts.floors import StillMaker, UniformMaker
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest


def request(seed: int) -> PlanRequest:
    return PlanRequest(Observation({}, np.zeros(2)), "do it", "one", 0, seed)


def test_standing_still_is_the_same_action_again_and_again() -> None:
    plans = StillMaker((0.5, -1.0), 3).make().plan([request(1), request(2)])
    assert plans.shape == (2, 3, 2) and (plans == [0.5, -1.0]).all()


def test_actions_by_chance_fill_their_range_and_follow_from_the_seed() -> None:
    policy = UniformMaker((-1.0, 2.0), (1.0, 4.0), 200).make()
    first, other, again = policy.plan([request(1), request(2), request(1)])
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.mean(0) == pytest.approx([0, 3], abs=0.2)
    assert (first.min(0) >= [-1, 2]).all() and (first.max(0) <= [1, 4]).all()
    assert first.std(0) == pytest.approx([2 / 12**0.5] * 2, rel=0.1)
