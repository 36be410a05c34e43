import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.stores import STORE, ArrayEpisode, assembly_job, prepare
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FilmConfig, FramesConfig
from vidrep_pipelines.data.frame_store.film import StoredFilm
from vidrep_pipelines.data.frame_store.film_frames import FilmedFrames, open_frames
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards, view_table
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.frame_store.shard import pixel_sums, read_views, write_shard
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.video.decode import read_sequentially
from vidrep_pipelines.fanout.runner import run_job

HEIGHT, WIDTH = 15, 18
FILMS = FramesConfig(
    height=HEIGHT, width=WIDTH, min_frames=1, storage="mp4", mp4=FilmConfig(keyframe_interval=5)
)
EPISODES = [ArrayEpisode(f"t{number}", (1, 5, 23)) for number in range(4)]


def make(folder: Path, config: FramesConfig = FILMS) -> FrameStore:
    parts = prepare(folder / "episodes", EPISODES, config)
    shards = run_job(assembly_job(plan_shards(parts.table, parts.folder, config, STORE)), folder / "store")
    write_store_manifest(folder / "store", shards.ids)
    return FrameStore(folder / "store")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return make(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def decoded(store: FrameStore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pixels]:
    """The mp4 of every view, taken out of its shard and decoded from its beginning by the other reader."""
    path, frames = tmp_path_factory.mktemp("mp4") / "view.mp4", dict[str, Pixels]()
    for shard in store.facts.shards:
        with h5py.File(store.folder / shard) as file:
            blocks = np.split(file["frames"][:], file["film_offset"][1:-1])
        for view, block in zip(read_views(store.folder / shard), blocks, strict=True):
            path.write_bytes(block[opened(block).start :].tobytes())
            pictures = read_sequentially(path, range(view.frames))
            frames[view.id] = np.stack([pictures[rank] for rank in range(view.frames)])[:, :HEIGHT, :WIDTH]
    return frames


def opened(record: Pixels) -> StoredFilm:
    return StoredFilm.opened(lambda first, count: record.data[first : first + count], len(record))


def damaged(store: FrameStore, folder: Path, place: int) -> Path:
    """A copy of the first shard with another byte at a place of its first film, counted from its head."""
    shard = store.folder / next(iter(store.facts.shards))
    content = bytearray(shard.read_bytes())
    with h5py.File(shard) as file:
        content[file["frames"].id.get_offset() + place] ^= 255
    (folder / "damaged.h5").write_bytes(content)
    return folder / "damaged.h5"


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_selection_is_that_of_the_decoded_mp4(
    store: FrameStore, decoded: dict[str, Pixels], data: st.DataObject
) -> None:
    view = data.draw(st.sampled_from(sorted(decoded)))
    ranks = st.lists(st.integers(0, len(decoded[view]) - 1), max_size=12)
    selection = data.draw(ranks | st.slices(len(decoded[view])))
    wanted = selection if isinstance(selection, slice) else np.array(selection, int)
    np.testing.assert_array_equal(store.frames(view, selection), decoded[view][wanted])


def test_all_else_is_as_in_a_raw_store(store: FrameStore, tmp_path: Path) -> None:
    raw = make(tmp_path, FILMS.model_copy(update={"storage": "raw"}))
    assert raw.content_digest != store.content_digest and list(raw.ids) == list(store.ids)
    assert raw.size("t0_0") == store.size("t0_0") == (HEIGHT, WIDTH)
    for view in store.ids:
        assert raw.length(view) == store.length(view) and raw.episode(view) == store.episode(view)
        np.testing.assert_array_equal(raw.states(view), store.states(view))
        np.testing.assert_array_equal(raw.actions(view), store.actions(view))
        assert np.abs(raw.frames(view).astype(int) - store.frames(view)).mean() < 25  # colors of noise
    assert np.allclose(raw.facts.mean, store.facts.mean, atol=0.01)


def test_all_frames_of_a_shard_are_rows_of_one_array(store: FrameStore) -> None:
    shard = next(iter(store.facts.shards))
    rows = open_frames(store.folder / shard)
    assert isinstance(rows, FilmedFrames)
    views = [view.id for view in read_views(store.folder / shard)]
    together = np.concatenate([store.frames(view) for view in views])
    assert rows.shape == together.shape and rows.dtype == np.uint8
    np.testing.assert_array_equal(rows.read(0, rows.shape[0]), together)
    some = np.array([rows.shape[0] - 1, 0, 7, 7])
    np.testing.assert_array_equal(rows.read_rows(some), together[some])
    rows.close()


def test_statistics_are_those_of_what_is_read(store: FrameStore, tmp_path: Path) -> None:
    for shard in store.facts.shards:
        for view in read_views(store.folder / shard):
            np.testing.assert_array_equal(view.pixel_sums, pixel_sums(store.frames(view.id)))


def test_a_handle_goes_to_other_processes_and_threads(store: FrameStore) -> None:
    expected = store.frames("t1_2", [20, 3])
    other = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(other.frames("t1_2", [20, 3]), expected)
    other.close()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(store.frames, ("t1_2", [20, 3])), expected)
    with ThreadPoolExecutor(3) as threads:
        for read in threads.map(lambda _: store.frames("t1_2", [20, 3]), range(12)):
            np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("place", [2, 50, 1500])
