import logging
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from tests.helpers.videos import write_video
from vidrep_pipelines.common.arrays import Ranks
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.dataset import ClipDataset, PackedStrings, Sample
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.transforms import FrameTransform
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_store import PacketStore, part_name
from vidrep_pipelines.data.video.packet_store_part import write_part

CLIPS, FRAMES, HEIGHT, WIDTH = 6, 60, 40, 48


class NumberedReader:
    """Frames that show their clip's and their own number; some clips are broken."""

    def __init__(self, broken: frozenset[str] = frozenset()) -> None:
        self.broken = broken
        self.calls: list[tuple[Path, list[int], Path | None]] = []

    def read(self, path: Path, ranks: Ranks, index: Path | None = None) -> np.ndarray:
        self.calls.append((path, ranks.tolist(), index))
        if path.stem in self.broken:
            raise InputError(f"{path.name} is broken on purpose")
        frames = np.empty((len(ranks), HEIGHT, WIDTH, 3), np.uint8)
        frames[...] = np.asarray(ranks, np.uint8)[:, None, None, None]
        frames[..., 2] = int(path.stem.rsplit("_")[-1])
        return frames


class CountThreads:
    """Reports how many threads torch uses where the sample is made."""

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        return torch.full((len(frames), 3, 2, 2), torch.get_num_threads(), dtype=torch.uint8)


def clip_table(count: int = CLIPS, frames: int = FRAMES) -> pd.DataFrame:
    ids = [f"pouring/clip_{number}" for number in range(count)]
    return pd.DataFrame({"id": ids, "path": [f"{name}.mp4" for name in ids], "frames": frames})


def dataset(
    broken: frozenset[str] = frozenset(),
    seed: int = 3,
    *,
    reader: NumberedReader | None = None,
    index_suffix: str | None = None,
) -> ClipDataset:
    return ClipDataset(
        clip_table(),
        Path("videos"),
        PairSampling(),
        FrameTransform(size=16),
        seed=seed,
        reader=reader or NumberedReader(broken),
        index_suffix=index_suffix,
    )


def same(first: Sample, second: Sample) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(torch.as_tensor(first[name]), torch.as_tensor(second[name])) for name in first
    )


def test_a_sample_holds_pairs_of_one_clip_read_in_one_call() -> None:
    reader = NumberedReader()
    sample = dataset(reader=reader)[0, 4]
    assert sample["frames"].shape == (2, 2, 3, 16, 16) and sample["frames"].dtype == torch.uint8
    assert sample["index"] == 4 and sample["replaced"] == 0
    ((path, ranks, index),) = reader.calls
    assert path == Path("videos/pouring/clip_4.mp4") and index is None
    shown = sample["frames"].float().mean(dim=(3, 4))
    assert shown[..., 0].flatten().tolist() == ranks
    assert (shown[..., 2] == 4).all()


def test_samples_depend_on_seed_epoch_and_index_only() -> None:
    clips = dataset()
    expected = clips[1, 2]
    _ = clips[0, 0]
    assert same(clips[1, 2], expected)
    epoch, index = np.array([1, 2])
    assert same(dataset()[epoch, index], expected)
    for other in (dataset()[2, 2], dataset()[1, 3], dataset(seed=4)[1, 2]):
        assert not torch.equal(other["seed"], expected["seed"])


def test_every_group_has_its_own_loss_seed() -> None:
    clips = dataset()
    seeds = torch.cat([clips[epoch, index]["seed"] for epoch in range(3) for index in range(CLIPS)])
    assert seeds.dtype == torch.int64 and (seeds >= 0).all()
    assert len(set(seeds.tolist())) == 3 * CLIPS * 2


