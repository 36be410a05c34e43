import dataclasses
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.stores import (
    SERIAL,
    SMALL,
    STORE,
    ArrayEpisode,
    assembly_job,
    preparation_job,
    prepare,
    shard_requests,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.config import FrameStoreConfig, SelectionConfig, SplitConfig
from vidrep_pipelines.data.frame_store.episode import Episode
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import pixel_statistics, plan_shards, view_table
from vidrep_pipelines.data.frame_store.preparation import prepare_episode
from vidrep_pipelines.data.frame_store.shard import pixel_sums
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import Parts, run_job


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 99))
def test_statistics_are_those_of_all_pixels(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    clips = [rng.integers(0, 256, (length, 4, 3, 3), dtype=np.uint8) for length in lengths]
    statistics = pixel_statistics([pixel_sums(clip) for clip in clips], sum(lengths) * 12)
    pixels = np.concatenate(clips).reshape(-1, 3) / 255
    np.testing.assert_allclose(statistics.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, pixels.std(0), rtol=1e-9, atol=1e-15)


def test_order_does_not_matter_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    sums = [pixel_sums(rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)) for _ in range(30)]
    assert pixel_statistics(sums, 3840) == pixel_statistics(sums[::-1], 3840)


def test_sums_beyond_64_bits() -> None:
    pixels = 2**47
    sums = [np.array([[255 * pixels] * 3, [2**62] * 3]), np.array([[0] * 3, [255**2 * pixels - 2**62] * 3])]
    statistics = pixel_statistics(sums, pixels)
    assert statistics.mean == (1.0,) * 3
    assert statistics.std == (0.0,) * 3


def test_nothing_has_no_mean() -> None:
    with pytest.raises(InputError, match="no frames"):
        pixel_statistics([], 0)


EPISODES = [ArrayEpisode(f"t{number}", robot="kuka" if number % 2 else "sawyer") for number in range(6)]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    short = ArrayEpisode("short", lengths=(1,))
    return prepare(tmp_path_factory.mktemp("episodes"), [*EPISODES, short])


def test_every_view_of_every_good_episode_is_in_one_shard(parts: Parts) -> None:
    members = [
        (member.path.stem, row)
        for request in shard_requests(parts)
        for member in request.members
        for row in member.rows
    ]
    assert sorted(members) == [(episode.trajectory, row) for episode in EPISODES for row in (0, 1)]


def test_names_and_attributes(parts: Parts) -> None:
    requests = shard_requests(parts)
    assert [request.id for request in requests] == [
        "train/tiny_train_00000",
        "validation/tiny_validation_00000",
        "test/tiny_test_00000",
    ]
    train = {member.path.stem for member in requests[0].members}
    pixels = np.concatenate(
        [episode.pictures(camera) for episode in EPISODES if episode.trajectory in train for camera in (0, 1)]
    ).reshape(-1, 3)
    for request in requests:
        np.testing.assert_allclose(request.attributes["mean"], pixels.mean(0) / 255, rtol=1e-12)
        np.testing.assert_allclose(request.attributes["std"], pixels.std(0) / 255, rtol=1e-9)


def test_selection(parts: Parts) -> None:
    config = STORE.model_copy(update={"selection": SelectionConfig(robots=("kuka",), cameras=(1,))})
    requests = shard_requests(parts, config)
    members = [member for request in requests for member in request.members]
    assert sorted(member.path.stem for member in members) == ["t1", "t3", "t5"]
    assert {member.rows for member in members} == {(1,)}
    nothing = STORE.model_copy(update={"selection": SelectionConfig(robots=("baxter",))})
    with pytest.raises(ConfigurationError, match=r"baxter.*\['kuka', 'sawyer'\]"):
        shard_requests(parts, nothing)


