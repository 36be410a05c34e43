import numpy as np
import pytest

from tests.helpers.metaworld import (
    HARD_SEEDS,
    needs_metaworld,
    needs_rendering,
    use_fake_metaworld,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig, MetaworldPicturesConfig
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord, RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker
from vidrep_pipelines.evaluation.rollouts.metaworld import (
    MetaworldEnvironment,
    MetaworldExpertMaker,
    MetaworldMaker,
    expert_episodes,
    metaworld_starts,
    told_another_task,
)
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, EpisodeStart
from vidrep_pipelines.evaluation.rollouts.replay import require_replay

WORLD = MetaworldEpisodesConfig(
    tasks=("reach-v3", "button-press-v3"),
    pictures=MetaworldPicturesConfig(width=16, height=16),
    test_layouts=6,
)


def records_of(starts: list[EpisodeStart], policy: ChunkPolicy, most_steps: int) -> list[EpisodeRecord]:
    rules = RolloutRules(RolloutConfig(execute_steps=policy.chunk_length, most_steps=most_steps), "settings")
    return roll_out_episodes(starts, MetaworldMaker(WORLD.pictures).make, policy, rules, batch=2)


def test_starts_are_the_first_layouts_of_each_task() -> None:
    starts = metaworld_starts(WORLD, "test", 2)
    assert [(start.name, start.instruction) for start in starts] == [
        ("metaworld/reach-v3/test/00000", "reach the red target"),
        ("metaworld/reach-v3/test/00001", "reach the red target"),
        ("metaworld/button-press-v3/test/00000", "push the button"),
        ("metaworld/button-press-v3/test/00001", "push the button"),
    ]
    assert len({start.seed for start in starts}) == 4
    train = {start.seed for start in metaworld_starts(WORLD, "train", 25)}
    assert not train & {start.seed for start in metaworld_starts(WORLD, "test", 6)}
    with pytest.raises(ConfigurationError, match=r"there are 6\. Remedy: .*test_layouts"):
        metaworld_starts(WORLD, "test", 7)


def test_another_task_is_told_and_the_scene_stays() -> None:
    starts = metaworld_starts(WORLD, "test", 1)
    swapped = told_another_task(starts, WORLD)
    assert [start.instruction for start in swapped] == ["push the button", "reach the red target"]
    assert [(start.name, start.task, start.seed) for start in swapped] == [
        (start.name, start.task, start.seed) for start in starts
    ]
    alone = WORLD.model_copy(update={"tasks": ("reach-v3",)})
    with pytest.raises(ConfigurationError, match="reach-v3 is the only one"):
        told_another_task(starts, alone)


def test_the_expert_does_what_can_be_done_and_standing_still_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fake_metaworld(monkeypatch)
    starts = metaworld_starts(WORLD, "test", 6)
    for chunk in (1, 4):
        done = records_of(starts, MetaworldExpertMaker(WORLD, chunk).make(), 30)
        assert [record.success for record in done] == [start.seed % HARD_SEEDS != 0 for start in starts]
        assert {record.renderer for record in done} == {"metaworld/fast_16x16"}
    still = records_of(starts, StillMaker((0.0,) * 4).make(), 12)
    assert not any(record.success for record in still) and {record.steps for record in still} == {12}


def test_only_what_succeeded_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_metaworld(monkeypatch)
    starts = metaworld_starts(WORLD, "test", 6)
    recorded = expert_episodes(starts, WORLD, 2)
    assert [episode.start.task for episode in recorded] == ["reach-v3"] * 2 + ["button-press-v3"] * 2
    assert all(episode.start.seed % HARD_SEEDS for episode in recorded)
    assert all(one.success for one in require_replay(MetaworldMaker(WORLD.pictures).make, recorded))


def test_one_simulator_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_metaworld(monkeypatch)
    world = MetaworldEnvironment(WORLD.pictures)
    with pytest.raises(InputError, match="no episode has begun"):
        world.observe(pictures=False)
    first, _, second, _ = metaworld_starts(WORLD, "test", 2)
    world.reset(first)
    held = world._running
    assert not world.observe(pictures=False).pictures
    assert world.observe(pictures=True).pictures["corner2"].shape == (16, 16, 3)
    assert world.observe(pictures=False).state.shape == (4,)
    world.reset(first)
    assert world._running is held
    world.reset(second)
    assert held.closed is True  # type: ignore[attr-defined]
    world.close()


def test_identities_tell_pictures_and_experts_apart() -> None:
    published = WORLD.pictures.model_copy(update={"quality": "published"})
    assert MetaworldMaker(WORLD.pictures).identity != MetaworldMaker(published).identity
    slower = WORLD.model_copy(update={"most_steps": 99})
    assert MetaworldExpertMaker(WORLD).identity != MetaworldExpertMaker(slower).identity


@needs_metaworld
@needs_rendering
def test_metaworld_itself_is_done_by_its_experts_alone() -> None:
    starts = metaworld_starts(WORLD, "test", 2)
    recorded = expert_episodes(starts, WORLD, 2)
    assert len(recorded) == 4
    require_replay(MetaworldMaker(WORLD.pictures).make, recorded)
    done = records_of(starts, MetaworldExpertMaker(WORLD, 50).make(), 150)
    assert [record.steps for record in done] == [len(episode.actions) for episode in recorded]
    still = records_of(starts[1:3], StillMaker((0.0,) * 4, 50).make(), 50)
    assert not any(record.success for record in still) and np.isfinite([one.reward for one in still]).all()