def test_pairs_share_crop_and_flip_but_groups_do_not() -> None:
    class Gradient(NumberedReader):
        def read(self, path: Path, ranks: Ranks, index: Path | None = None) -> np.ndarray:
            row = np.linspace(0, 255, WIDTH).astype(np.uint8)
            return np.broadcast_to(row[None, None, :, None], (len(ranks), HEIGHT, WIDTH, 3)).copy()

    clips = ClipDataset(
        clip_table(), Path("videos"), PairSampling(), FrameTransform(size=16), reader=Gradient()
    )
    frames = clips[0, 0]["frames"]
    assert torch.equal(frames[:, 0], frames[:, 1])
    assert not torch.equal(frames[0], frames[1])


def test_bad_clips_are_replaced_in_the_same_way_every_time(caplog: pytest.LogCaptureFixture) -> None:
    broken = frozenset({"clip_0", "clip_1", "clip_2"})
    caplog.set_level(logging.WARNING)
    samples = [dataset(broken)[0, index] for index in range(CLIPS)]
    assert all(same(dataset(broken)[0, index], samples[index]) for index in range(CLIPS))
    assert all(sample["index"] >= 3 for sample in samples)
    assert [sample["replaced"] > 0 for sample in samples] == [True] * 3 + [False] * 3
    assert "clip_0.mp4 is broken on purpose" in caplog.text


def test_good_samples_are_untouched_by_bad_clips_elsewhere() -> None:
    assert same(dataset(frozenset({"clip_0"}))[0, 5], dataset()[0, 5])


def test_replacement_ends_with_a_list_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidrep_pipelines.data.clips.dataset.MOST_REPLACEMENTS", 3)
    everything = frozenset(f"clip_{number}" for number in range(CLIPS))
    reader = NumberedReader(everything)
    clips = dataset(reader=reader)
    with pytest.raises(InputError, match=r"4 clips in a row") as caught:
        clips[0, 1]
    tried = [path for path, _, _ in reader.calls]
    assert len(tried) == 4 and all(str(path) in str(caught.value) for path in tried)


def test_clips_that_are_too_short_to_sample_are_replaced() -> None:
    table = clip_table()
    table.loc[0, "frames"] = 1
    clips = ClipDataset(
        table, Path("videos"), PairSampling(), FrameTransform(size=16), reader=NumberedReader()
    )
    assert clips[0, 0]["replaced"] >= 1 and clips[0, 0]["index"] != 0


def test_programming_errors_are_not_taken_for_bad_clips() -> None:
    class Faulty(NumberedReader):
        def read(self, path: Path, ranks: Ranks, index: Path | None = None) -> np.ndarray:
            raise TypeError("a mistake in the code")

    clips = ClipDataset(clip_table(), Path("v"), PairSampling(), FrameTransform(), reader=Faulty())
    with pytest.raises(TypeError, match="a mistake in the code"):
        clips[0, 0]


@pytest.mark.parametrize("index", [-1, CLIPS])
def test_positions_outside_the_data_are_an_error(index: int) -> None:
    with pytest.raises(IndexError, match="out of range for 6 clips"):
        dataset()[0, index]


def test_packet_index_lies_beside_the_clip() -> None:
    reader = NumberedReader()
    dataset(reader=reader, index_suffix=".packets")[0, 3]
    assert reader.calls[0][2] == Path("videos/pouring/clip_3.packets")


def test_a_packet_store_is_asked_first(tmp_path: Path) -> None:
    index = PacketIndex.build(write_video(tmp_path / "a.mp4", 10))
    write_part([("pouring/clip_3", index)], tmp_path / f"{part_name(0, 1)}.h5")
    reader = NumberedReader()
    clips = ClipDataset(
        clip_table(),
        Path("videos"),
        PairSampling(),
        FrameTransform(size=16),
        reader=reader,
        index_suffix=".packets",
        packet_store=PacketStore(tmp_path),
    )
    for number in (3, 4):
        clips[0, number]
    found, beside = (call[2] for call in reader.calls)
    assert isinstance(found, PacketIndex) and found.stamp == index.stamp
    assert beside == Path("videos/pouring/clip_4.packets")