def test_robots_and_cameras_that_do_not_occur_are_named(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    config = STORE.model_copy(update={"selection": SelectionConfig(robots=("kuka", "sawyr"), cameras=(1, 7))})
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        assert shard_requests(parts, config)
    assert [record.getMessage() for record in caplog.records] == [
        "selection.robots: nothing here is called 'sawyr'. Did you mean 'sawyer'?",
        "selection.cameras: nothing here is called 7.",
    ]


def test_shards_have_a_size_and_keep_trajectories_whole(parts: Parts) -> None:
    table = parts.table.assign(
        view_facts=[
            text and text.replace('"frames": 4', '"frames": 1000').replace('"frames": 5', '"frames": 1000')
            for text in parts.table["view_facts"]
            .astype(object)
            .where(parts.table["view_facts"].notna(), None)
        ]
    )
    config = FrameStoreConfig(name="tiny", split=SplitConfig(validation=1, test=0), shard_mebibytes=1)
    requests = plan_shards(table, parts.folder, SMALL, config)
    train = [request for request in requests if request.split == "train"]
    assert [len(request.members) for request in train] == [3, 2]
    assert all(member.rows == (0, 1) for request in train for member in request.members)


def test_view_split_takes_single_rows(parts: Parts) -> None:
    config = STORE.model_copy(update={"split": SplitConfig(unit="view", validation=3, test=3)})
    requests = shard_requests(parts, config)
    rows = [len(member.rows) for request in requests for member in request.members]
    assert sum(rows) == 12
    assert 1 in rows
    assert {request.attributes["split_unit"] for request in requests} == {"view"}


def test_digests_follow_the_members(parts: Parts) -> None:
    before = {request.id: request.digest for request in shard_requests(parts)}
    assert {request.id: request.digest for request in shard_requests(parts)} == before
    changed = parts.table.assign(digest="x" + parts.table["digest"])
    after = plan_shards(changed, parts.folder, SMALL, STORE)
    assert all(before[request.id] != request.digest for request in after)


def test_nothing_could_be_prepared(tmp_path: Path) -> None:
    failed = prepare(tmp_path, [ArrayEpisode("short", lengths=(1,))])
    with pytest.raises(InputError, match="None of 1 episodes"):
        view_table(failed.table)


@dataclasses.dataclass(frozen=True)
class Presplit(ArrayEpisode):
    split: str | None = None
    states: int = 5

    @contextmanager
    def open(self) -> Iterator[Episode]:
        with super().open() as episode:
            yield dataclasses.replace(episode, states=episode.states[:, : self.states])


def test_a_stated_split_is_kept_and_each_robot_has_its_shards(tmp_path: Path) -> None:
    episodes = [
        *(Presplit(f"bridge/{n}", robot="bridge", split="validation") for n in range(2)),
        *(Presplit(f"rt1/{n}", robot="rt1", states=2) for n in range(4)),
    ]
    config = FrameStoreConfig(
        name="robot", separate_robots=True, split=SplitConfig(validation=0.25, test=0.25, each_robot=True)
    )
    prepared = prepare(tmp_path / "episodes", episodes)
    requests = shard_requests(prepared, config)
    assert {request.id: len(request.members) for request in requests} == {
        "train/robot_rt1_train_00000": 2,
        "validation/robot_bridge_validation_00000": 2,
        "validation/robot_rt1_validation_00000": 1,
        "test/robot_rt1_test_00000": 1,
    }
    shards = run_job(assembly_job(requests), tmp_path / "store")  # of two sizes of states
    assert shards.failed.empty
    together = shard_requests(prepared, config.model_copy(update={"separate_robots": False}))
    with pytest.raises(FanOutError, match="a state has 2 numbers in one episode and 5 in another"):
        run_job(assembly_job(together[1:2]), tmp_path / "together")


def test_without_anything_to_train_on_the_statistics_are_those_of_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    episode = Presplit("bridge/1", robot="bridge", split="test")
    (request,) = shard_requests(prepare(tmp_path, [episode]))
    assert request.id == "test/tiny_test_00000"
    pixels = np.concatenate([episode.pictures(0), episode.pictures(1)]).reshape(-1, 3) / 255
    np.testing.assert_allclose(request.attributes["mean"], pixels.mean(0), rtol=1e-12)
    assert "Nothing in the store is in the split 'train'" in caplog.text


def test_data_sets_of_different_sizes_share_a_store(tmp_path: Path) -> None:
    small = SMALL.model_copy(update={"height": 4, "width": 6, "resize": "antialiased"})
    one, two = ArrayEpisode("bridge/0", robot="bridge"), ArrayEpisode("rt1/0", robot="rt1")
    jobs = [*preparation_job([one]).items, *preparation_job([two], small).items]
    prepared = run_job(Job("episodes", prepare_episode, jobs, (".h5",), SERIAL), tmp_path / "episodes")
    config = FrameStoreConfig(separate_robots=True, split=SplitConfig(validation=0, test=0))
    with pytest.raises(ConfigurationError, match=r"store\.separate_robots is off, but rt1 have frames"):
        plan_shards(prepared.table, prepared.folder, SMALL, STORE, {"rt1": small})
    requests = plan_shards(prepared.table, prepared.folder, SMALL, config, {"rt1": small})
    assert [request.attributes.get("resize_rule") for request in requests] == [None, "antialiased, squash"]
    shards = run_job(assembly_job(requests), tmp_path / "store")
    write_store_manifest(tmp_path / "store", shards.ids)
    store = FrameStore(tmp_path / "store")
    assert (store.facts.height, store.facts.width) == (8, 8)
    assert store.size("bridge/0_1") == (8, 8) and store.size("rt1/0_1") == (4, 6)
    assert store.frames("rt1/0_1").shape == (5, 4, 6, 3)
    np.testing.assert_array_equal(store.frames("bridge/0_1"), one.pictures(1))
    pixels = [store.frames(name).reshape(-1, 3) for name in store.ids]
    np.testing.assert_allclose(store.facts.mean, np.concatenate(pixels).mean(0) / 255, rtol=1e-12)
