import numpy as np
import pytest

from tests.helpers.metaworld import HARD_SEEDS, use_fake_metaworld, without_metaworld
from vidrep_pipelines.common.errors import InputError, MissingExtraError
from vidrep_pipelines.data.frame_store.episode import EpisodeAnnotations, Segment
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig, MetaworldPicturesConfig
from vidrep_pipelines.data.sources.metaworld.episodes import (
    MetaworldSource,
    list_metaworld,
    metaworld_source,
)

CONFIG = MetaworldEpisodesConfig(
    pictures=MetaworldPicturesConfig(cameras=("topview", "corner2"), width=16, height=16),
    train_layouts=6,
    validation_layouts=2,
    test_layouts=3,
)


def easy(config: MetaworldEpisodesConfig = CONFIG) -> MetaworldSource:
    return next(source for source in list_metaworld(config) if source.seed % HARD_SEEDS)


def test_layouts_of_all_parts_and_tasks_differ_and_are_found_again() -> None:
    sources = list_metaworld(CONFIG)
    assert len(sources) == 2 * (6 + 2 + 3) == len({source.seed for source in sources})
    assert sources[0].trajectory == "metaworld/reach-v3/train/00000"
    assert [source.split for source in sources[:11]] == ["train"] * 6 + ["validation"] * 2 + ["test"] * 3
    assert all(metaworld_source(source.trajectory, CONFIG) == source for source in sources)
    with pytest.raises(InputError, match="no episode of reach-v3, button-press-v3 in MetaWorld"):
        metaworld_source("metaworld/hammer-v3/test/00000", CONFIG)


def test_more_layouts_leave_the_others_as_they_are() -> None:
    def digests(config: MetaworldEpisodesConfig) -> dict[str, str]:
        return {source.trajectory: source.digest for source in list_metaworld(config)}

    before, more = digests(CONFIG), digests(CONFIG.model_copy(update={"train_layouts": 9}))
    assert before.items() < more.items() and len(set(more.values())) == len(more)
    for update in ({"seed": 1}, {"noise": 0.1}, {"most_steps": 9}, {"pictures": MetaworldPicturesConfig()}):
        assert not before.items() & digests(CONFIG.model_copy(update=update)).items(), update
    told = digests(CONFIG.model_copy(update={"instructions": {"reach-v3": "go there"}}))
    assert sum(told[name] == digest for name, digest in before.items()) == 11


def test_an_episode_ends_when_the_task_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_metaworld(monkeypatch)
    with easy().open() as episode:
        length = len(episode.states)
        assert episode.robot == "metaworld" and episode.states.shape == (length, 4)
        assert episode.actions.shape == (length - 1, 4) and np.abs(episode.actions).max() <= 1
        views = list(episode.views)
        assert [view.camera for view in views] == [0, 2]
        assert all(np.stack(list(view.pictures)).shape == (length, 16, 16, 3) for view in views)
        assert episode.annotations == EpisodeAnnotations(
            segments=(Segment(0, length, "reach the red target", "reach-v3"),),
            frames_per_second=80,
            success=True,
        )


def test_noise_is_executed_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_metaworld(monkeypatch)
    with easy().open() as quiet, easy(CONFIG.model_copy(update={"noise": 0.2})).open() as noisy:
        assert (quiet.actions[0] != noisy.actions[0]).any()
        moved = noisy.states[1:, :3] - noisy.states[:-1, :3]
        np.testing.assert_allclose(moved, 0.1 * noisy.actions[:, :3], atol=1e-6)


def test_an_episode_in_which_the_expert_fails_is_left_out_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fake_metaworld(monkeypatch)
    many = CONFIG.model_copy(update={"train_layouts": 30})
    hard = next(source for source in list_metaworld(many) if source.seed % HARD_SEEDS == 0)
    with (
        pytest.raises(InputError, match=r"the expert did not do its task in 300 steps\. Remedy"),
        hard.open(),
    ):
        pass


def test_without_metaworld_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_metaworld(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install .*'\.\[robots\]'"), easy().open():
        pass
