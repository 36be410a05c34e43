from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import default_collate

from tests.models.vpp.video.spoken import (
    CHANNELS,
    GRID,
    SIZE,
    TEXTS,
    SpokenEpisode,
    mean_latents,
    spoken_store,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.episode import Segment
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.video.dataset import MixedClips, clip_latents
from vidrep_pipelines.models.vpp.video.mixture import ClipRule, MixtureConfig

EPISODES = [
    SpokenEpisode("bridge/1", 9, "bridge"),
    SpokenEpisode("bridge/2", 101, "bridge"),  # too long for the published rule
    SpokenEpisode("xhand/1", 6, "xhand", cameras=3),
    SpokenEpisode("xhand/2", 4, "xhand", cameras=1),
    SpokenEpisode("calvin/1", 10, "calvin", 2, (Segment(1, 5, TEXTS[0]), Segment(5, 9, TEXTS[1]))),
    SpokenEpisode("silent/1", 5, "silent", segments=()),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return spoken_store(tmp_path_factory.mktemp("spoken"), EPISODES)


@pytest.fixture(scope="module")
def latents(store: FrameStore, tmp_path_factory: pytest.TempPathFactory) -> FrameArrayStore:
    return mean_latents(tmp_path_factory.mktemp("latents"), store)


def tokenize(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    ids = torch.tensor([[TEXTS.index(text), 0] for text in texts])
    return ids, torch.ones_like(ids)


def clips_of(
    store: FrameStore, datasets: str, latents: FrameArrayStore | None = None, **mixture: Any
) -> MixedClips:
    names = datasets.split("+")
    config = MixtureConfig(datasets=datasets, prob=(1 / len(names),) * len(names), **mixture)
    return MixedClips(store, latents, 4, config, tokenize, seed=1)


def test_clips_are_numbered_by_episode_and_rule(store: FrameStore) -> None:
    mixed = clips_of(store, "bridge+xhand+calvin")
    assert [dataset.clips for dataset in mixed.datasets] == [1, 3 + 2, 2 + 2]
    bridge, xhand, calvin = mixed.datasets
    assert bridge.place(0, 0, 4).frames.tolist() == [0, 2, 5, 8]
    assert xhand.place(2, 0, 4).frames.tolist() == [4, 5, 5, 5]
    assert calvin.place(1, 0, 4).frames.tolist() == [3, 4, 4, 4]  # stays inside its instruction
    assert [calvin.place(clip, 0, 4).text for clip in range(4)] == [TEXTS[0]] * 2 + [TEXTS[1]] * 2
    assert mixed.name(1 + 5 + 2) == "calvin calvin/1, from frame 5"
    assert len(mixed) == 5
    with pytest.raises(IndexError):
        xhand.place(5, 0, 4)


def test_a_camera_that_is_missing_is_replaced_by_the_first(store: FrameStore) -> None:
    xhand = clips_of(store, "xhand").datasets[0]
    views = [[store.ids[xhand.place(clip, camera, 4).view] for camera in (0, 1)] for clip in (0, 4)]
    assert views == [["xhand/1_3", "xhand/1_4"], ["xhand/2_3", "xhand/2_3"]]


def test_latents_and_frames_of_an_item_are_those_of_its_clip(
    store: FrameStore, latents: FrameArrayStore
) -> None:
    from_latents, from_frames = (clips_of(store, "xhand+calvin", source) for source in (latents, None))
    for index in range(len(from_latents)):
        item, pictures = from_latents[2, index], from_frames[2, index]
        place = from_latents.datasets[from_latents.draw(2, index).dataset]
        assert item["latents"].shape == (4, CHANNELS, GRID, GRID) and item["latents"].dtype == torch.float32
        assert pictures["frames"].shape == (4, 3, SIZE, SIZE)
        torch.testing.assert_close(item["latents"][:, 0, 0, 0], pictures["frames"][:, 0, 0, 0].float())
        shown, text = from_latents.frames(2, index)
        assert torch.equal(shown, pictures["frames"])
        assert item["ids"].tolist() == [TEXTS.index(text), 0]
        assert place.name in from_latents.name(int(item["index"]))
        assert {name: item[name] for name in ("seed", "index")} == {
            name: pictures[name] for name in ("seed", "index")
        }
    assert default_collate([from_latents[0, 0], from_latents[0, 1]])["seed"].shape == (2,)


def test_items_follow_from_seed_epoch_and_index_alone(store: FrameStore) -> None:
    mixed = clips_of(store, "bridge+xhand+calvin")
    drawn = [mixed.draw(epoch, index) for epoch in range(20) for index in range(5)]
    np.random.seed(0)  # the original's generator must not matter
    assert drawn == [mixed.draw(epoch, index) for epoch in range(20) for index in range(5)]
    assert len({draw.clip for draw in drawn if draw.dataset == 1}) == 5
    published = clips_of(store, "bridge+xhand+calvin", published_indexing=True)
    again = [published.draw(epoch, 3) for epoch in range(20)]
    assert {draw.clip for draw in again if draw.dataset == 1} == {3}
    assert {draw.clip for draw in again if draw.dataset == 0} <= {0}
    assert len({draw.dataset for draw in again}) == 3


def test_impossible_mixtures_are_named(store: FrameStore) -> None:
    with pytest.raises(ConfigurationError, match=r"'rt2'.*\['bridge', 'calvin', 'silent', 'xhand'\]"):
        clips_of(store, "rt2")
    with pytest.raises(InputError, match=r"'silent/1' of silent has no instruction"):
        clips_of(store, "bridge+silent")
    with pytest.raises(ConfigurationError, match="fewer cameras than the 2"):
        clips_of(store, "bridge", cameras={"bridge": (0.5, 0.5)})
    with pytest.raises(ConfigurationError, match=r"has no clip.*9 to 101 frames"):
        clips_of(store, "bridge", rules={"bridge": ClipRule(kind="whole", max_frames=5)})


def test_latents_must_fit_model_and_codec(latents: FrameArrayStore) -> None:
    folder, store = latents.folder, latents.store
    assert clip_latents(folder, store, CHANNELS, "codec").model_digest == "codec"
    with pytest.raises(InputError, match="made by the model codec, not by another"):
        clip_latents(folder, store, CHANNELS, "another")
    with pytest.raises(ConfigurationError, match=r"latents \(6, 4, 4\).*takes 4 channels"):
        clip_latents(folder, store, 4)
    with pytest.raises(InputError, match="no whole file of arrays"):
        clip_latents(Path("/nowhere"), store, CHANNELS)
