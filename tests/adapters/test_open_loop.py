"""Moments of recorded episodes, as a trained policy is asked about them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.vpp.policy.trained import demonstrations, make_policy_task, publish_policy
from vidrep_pipelines.adapters.open_loop import RecordedEpisodes
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.rollouts.open_loop import OpenLoopConfig, replay_open_loop


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[FrameStore, VppPolicyMaker]:
    folder = tmp_path_factory.mktemp("replayed")
    sources = demonstrations(folder)
    policy = publish_policy(make_policy_task(sources, folder / "features"), folder / "policy")
    folders: tuple[Path, Path, Path] = (
        policy.directory,
        sources.checkpoint.directory,
        sources.codec.directory,
    )
    return sources.store, VppPolicyMaker(*folders, cameras=("front", "side"))


def recorded(trained: tuple[FrameStore, VppPolicyMaker], **parameters: object) -> RecordedEpisodes:
    config = OpenLoopConfig.model_validate({"split": "train", "every": 3} | parameters)
    return RecordedEpisodes(*trained, config)


def test_moments_are_what_was_recorded(trained: tuple[FrameStore, VppPolicyMaker]) -> None:
    """State t of episode n is 100 n + t, the action after it minus that; the color 10 t + camera."""
    moments = list(recorded(trained, episodes=2).moments())
    names = list(dict.fromkeys(moment.request.episode for moment in moments))
    assert len(names) == 2
    for moment in moments:
        request, number = moment.request, int(moment.request.episode.rpartition("/")[2])
        frame = request.step
        assert frame % 3 == 0 and moment.frames[0] == frame
        np.testing.assert_array_equal(request.observation.state, np.full(4, 100 * number + frame))
        np.testing.assert_array_equal(moment.actions[:, 0], -(100.0 * number + moment.frames))
        assert [int(picture[0, 0, 0]) for picture in request.observation.pictures.values()] == [
            10 * frame,
            10 * frame + 1,
        ]
        if frame == 0:
            assert moment.before is None
        else:
            np.testing.assert_array_equal(moment.before, np.full(3, 1.0 - 100 * number - frame))
    assert min(len(moment.actions) for moment in moments) < max(len(moment.actions) for moment in moments)
    assert len({moment.request.seed for moment in moments}) == len(moments)


def test_a_trained_policy_is_replayed(trained: tuple[FrameStore, VppPolicyMaker]) -> None:
    episodes = recorded(trained, episodes=1)
    rows = replay_open_loop(episodes.moments(), trained[1].make(), episodes.mean_action(), batch=4)
    assert set(rows["dimension"]) == {0, 1, 2} and np.isfinite(rows["policy"]).all()
    mean = rows["mean_action"].unique()
    train = np.concatenate(
        [trained[0].select("train").actions(view) for view in trained[0].select("train").ids]
    )
    assert len(mean) == 1 and train.min() <= mean[0] <= train.max()


def test_what_is_not_there_is_named(trained: tuple[FrameStore, VppPolicyMaker]) -> None:
    store, maker = trained
    with pytest.raises(ConfigurationError, match="looks through 2 views, and 1 have names"):
        recorded((store, replace(maker, cameras=("front",))))
    with pytest.raises(ConfigurationError, match=r"'test' .*open_loop\.split"):
        recorded(trained, split="test")
