import numpy as np
import pytest

from tests.helpers.dmc_world import HARD_SEEDS, needs_dmc, needs_rendering, use_fake_dmc
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig, DmcPicturesConfig
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.dmc import (
    DmcControllerMaker,
    DmcEnvironment,
    DmcMaker,
    controller_episodes,
    dmc_starts,
    told_another_dmc_task,
)
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord, RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, EpisodeStart
from vidrep_pipelines.evaluation.rollouts.replay import require_replay
from vidrep_pipelines.evaluation.rollouts.tables import record_table

WORLD = DmcEpisodesConfig(
    pictures=DmcPicturesConfig(width=16, height=16),
    control_steps=40,
    action_repeat=2,
    noise=0.0,
    test_layouts=6,
)


def records_of(
    starts: list[EpisodeStart], policy: ChunkPolicy, config: DmcEpisodesConfig = WORLD
) -> list[EpisodeRecord]:
    rules = RolloutRules(
        RolloutConfig(execute_steps=policy.chunk_length, most_steps=config.episode_actions), "settings"
    )
    return roll_out_episodes(starts, DmcMaker(config).make, policy, rules, batch=2)


def test_starts_of_parts_differ_and_more_of_them_leave_the_first_as_they_are() -> None:
    starts = dmc_starts(WORLD, "test", 2)
    assert [(start.name, start.instruction) for start in starts] == [
        ("dmc/reacher-easy/test/00000", "bring the arm to the target"),
        ("dmc/reacher-easy/test/00001", "bring the arm to the target"),
        ("dmc/cartpole-balance/test/00000", "balance the pole"),
        ("dmc/cartpole-balance/test/00001", "balance the pole"),
    ]
    seeds = [
        start.seed
        for part, count in (("train", 25), ("validation", 5), ("test", 6))
        for start in dmc_starts(WORLD, part, count)  # type: ignore[arg-type]
    ]
    assert len(seeds) == len(set(seeds)) == 2 * (25 + 5 + 6)
    assert dmc_starts(WORLD.model_copy(update={"test_layouts": 9}), "test", 2) == starts
    with pytest.raises(ConfigurationError, match=r"there are 6\. Remedy: .*dmc\.test_layouts"):
        dmc_starts(WORLD, "test", 7)


def test_another_task_is_told_and_the_start_stays() -> None:
    starts = dmc_starts(WORLD, "test", 1)
    swapped = told_another_dmc_task(starts, WORLD)
    assert [start.instruction for start in swapped] == ["balance the pole", "bring the arm to the target"]
    assert [(one.name, one.seed) for one in swapped] == [(one.name, one.seed) for one in starts]
    with pytest.raises(ConfigurationError, match=r"reacher-easy is the only one.*robot_episodes\.dmc\.tasks"):
        told_another_dmc_task(starts, WORLD.model_copy(update={"tasks": ("reacher-easy",)}))


def test_every_attempt_is_as_long_as_an_episode_and_success_follows_from_its_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fake_dmc(monkeypatch)
    starts = dmc_starts(WORLD, "test", 6)
    for chunk in (1, 4):
        done = records_of(starts, DmcControllerMaker(WORLD, chunk).make())
        assert [record.success for record in done] == [start.seed % HARD_SEEDS != 0 for start in starts]
        assert {record.steps for record in done} == {20} and {one.renderer for one in done} == {
            "dmc/fast_16x16"
        }
        for record in done:
            assert record.score == pytest.approx(record.reward / 40)
            assert record.success == (record.score >= 0.8)  # type: ignore[operator]
    still = records_of(starts, StillMaker((0.0, 0.0)).make())
    assert {(record.success, record.score) for record in still} == {(False, 0.0)}
    assert record_table(still)["score"].tolist() == [0.0] * 12


def test_a_higher_threshold_makes_fewer_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    starts, strict = dmc_starts(WORLD, "test", 6), WORLD.model_copy(update={"success_score": 1.0})
    done = records_of(starts, DmcControllerMaker(strict).make(), strict)
    assert not any(record.success for record in done) and max(one.score or 0 for one in done) > 0.8
    assert DmcMaker(strict).identity != DmcMaker(WORLD).identity
    assert DmcMaker(WORLD.model_copy(update={"train_layouts": 1})).identity == DmcMaker(WORLD).identity


def test_only_what_succeeded_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    recorded = controller_episodes(dmc_starts(WORLD, "test", 6), WORLD, 2)
    assert [one.start.task for one in recorded] == ["reacher-easy"] * 2 + ["cartpole-balance"] * 2
    assert all(one.success for one in require_replay(DmcMaker(WORLD).make, recorded))


def test_one_simulator_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    world = DmcEnvironment(WORLD)
    with pytest.raises(InputError, match="no episode has begun"):
        world.observe(pictures=False)
    first, _, second, _ = dmc_starts(WORLD, "test", 2)
    world.reset(first)
    held = world._running
    assert not world.observe(pictures=False).pictures and world.exact_state.shape == (6,)
    seen = world.observe(pictures=True)
    assert seen.pictures["fixed"].shape == (16, 16, 3) and seen.state.shape == (5,)
    world.reset(second)
    assert held.closed is True  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="'cheetah-run' is no task"):
        world.reset(EpisodeStart("dmc/cheetah-run/test/00000", "cheetah-run", "run"))
    world.close()


@pytest.mark.slow
@needs_dmc
@needs_rendering
def test_dm_control_itself_is_done_by_its_controllers_alone() -> None:
    tasks = ("reacher-easy", "cartpole-balance", "point_mass-easy")
    world = DmcEpisodesConfig(tasks=tasks, pictures=WORLD.pictures, test_layouts=5)
    starts = dmc_starts(world, "test", 5)
    done = records_of(starts, DmcControllerMaker(world, 50).make(), world)
    assert all(record.success for record in done) and min(record.score or 0 for record in done) > 0.8
    recorded = controller_episodes(starts, world, 2)
    replayed = require_replay(DmcMaker(world).make, recorded)
    assert [one.score for one in replayed] == [
        one.score for one in done if one.episode in {other.start.name for other in recorded}
    ]
    still = records_of(starts, StillMaker((0.0, 0.0), 50).make(), world)
    scores = np.array([record.score for record in still])
    assert scores[5:].max() < 0.8 and scores[10:].max() < 0.1
