import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.rollouts import Steady
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.protocol import Observation
from vidrep_pipelines.evaluation.rollouts.session import PolicySession

SEEN = Observation({}, np.zeros(1))


@given(st.integers(1, 7), st.integers(0, 30), st.data())
def test_the_head_of_every_chunk_is_executed(length: int, steps: int, data: st.DataObject) -> None:
    execute = data.draw(st.integers(1, length))
    policy = Steady(tuple(range(length)))
    session = PolicySession(RolloutConfig(execute_steps=execute))
    session.reset("episode", "go")
    actions = [session.act(policy, SEEN)[0] for _ in range(steps)]
    assert actions == [step % execute for step in range(steps)]
    assert session.plans == len(policy.requests) == -(-steps // execute)
    assert session.step == steps


def test_a_reset_drops_the_chunk() -> None:
    session = PolicySession(RolloutConfig(execute_steps=3))
    session.reset("first", "go")
    session.receive(np.arange(3.0)[:, None])
    assert session.next_action() == 0 and not session.wants_plan
    session.reset("second", "stop")
    assert session.wants_plan and (session.step, session.plans) == (0, 0)
    request = session.request(SEEN)
    assert (request.episode, request.instruction, request.step) == ("second", "stop", 0)


def test_noise_follows_from_seed_attempt_and_step() -> None:
    def seed(run: int, episode: str, steps: int) -> int:
        session = PolicySession(RolloutConfig(execute_steps=1, seed=run))
        session.reset(episode, "go")
        for _ in range(steps):
            session.act(Steady((0.0,)), SEEN)
        return session.request(SEEN).seed

    assert seed(0, "a", 2) == seed(0, "a", 2)
    assert len({seed(0, "a", 0), seed(1, "a", 0), seed(0, "b", 0), seed(0, "a", 1)}) == 4


def test_chunks_that_cannot_be_executed_are_refused() -> None:
    session = PolicySession(RolloutConfig(execute_steps=3))
    session.reset("episode", "go")
    with pytest.raises(ConfigurationError, match="plans 2 actions"):
        session.receive(np.zeros((2, 1)))
    with pytest.raises(InputError, match=r"episode: .*not finite at step 0"):
        session.receive(np.full((3, 1), np.nan))
