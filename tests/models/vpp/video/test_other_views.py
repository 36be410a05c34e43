"""Which other camera an item is shown, and at which moment."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.models.vpp.video.spoken import SpokenEpisode, spoken_store
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.video.dataset import MixedClips
from vidrep_pipelines.models.vpp.video.mixture import ClipRule, MixtureConfig
from vidrep_pipelines.models.vpp.video.other_views import OtherViews


def tokenize(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    return (torch.ones(len(texts), 2, dtype=torch.int64),) * 2


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    episodes = [
        SpokenEpisode("arm/1", 6, "arm", cameras=3),
        SpokenEpisode("arm/2", 4, "arm", cameras=2),
        SpokenEpisode("bridge/1", 4, "bridge"),
        SpokenEpisode("bridge/2", 4, "bridge"),
    ]
    return spoken_store(tmp_path_factory.mktemp("spoken"), episodes)


def test_every_other_camera_of_the_episode_is_drawn_and_never_the_own(store: FrameStore) -> None:
    others, random = OtherViews(store, ["arm"]), np.random.default_rng(0)
    for own, expected in (
        ("arm/1_4", {"arm/1_3", "arm/1_5"}),
        ("arm/1_3", {"arm/1_4", "arm/1_5"}),
        ("arm/2_3", {"arm/2_4"}),
    ):
        view = list(store.ids).index(own)
        assert {store.ids[others.draw(view, random)] for _ in range(40)} == expected


def test_an_item_shows_the_clips_first_frame_and_follows_from_its_own_seed(store: FrameStore) -> None:
    """A frame's color is 100 for each camera, and its number."""
    mixture = MixtureConfig(datasets="arm", rules={"arm": ClipRule(stride=1)}, cameras={"arm": (0.5, 0.5)})
    mixed = MixedClips(store, None, 4, mixture, tokenize, 1, OtherViews(store, mixture.shares))
    plain = MixedClips(store, None, 4, mixture, tokenize, 1)
    seen = set()
    for epoch in range(4):
        for index in range(len(mixed)):
            item, again = mixed[epoch, index], mixed[epoch, index]
            assert item["other_camera"].shape == (3, 16, 16) and item["other_camera"].dtype == torch.uint8
            assert torch.equal(item["other_camera"], again["other_camera"])
            own, other = int(item["frames"][0, 0, 0, 0]), int(item["other_camera"][0, 0, 0])
            assert own % 100 == other % 100 and own != other
            seen.add((own // 100, other // 100))
            without = plain[epoch, index]
            assert "other_camera" not in without and torch.equal(without["frames"], item["frames"])
    assert {(0, 1), (0, 2), (1, 0), (1, 2)} <= seen


def test_after_its_end_a_camera_shows_its_last_frame(store: FrameStore) -> None:
    picture = OtherViews(store, ["arm"]).picture(
        list(store.ids).index("arm/2_3"), 9, np.random.default_rng(0)
    )
    assert picture[0, 0, 0] == 103


def test_a_data_set_of_one_camera_is_refused(store: FrameStore) -> None:
    message = r"bridge in .* one camera only in the episode 'bridge/1' and 1 more.*model\.text\.image"
    with pytest.raises(ConfigurationError, match=message):
        OtherViews(store, ["arm", "bridge"])
