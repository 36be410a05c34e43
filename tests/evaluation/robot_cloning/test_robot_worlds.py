from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.dmc_world import HARD_SEEDS, use_fake_dmc
from tests.helpers.metaworld import use_fake_metaworld
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig
from vidrep_pipelines.evaluation.robot_cloning.blind_environment import BlindMaker, replayed_states
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import Demonstration
from vidrep_pipelines.evaluation.robot_cloning.robot_worlds import (
    DmcWorld,
    MetaworldWorld,
    TabletopWorld,
    camera_of,
    robot_world,
)
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest
from vidrep_pipelines.evaluation.rollouts.tabletop import scripted_episodes

TABLES = TabletopEpisodesConfig(
    table=TabletopConfig(width=32, height=32, objects_max=3, cameras=("side", "front"))
)
DMC = DmcEpisodesConfig(control_steps=40, action_repeat=2, noise=0.0)
METAWORLD = MetaworldEpisodesConfig(tasks=("reach-v3", "push-v3"))


def test_layouts_of_a_task_are_held_out_and_need_not_be_filmed() -> None:
    world = TabletopWorld(TABLES.model_copy(update={"test_tables": 0}))
    starts = world.starts("test", "lift_up", 3)
    assert len({start.name for start in starts}) == 3
    assert all(start.task == "lift_up" and start.instruction.startswith("lift the") for start in starts)
    assert world.starts("test", "lift_up", 2) == starts[:2]
    assert not {start.name for start in starts} & {
        one.name for one in world.starts("validation", "lift_up", 3)
    }
    other = MetaworldWorld(METAWORLD).starts("test", "push-v3", 4)
    assert [start.task for start in other] == ["push-v3"] * 4 and len({start.seed for start in other}) == 4


def test_an_exact_state_is_told_at_every_step_and_shows_what_was_done() -> None:
    world = TabletopWorld(TABLES)
    start = world.starts("test", "lift_up", 1)[0]
    [recorded] = scripted_episodes([start], TABLES)
    environment = BlindMaker(world.maker, exact=True).make()
    states = replayed_states(environment, start, recorded.actions)
    assert states.shape == (len(recorded.actions) + 1, 24) and np.isfinite(states).all()
    assert states[0, 7] == 0 and states[:, 7].max() == 1  # it is held in the end
    assert states[-1, 9] > states[0, 9] + 0.1  # and higher
    assert environment.renderer == world.maker.renderer and not environment.observe(pictures=True).pictures
    assert BlindMaker(world.maker).identity != dict(world.maker.identity)


def test_who_looks_at_nothing_is_shown_nothing() -> None:
    world = TabletopWorld(TABLES)
    environment, other = BlindMaker(world.maker).make(), world.maker.make()
    for one in (environment, other):
        one.reset(world.starts("test", "lift_up", 1)[0])
    seen = environment.observe(pictures=True)
    assert not seen.pictures and seen.state.tolist() == other.observe(pictures=True).state.tolist()


def test_actions_that_do_not_do_their_task_again_are_refused() -> None:
    world = TabletopWorld(TABLES)
    start = world.starts("test", "lift_up", 1)[0]
    with pytest.raises(ConfigurationError, match="do not do their task again"):
        replayed_states(BlindMaker(world.maker, exact=True).make(), start, np.zeros((3, 4)))


def test_a_demonstration_is_done_again_in_metaworld(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_metaworld(monkeypatch)
    world = MetaworldWorld(METAWORLD)
    starts = [start for start in world.starts("test", "push-v3", 6) if start.seed % 4]
    start = world.start_of(Demonstration("view", starts[0].name, "push-v3", "told", ""))
    assert replace(start) == starts[0]
    expert = world.expert.make()
    environment = BlindMaker(world.maker, exact=True).make()
    environment.reset(start)
    request = PlanRequest(environment.observe(pictures=False), "", start.name, 0, 0)
    actions = [expert.plan([replace(request, step=step)])[0, 0] for step in range(12)]
    assert replayed_states(environment, start, np.stack(actions)).shape == (13, 8)
    environment.close()


def test_the_world_follows_from_what_is_described() -> None:
    assert (
        robot_world(None, TABLES, None) == robot_world("tabletop", TABLES, METAWORLD) == TabletopWorld(TABLES)
    )
    assert robot_world(None, TABLES, METAWORLD) == MetaworldWorld(METAWORLD)
    assert robot_world(None, TABLES, None, DMC) == robot_world("dmc", TABLES, METAWORLD, DMC) == DmcWorld(DMC)
    for name in ("metaworld", "dmc"):
        with pytest.raises(ConfigurationError, match=rf"robot_demos\.{name} is null"):
            robot_world(name, TABLES, None)
    with pytest.raises(ConfigurationError, match=r"describes metaworld and dmc.*Remedy"):
        robot_world(None, TABLES, METAWORLD, DMC)


def test_starts_in_dm_control_are_held_out_and_episodes_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    world = DmcWorld(DMC)
    starts = [world.starts(part, "reacher-easy", 6) for part in ("validation", "test")]
    assert len({start.seed for part in starts for start in part}) == 12
    start = next(start for start in starts[1] if start.seed % HARD_SEEDS)
    assert world.start_of(Demonstration("view", start.name, "reacher-easy", "told", "")) == start
    recorded = world.expert.make().run(start.name)
    states = replayed_states(BlindMaker(world.maker, exact=True).make(), start, recorded.actions)
    assert states.shape == (world.most_steps + 1, 6) and world.whole_episodes
    with pytest.raises(ConfigurationError, match=r"'cheetah-run' is no task of dmc\.tasks"):
        world.starts("test", "cheetah-run", 1)


def test_the_camera_is_one_that_films() -> None:
    world = TabletopWorld(TABLES)
    assert camera_of(world, None) == "side" and camera_of(world, "front") == "front"
    assert dict(world.cameras) == {"side": 1, "front": 0}
    with pytest.raises(ConfigurationError, match="filmed by side, front"):
        camera_of(world, "corner2")
