import numpy as np
import pytest

from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.evaluation.rollouts.agent_world import (
    CAMERA,
    AgentWorldMaker,
    ScriptedAgentMaker,
    WanderingMaker,
    agent_starts,
)
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord, RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker
from vidrep_pipelines.evaluation.rollouts.protocol import PolicyMaker

STEPS = 80
AGENTS = AgentEpisodesConfig(world=SampleWorldConfig(width=48, height=48, distractors=0), scenes=2)
WORLD = AgentWorldMaker(AGENTS, FramesConfig(height=32, width=32), scramble=8, success=0.9)
STARTS = tuple(agent_starts(AGENTS, "test", 4, seed=0))


def records_of(policy: PolicyMaker, world: AgentWorldMaker = WORLD) -> list[EpisodeRecord]:
    config = RolloutConfig(execute_steps=STEPS, most_steps=STEPS)
    return roll_out_episodes(STARTS, world.make, policy.make(), RolloutRules(config, "settings"), batch=2)


def test_the_expert_does_the_activity_and_standing_still_does_nothing() -> None:
    done = records_of(ScriptedAgentMaker(WORLD, STARTS, STEPS))
    assert all(record.success and record.reward > 0.75 for record in done)
    assert {record.renderer for record in done} == {"sample_world/push_32x32"}
    still = records_of(StillMaker((0.0,) * 4, STEPS))
    assert not any(record.success for record in still)
    assert all(abs(record.reward) < 0.05 for record in still)


def test_rewards_of_an_episode_add_up_to_what_was_made_of_the_activity() -> None:
    easier = AgentWorldMaker(AGENTS, WORLD.frames, WORLD.scramble, success=0.5)
    policy = ScriptedAgentMaker(WORLD, STARTS, STEPS)
    for done, half in zip(records_of(policy), records_of(policy, easier), strict=True):
        assert 0.35 < half.reward < done.reward and half.steps < done.steps


def test_starts_differ_and_stay_when_there_are_more() -> None:
    assert agent_starts(AGENTS, "test", 2, 0) == list(STARTS[:2])
    poses = [WORLD.begin(start)[1].joints for start in STARTS]
    assert min(np.abs(poses[a] - poses[b]).max() for a in range(4) for b in range(a)) > 0.01
    assert WORLD.scene(STARTS[0]).seed == WORLD.scene(STARTS[2]).seed != WORLD.scene(STARTS[1]).seed
    others = agent_starts(AGENTS, "validation", 4, 0) + agent_starts(AGENTS, "test", 4, 1)
    assert not {start.seed for start in others} & {start.seed for start in STARTS}


def test_pictures_are_as_they_are_stored_and_equal_actions_give_equal_ones() -> None:
    shown = []
    for _ in range(2):
        environment = WORLD.make()
        environment.reset(STARTS[0])
        environment.step(np.array([0.5, -0.5, 0.2, 0.0]))
        shown.append(environment.observe(pictures=True).pictures[CAMERA])
    assert shown[0].shape == (32, 32, 3) and np.array_equal(*shown)
    assert not environment.observe(pictures=False).pictures


def test_chance_is_smooth_and_follows_from_the_seed() -> None:
    one, again = records_of(WanderingMaker(STEPS)), records_of(WanderingMaker(STEPS))
    assert [record.reward for record in one] == [record.reward for record in again]
    assert not all(record.success for record in one)


@pytest.mark.parametrize("scenes", [None, 2])
def test_scenes_are_those_of_the_data_or_new(scenes: int | None) -> None:
    agents = AGENTS.model_copy(update={"scenes": scenes, "episodes": 3})
    world = AgentWorldMaker(agents, WORLD.frames, 0, 0.9)
    collected = AGENTS.model_copy(update={"scenes": None, "episodes": 0})
    known = AgentWorldMaker(collected, WORLD.frames, 0, 0.9)
    seeds = {known.scene(start).seed for start in STARTS[: scenes or 3]}
    assert (world.scene(STARTS[0]).seed in seeds) == (scenes is not None)