def test_names_are_the_ids() -> None:
    assert dataset().names(torch.tensor([5, 0])) == ["pouring/clip_5", "pouring/clip_0"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (clip_table().drop(columns="frames"), "lacks .*frames"),
        (clip_table(0), "empty"),
        (clip_table().assign(path=pd.Series(["a.mp4", None] * 3, dtype="string")), "3 empty entries"),
    ],
)
def test_unusable_tables_are_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClipDataset(table, Path("v"), PairSampling(), FrameTransform())


def test_default_collation_makes_batches() -> None:
    clips = dataset()
    samples = [clips[0, index] for index in range(3)]
    batch = default_collate(samples)
    assert batch["frames"].shape == (3, 2, 2, 3, 16, 16)
    assert torch.equal(batch["frames"], torch.stack([sample["frames"] for sample in samples]))
    assert batch["seed"].shape == (3, 2) and batch["seed"].dtype == torch.int64
    assert batch["index"].tolist() == [0, 1, 2] and batch["replaced"].tolist() == [0, 0, 0]


def test_spawned_workers_make_the_same_samples_as_one_process(tmp_path: Path) -> None:
    table = clip_table(4, frames=20)
    for number, name in enumerate(table["path"]):
        write_video(tmp_path / name, frames=20, seed=number)
    (tmp_path / table["path"][1]).write_bytes(b"no video")
    clips = ClipDataset(table, tmp_path, PairSampling(), FrameTransform(size=16), seed=1)
    batches = [[(epoch, index) for index in (3, 1)] for epoch in range(2)]
    here = [default_collate([clips[position] for position in batch]) for batch in batches]
    loader = DataLoader(clips, batch_sampler=batches, num_workers=2, multiprocessing_context="spawn")
    there = list(loader)
    assert len(there) == 2 and all(same(a, b) for a, b in zip(here, there, strict=True))
    assert here[0]["replaced"][0] == 0 and here[0]["replaced"][1] >= 1


def test_workers_use_one_thread() -> None:
    clips = ClipDataset(clip_table(), Path("v"), PairSampling(), CountThreads(), reader=NumberedReader())
    loader = DataLoader(
        clips,
        batch_sampler=[[(0, 0)]],
        num_workers=1,
        multiprocessing_context="fork",
    )
    assert next(iter(loader))["frames"].flatten().tolist() == [1] * 48


def test_a_pickled_data_set_makes_the_same_samples() -> None:
    clips = dataset()
    assert same(pickle.loads(pickle.dumps(clips))[0, 1], clips[0, 1])


def test_many_clips_are_a_handful_of_objects_to_pickle() -> None:
    count = 50_000
    clips = ClipDataset(
        clip_table(count), Path("v"), PairSampling(), FrameTransform(), reader=NumberedReader()
    )
    size = len(pickle.dumps(clips))
    text = sum(map(len, clip_table(count)["id"])) * 2 + 4 * count
    assert size < text + (2 * 8 + 4) * count + 10_000
    assert clips.names([count - 1]) == [f"pouring/clip_{count - 1}"]


@pytest.mark.parametrize(
    "strings",
    [["", "a", "größe/ü b", "日本"], pd.Series(["x", "yy"], dtype="string"), ["only"], []],
    ids=["unicode", "pandas", "one", "none"],
)
def test_packed_strings_give_back_what_went_in(strings: list[str]) -> None:
    packed = PackedStrings(strings)
    assert [packed[number] for number in range(len(packed))] == list(strings)
    with pytest.raises(IndexError):
        packed[len(strings)]


def test_packed_strings_take_slices_of_arrow_columns() -> None:
    column = pd.Series(["a", "bb", "ccc", "dddd"], dtype=pd.ArrowDtype(pa.large_string()))
    packed = PackedStrings(column[1:3])
    assert [packed[0], packed[1]] == ["bb", "ccc"]
    assert len(packed._text) == 5
