import dataclasses

import pytest

from tests.helpers.stores import ArrayEpisode
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.data_set import DataSetSource, require_distinct
from vidrep_pipelines.data.frame_store.episode import EpisodeSource, stated_split


@dataclasses.dataclass(frozen=True)
class Presplit(ArrayEpisode):
    split: str | None = None


def test_an_episode_goes_by_the_name_of_its_data_set() -> None:
    source = DataSetSource(ArrayEpisode("t0", robot="sawyer"), "bridge")
    assert source.trajectory == "bridge/t0"
    with source.open() as episode:
        assert episode.robot == "bridge" and len(episode.states)
    assert source.digest != DataSetSource(ArrayEpisode("t0", robot="sawyer"), "other").digest
    assert source.digest != DataSetSource(ArrayEpisode("t0", seed=1), "bridge").digest


def test_a_source_keeps_the_split_that_it_states() -> None:
    assert stated_split(ArrayEpisode("t0")) is None
    assert stated_split(Presplit("t0")) is None
    assert stated_split(Presplit("t0", split="validation")) == "validation"
    assert stated_split(DataSetSource(Presplit("t0", split="test"), "bridge")) == "test"
    assert stated_split(DataSetSource(ArrayEpisode("t0"), "bridge")) is None
    with pytest.raises(InputError, match="t0: there is no split 'val', only train, validation, test"):
        stated_split(Presplit("t0", split="val"))


def test_names_occur_once() -> None:
    one, two = ArrayEpisode("t0"), ArrayEpisode("t0", seed=1)
    apart: list[EpisodeSource] = [DataSetSource(one, "a"), DataSetSource(two, "b")]
    require_distinct(apart)
    with pytest.raises(InputError, match=r"1 names of episodes occur twice, such as 't0'\. Remedy"):
        require_distinct([one, two])
