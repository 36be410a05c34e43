import numpy as np
import pytest

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sample_world.instructions import Instruction
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopEpisodesConfig
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord, RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, EpisodeStart
from vidrep_pipelines.evaluation.rollouts.replay import require_replay
from vidrep_pipelines.evaluation.rollouts.tabletop import (
    JudgeName,
    ScriptedArmMaker,
    TabletopEnvironment,
    TabletopMaker,
    recorded_instruction,
    scripted_episodes,
    swapped_starts,
    tabletop_starts,
)

WORLD = TabletopEpisodesConfig(
    table=TabletopConfig(width=32, height=32, objects_max=2, cameras=("front",)), test_tables=4
)
ONE_BY_ONE = RolloutConfig(execute_steps=1, most_steps=30)


def records_of(starts: list[EpisodeStart], policy: ChunkPolicy, judge: JudgeName) -> list[EpisodeRecord]:
    rules = RolloutRules(ONE_BY_ONE, "settings")
    return roll_out_episodes(starts, TabletopMaker(WORLD, judge).make, policy, rules, batch=2)


def test_starts_are_the_recorded_tables_and_instructions() -> None:
    starts = tabletop_starts(WORLD, "test", 4)
    assert [start.name for start in starts] == [f"tabletop/test/0000{number}" for number in range(4)]
    for start in starts:
        order = recorded_instruction(start.name, WORLD)
        assert (order.text, order.task) == (start.instruction, start.task)
    with pytest.raises(ConfigurationError, match=r"there are 4.*test_tables"):
        tabletop_starts(WORLD, "test", 5)
    with pytest.raises(InputError, match="no episode of the tabletop"):
        recorded_instruction("elsewhere/1", WORLD)


def test_the_scripted_arm_does_what_it_is_told_and_standing_still_does_nothing() -> None:
    starts = tabletop_starts(WORLD, "test", 4)
    done = records_of(starts, ScriptedArmMaker(WORLD).make(), "told")
    assert all(record.success for record in done)
    assert {record.renderer for record in done} == {"sample_world/plain_32x32"}
    still = records_of(starts, StillMaker((0.0,) * 4).make(), "told")
    assert not any(record.success for record in still) and {record.steps for record in still} == {30}


def test_told_something_else_the_arm_does_that_and_not_what_was_recorded() -> None:
    starts = tabletop_starts(WORLD, "test", 4)
    swapped = swapped_starts(starts, WORLD)
    for start, other in zip(starts, swapped, strict=True):
        assert (start.name, start.task) == (other.name, other.task)
        assert Instruction.parse(start.instruction).name != Instruction.parse(other.instruction).name
    assert swapped == swapped_starts(starts, WORLD)
    arm = ScriptedArmMaker(WORLD).make()
    assert all(record.success for record in records_of(swapped, arm, "told"))
    assert not any(record.success for record in records_of(swapped, arm, "recorded"))


def test_recorded_actions_succeed_again() -> None:
    recorded = scripted_episodes(tabletop_starts(WORLD, "test", 2), WORLD)
    assert len(require_replay(TabletopMaker(WORLD).make, recorded)) == 2


def test_pictures_are_drawn_when_they_are_asked_for() -> None:
    world = TabletopEnvironment(WORLD)
    with pytest.raises(InputError, match="no episode has begun"):
        world.observe(pictures=False)
    [start] = tabletop_starts(WORLD, "test", 1)
    world.reset(start)
    assert not world.observe(pictures=False).pictures
    seen = world.observe(pictures=True)
    assert seen.pictures["front"].shape == (32, 32, 3) and seen.state.shape == (4,)
    assert 0 <= world.step(np.zeros(4)) <= 1


def test_identities_tell_worlds_apart() -> None:
    other = WORLD.model_copy(update={"seed": 1})
    identities = [TabletopMaker(WORLD).identity, TabletopMaker(other).identity]
    identities.append(TabletopMaker(WORLD, "recorded").identity)
    assert len({str(identity) for identity in identities}) == 3
