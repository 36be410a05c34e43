from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.stores import SMALL, ArrayEpisode, assembly_job, prepare
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FrameStoreConfig
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import ShardRequest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sources.long_videos.shards import plan_split_shards
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job

EPISODES = [
    ArrayEpisode(name, lengths=(length,), controls=False)
    for name, length in (("train/a", 5), ("train/b", 4), ("validation/a", 6), ("additional/z", 3))
]
SPLITS = {episode.trajectory: episode.trajectory.split("/")[0] for episode in EPISODES}


@pytest.fixture
def prepared(tmp_path: Path) -> Parts:
    return prepare(tmp_path / "prepared", EPISODES)


def planned(prepared: Parts, splits: dict[str, str]) -> list[ShardRequest]:
    return plan_split_shards(prepared.table, prepared.folder, splits, SMALL, FrameStoreConfig(name="videos"))


def test_videos_are_stored_in_the_splits_of_the_release(prepared: Parts, tmp_path: Path) -> None:
    requests = planned(prepared, SPLITS)
    assert [request.id for request in requests] == [
        "train/videos_train_00000",
        "additional/videos_additional_00000",
        "validation/videos_validation_00000",
    ]
    run_job(assembly_job(requests), tmp_path / "store")
    write_store_manifest(tmp_path / "store", [request.id for request in requests])
    store = FrameStore(tmp_path / "store")
    assert store.select("validation").ids[0] == "validation/a_0"
    assert len(store.select("train")) == 2
    pictures = np.concatenate([episode.pictures(0) for episode in EPISODES[:2]]) / 255
    np.testing.assert_allclose(store.facts.mean, pictures.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_array_equal(store.frames("validation/a_0"), EPISODES[2].pictures(0))


def test_unused_videos_are_not_stored(prepared: Parts) -> None:
    requests = planned(prepared, {"train/a": "train"})
    assert sum(len(request.members) for request in requests) == 1
    with pytest.raises(InputError, match="None of 4 videos"):
        planned(prepared, {})


def test_digest_follows_the_split(prepared: Parts) -> None:
    train = planned(prepared, {"validation/a": "train"})[0]
    validation = planned(prepared, {"validation/a": "validation"})[0]
    assert train.digest != validation.digest
    assert replace(train, digest="").members == validation.members
