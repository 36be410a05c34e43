"""A demonstrator whose actions are encoded as those of a trained policy."""

from collections.abc import Sequence

import numpy as np

from vidrep_pipelines.adapters.coded_actions import CodedPolicy
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.units import Bounds


class Demonstrator:
    """Wants the same of everyone."""

    chunk_length = 2
    wish = np.array([[0.1, -0.9], [0.7, 0.2]])

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        return np.stack([self.wish + request.step for request in requests])


def asked(step: int) -> PlanRequest:
    return PlanRequest(Observation({}, np.zeros(4)), "push the red cup", "episode", step, 0)


def test_actions_beyond_what_is_learned_are_cut_off() -> None:
    coding = ActionCoding(units=Bounds(low=np.array([-0.5, -0.5]), high=np.array([0.5, 1.5])))
    policy = CodedPolicy(Demonstrator(), coding)
    assert policy.chunk_length == 2
    plans = policy.plan([asked(0), asked(1)])
    np.testing.assert_allclose(plans, [[[0.1, -0.5], [0.5, 0.2]], [[0.5, 0.1], [0.5, 1.2]]], atol=1e-9)