def test_damaged_bytes_are_a_clear_error(store: FrameStore, tmp_path: Path, place: int) -> None:
    rows = open_frames(damaged(store, tmp_path, place))
    with pytest.raises(InputError, match=r"damaged\.h5 is damaged: film 0 cannot be read .*Remedy: delete"):
        rows.read(0, 1)
    assert rows.read(1, 6).shape == (5, HEIGHT, WIDTH, 3)  # that of the next view is whole
    rows.close()


def test_a_shard_that_lacks_its_films_is_refused(store: FrameStore, tmp_path: Path) -> None:
    path = damaged(store, tmp_path, 0)
    with h5py.File(path, "a") as file:
        del file["film_offset"]
    with pytest.raises(InputError, match=r"damaged\.h5 is no whole shard"):
        open_frames(path)


def test_films_and_plain_frames_do_not_share_a_shard(store: FrameStore, tmp_path: Path) -> None:
    views = read_views(store.folder / next(iter(store.facts.shards)))[:1]
    plain = read_views(prepare(tmp_path, EPISODES[:1]).folder / "t0.h5")[:1]
    with pytest.raises(InputError, match="some views are films"):
        write_shard(tmp_path / "s.h5", [*views, *plain], [], (HEIGHT, WIDTH), {})


def test_shards_are_packed_by_the_bytes_of_the_films(tmp_path: Path) -> None:
    large = FILMS.model_copy(update={"height": 128, "width": 128})
    counts = []
    for number, config in enumerate([large, large.model_copy(update={"storage": "raw"})]):
        parts = prepare(tmp_path / str(number), EPISODES, config)
        small = STORE.model_copy(update={"shard_mebibytes": 1})
        counts.append(len(plan_shards(parts.table, parts.folder, config, small)))
        assert ("film" in view_table(parts.table)) == (config.storage == "mp4")
    assert counts == [3, 4]  # one for each split, but for 2.7 MiB of raw training frames


def test_digests_know_the_encoding_and_raw_ones_do_not() -> None:
    configs = [FramesConfig(), FILMS, FILMS.model_copy(update={"mp4": FilmConfig(quality=3)})]
    digests = [EpisodeRequest(EPISODES[0], config).digest for config in configs]
    assert len(set(digests)) == 3
    unused = FramesConfig(mp4=FilmConfig(quality=3))
    assert EpisodeRequest(EPISODES[0], unused).digest == digests[0]


def test_facts_name_the_bytes_of_a_film(store: FrameStore) -> None:
    parts = store.folder.parent / "episodes"
    with h5py.File(parts / "t0.h5") as file:
        assert file.attrs["format_version"] == 4
        sizes = np.diff(file["film_offset"][:]).tolist()
    assert [view.film for view in read_views(parts / "t0.h5")] == sizes
