from collections.abc import Sequence

import numpy as np
import pytest

from tests.helpers.rollouts import Noisy, Steady
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.units import Standard
from vidrep_pipelines.serving.agent import XBOT_CAMERAS, AgentConfig, PolicyAgent

SEEN = Observation({"front": np.zeros((2, 2, 3), np.uint8)}, np.zeros(1))


def test_a_chunk_is_handed_out_action_by_action_and_dropped_by_a_reset() -> None:
    policy = Steady((1.0, 2.0, 3.0))
    agent = PolicyAgent(policy, AgentConfig(execute_steps=2))
    agent.reset("go")
    assert [agent.act(SEEN)[0] for _ in range(3)] == [1, 2, 1]
    agent.reset("stop", "second")
    assert agent.act(SEEN)[0] == 1
    assert [request.instruction for [request] in policy.requests] == ["go", "go", "stop"]
    assert [request.step for [request] in policy.requests] == [0, 2, 0]


def test_a_whole_chunk_bears_the_time_stamp_of_its_observation_and_replaces_the_last_one() -> None:
    agent = PolicyAgent(Noisy(), AgentConfig(execute_steps=4))
    agent.reset("go")
    agent.act(SEEN)
    chunk = agent.plan(SEEN, 12.5)
    assert chunk.time_stamp == 12.5 and chunk.actions.shape == (4, 1)
    assert [agent.act(SEEN) for _ in range(4)] == list(chunk.actions)


def test_no_more_is_executed_than_is_planned() -> None:
    with pytest.raises(ConfigurationError, match="execute_steps is 5"):
        PolicyAgent(Steady(), AgentConfig(execute_steps=5))


class Echo:
    """Plans the state that it sees, twice."""

    chunk_length = 2

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        self.seen += [request.observation for request in requests]
        return np.stack([np.stack([request.observation.state] * 2) for request in requests])


def test_conventions_of_the_published_two_armed_agent() -> None:
    """Signed pictures in order, the state normalized, outputs restored and added to the state itself."""
    policy, units = Echo(), Standard(np.zeros(38), np.full(38, 4.0))
    agent = PolicyAgent(policy, AgentConfig.xbot(), units, ActionCoding("difference", units))
    agent.reset("pour the tea")
    pictures = [np.full((1, 1, 3, 4, 6), value, np.float32) for value in (-1.0, 0.0, 1.0)]
    state = np.arange(38.0)[None, None]
    first = agent.act(agent.observation(pictures, state))
    second = agent.act(agent.observation(pictures, state + 1))
    assert len(policy.seen) == 2
    assert list(policy.seen[0].pictures) == list(XBOT_CAMERAS)
    assert [int(picture[0, 0, 0]) for picture in policy.seen[0].pictures.values()] == [0, 128, 255]
    assert policy.seen[0].pictures["cam_left"].shape == (4, 6, 3)
    np.testing.assert_allclose(policy.seen[0].state, np.arange(38) / 4)
    np.testing.assert_allclose(first, 2 * np.arange(38.0))
    np.testing.assert_allclose(second, 2 * (np.arange(38.0) + 1))


def test_colors_of_signed_pictures_are_those_of_the_bytes() -> None:
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    agent = PolicyAgent(Steady(), AgentConfig(execute_steps=1, pictures="signed", cameras=("front",)))
    signed = (values.transpose(2, 0, 1) / 255 - 0.5) / 0.5
    np.testing.assert_array_equal(agent.observation([signed], []).pictures["front"], values)


@pytest.mark.parametrize(
    ("config", "pictures", "message"),
    [
        (AgentConfig(), {"front": np.zeros((3, 4, 4), np.uint8)}, r"front is uint8 \(3, 4, 4\).*Remedy"),
        (AgentConfig(), {"front": np.zeros((4, 4, 3))}, "front is float64"),
        (AgentConfig(), [np.zeros((4, 4, 3), np.uint8)], "1 pictures for the 0 cameras"),
        (AgentConfig.xbot(), [np.zeros((2, 1, 3, 4, 4))] * 3, r"cam_high is \(2, 1, 3, 4, 4\)"),
        (AgentConfig.xbot(), [np.full((3, 4, 4), 255.0)] * 3, "outside of -1 to 1"),
    ],
)
def test_pictures_of_another_form_are_refused(config, pictures, message: str) -> None:  # type: ignore[no-untyped-def]
    agent = PolicyAgent(Steady((0.0,) * 10), config)
    with pytest.raises(InputError, match=message):
        agent.observation(pictures, [])
