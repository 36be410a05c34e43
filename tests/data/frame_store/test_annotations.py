"""Language, rate, success and masks travel with the frames; a store without them is as it always was."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.data.frame_store import test_shard as plain
from tests.data.frame_store import test_store
from tests.helpers.stores import SMALL, ArrayEpisode, assembly_job, prepare, shard_requests
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SelectionConfig
from vidrep_pipelines.data.frame_store.episode import (
    NO_ANNOTATIONS,
    DamagedViewError,
    Episode,
    EpisodeAnnotations,
    EpisodeView,
    Segment,
)
from vidrep_pipelines.data.frame_store.manifest import SEGMENT_COLUMNS, write_store_manifest
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import View, pixel_sums, read_views, write_shard
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job

LENGTH = 6
SPOKEN = EpisodeAnnotations(
    segments=(Segment(0, 4, "push the red cup", "push_red"), Segment(2, 6, "schieb die Tasse, Müller 杯")),
    phases=(Segment(0, 3, "reach"), Segment(3, 6, "push")),
    frames_per_second=3.5,
    success=False,
    mask_names=("background", "arm", "red cup"),
)


@dataclass(frozen=True)
class SpokenEpisode:
    """An episode of two cameras, the first of which has masks; it may break off."""

    trajectory: str
    annotations: EpisodeAnnotations = SPOKEN
    whole_frames: int = LENGTH
    masks: int = LENGTH
    claimed: tuple[int, int] = (LENGTH, LENGTH)
    states: int = LENGTH
    size: int = field(default=8)

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        masks = iter(self.all_masks()[: self.masks]) if self.masks else None
        first, second = self.claimed
        views = [EpisodeView(0, first, self._pictures(), masks), EpisodeView(1, second, self._pictures())]
        controls = np.zeros((self.states, 5), np.float32), np.zeros((LENGTH - 1, 4), np.float32)
        yield Episode("arm", views, *controls, annotations=self.annotations)

    def all_masks(self) -> NDArray[np.uint8]:
        rng = np.random.default_rng([*self.trajectory.encode()])
        return rng.integers(0, 3, (LENGTH, self.size, self.size), dtype=np.uint8)

    def _pictures(self) -> Iterator[NDArray[np.uint8]]:
        for number in range(self.whole_frames):
            yield np.full((self.size, self.size, 3), number, np.uint8)
        if self.whole_frames < LENGTH:
            raise DamagedViewError("it breaks off")


def make(folder: Path, episodes: list[Any]) -> FrameStore:
    shards = run_job(assembly_job(shard_requests(prepare(folder / "episodes", episodes))), folder / "store")
    write_store_manifest(folder / "store", shards.ids)
    return FrameStore(folder / "store")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    mixed = [SpokenEpisode("a"), ArrayEpisode("b"), SpokenEpisode("c"), ArrayEpisode("d"), SpokenEpisode("e")]
    return make(tmp_path_factory.mktemp("spoken"), mixed)


def test_language_is_read_by_the_name_of_the_view(store: FrameStore) -> None:
    for view in ("a_0", "a_1", "c_0", "e_1"):
        assert store.episode(view) == SPOKEN
        assert store.episode(view).segments == SPOKEN.segments
    assert store.episode("b_0") == NO_ANNOTATIONS
    assert store.episode_at(store.index.position("c_1")) == SPOKEN
    with pytest.raises(InputError, match="no view"):
        store.episode("z")
    with pytest.raises(IndexError):
        store.episode_at(-1)


def test_selected_and_pickled_handles_keep_the_language(store: FrameStore) -> None:
    chosen = store.select(selection=SelectionConfig(robots=("arm",), cameras=(1,)))
    copy = pickle.loads(pickle.dumps(chosen))
    for handle in (chosen, copy):
        assert [handle.episode_at(place) for place in range(3)] == [SPOKEN] * 3
        assert list(handle.segments["id"].unique()) == ["a_1", "c_1", "e_1"]
    assert pickle.loads(pickle.dumps(store)).has_masks("a_0")


def test_table_of_segments(store: FrameStore) -> None:
    table = store.segments
    assert list(table.columns) == SEGMENT_COLUMNS == ["id", "first", "end", "text", "task", "split"]
    assert table["id"].tolist() == [view for view in store.ids if view[0] in "ace" for _ in range(2)]
    first, second = table[table["id"] == "c_0"].itertuples(index=False)
    split = store.table.set_index("id").loc["c_0", "split"]
    assert tuple(first) == ("c_0", 0, 4, "push the red cup", "push_red", split)
    assert tuple(second)[1:4] == (2, 6, SPOKEN.segments[1].text)
    assert table["task"].isna().tolist() == [False, True] * 6


def test_masks_are_read_like_frames(store: FrameStore) -> None:
    masks = SpokenEpisode("c").all_masks()
    for selection in (slice(None), slice(1, 3), [3, 0, 3]):
        np.testing.assert_array_equal(store.masks("c_0", selection), masks[selection])
    assert [view for view in store.ids if store.has_masks(view)] == ["a_0", "c_0", "e_0"]
    for view in ("c_1", "b_0"):
        with pytest.raises(InputError, match=f"no masks of '{view}'"):
            store.masks(view)
    with pytest.raises(IndexError):
        store.masks("c_0", [LENGTH])


def test_plain_episodes_beside_annotated_ones_are_as_ever(store: FrameStore) -> None:
    np.testing.assert_array_equal(store.frames("d_1"), ArrayEpisode("d").pictures(1))
    assert store.states("d_1").shape == (5, 5)


def test_masks_are_resized_without_mixing_numbers(tmp_path: Path) -> None:
    episode = SpokenEpisode("large", size=24)
    prepare_episode(EpisodeRequest(episode, SMALL), {".h5": tmp_path / "x.h5"})
    with h5py.File(tmp_path / "x.h5") as file:
        np.testing.assert_array_equal(file["mask"][:], episode.all_masks()[:, 1::3, 1::3])
        assert file.attrs["format_version"] == 3


def test_a_view_that_breaks_off_keeps_what_is_said_about_its_frames(tmp_path: Path) -> None:
    prepare_episode(EpisodeRequest(SpokenEpisode("cut", whole_frames=3), SMALL), {".h5": tmp_path / "x.h5"})
    first, second = read_views(tmp_path / "x.h5")
    assert (first.frames, first.masks, second.masks) == (3, 3, 0)
    assert first.annotations.segments == (
        replace(SPOKEN.segments[0], last=3),
        replace(SPOKEN.segments[1], last=3),
    )
    assert first.annotations.phases == (SPOKEN.phases[0],)
    assert first.annotations.success is False


@pytest.mark.parametrize(("claimed", "whole"), [((3, 6), 3), ((0, 0), 3), ((0, 0), 6)])
def test_an_episode_is_as_long_as_its_longest_view_may_have_been(
    tmp_path: Path, claimed: tuple[int, int], whole: int
) -> None:
    episode = SpokenEpisode("cut", whole_frames=whole, claimed=claimed, states=0)
    prepare_episode(EpisodeRequest(episode, SMALL), {".h5": tmp_path / "x.h5"})
    for view in read_views(tmp_path / "x.h5"):
        assert view.annotations == SPOKEN.within(whole)


@pytest.mark.parametrize(
    ("episode", "message"),
    [
        (SpokenEpisode("x", EpisodeAnnotations((Segment(3, 7, "late"),))), r"3\.\.7 .*has 6 frames"),
        (SpokenEpisode("x", masks=4), "one ends"),
    ],
)
def test_what_does_not_fit_the_episode_is_refused(
    tmp_path: Path, episode: SpokenEpisode, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepare_episode(EpisodeRequest(episode, SMALL), {".h5": tmp_path / "x.h5"})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Segment(3, 3, "push"), r"3\.\.3"),
        (lambda: Segment(-1, 3, "push"), "-1"),
        (lambda: Segment(0, 3, "  "), "text .* is empty"),
        (lambda: Segment(0, 3, "push", ""), "task .* is empty"),
        (lambda: Segment(0, 3, "pu\ud800sh"), "not Unicode"),
        (lambda: EpisodeAnnotations(frames_per_second=float("nan")), "finite"),
        (lambda: EpisodeAnnotations(frames_per_second=0), "positive"),
        (lambda: EpisodeAnnotations(mask_names=("\udcff",)), "not Unicode"),
    ],
)
def test_impossible_annotations(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_annotations_in_lists_are_those_in_tuples() -> None:
    listed: Any = [Segment(0, 3, "push")], [], None, None, ["background"]
    assert EpisodeAnnotations(*listed) == EpisodeAnnotations(
        (Segment(0, 3, "push"),), mask_names=("background",)
    )
    nothing: Any = [], [], None, None, []
    assert EpisodeAnnotations(*nothing) == NO_ANNOTATIONS


def test_a_text_of_something_else_is_refused() -> None:
    said = EpisodeAnnotations((Segment(0, 3, "push"),), mask_names=("push",)).to_text()
    for changed in (said.replace('"push"', "5", 1), said.replace('"text": "push"', '"text": 5')):
        with pytest.raises(ValueError, match="annotations cannot be read"):
            EpisodeAnnotations.from_text(changed)


def test_the_instruction_of_a_frame_is_that_of_the_segment_that_began_last() -> None:
    said = EpisodeAnnotations((Segment(4, 9, "b"), Segment(0, 6, "a"), Segment(4, 5, "c")))
    assert [said.instruction_at(frame) for frame in (0, 3, 4, 5, 8, 9, -1)] == [
        "a",
        "a",
        "c",
        "b",
        "b",
        None,
        None,
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
segments = st.builds(
    lambda first, length, text, task: Segment(first, first + length, text, task),
    st.integers(0, 50),
    st.integers(1, 50),
    texts,
    st.none() | texts,
)
annotations = st.builds(
    EpisodeAnnotations,
    st.lists(segments, max_size=4).map(tuple),
    st.lists(segments, max_size=4).map(tuple),
    st.none() | st.floats(0, 1e6, exclude_min=True),
    st.none() | st.booleans(),
    st.lists(texts, max_size=3).map(tuple),
)


@given(said=annotations, frames=st.integers(1, 100))
def test_what_is_left_of_annotations_is_inside(said: EpisodeAnnotations, frames: int) -> None:
    left = said.within(frames)
    left.require_inside(frames)
    assert left.within(frames) == left == EpisodeAnnotations.from_text(left.to_text())
    for frame in (0, frames // 2, frames - 1):
        assert left.instruction_at(frame) == said.instruction_at(frame)


@given(
    said=st.lists(annotations, min_size=1, max_size=3), masked=st.lists(st.booleans(), min_size=3, max_size=3)
)
def test_shards_give_back_every_annotation(
    tmp_path_factory: pytest.TempPathFactory, said: list[EpisodeAnnotations], masked: list[bool]
) -> None:
    path = tmp_path_factory.mktemp("shard") / "s.h5"
    members = [plain.view(f"v{number}", 2 + number) for number in range(len(said))]
    views = [
        replace(view, annotations=words, masks=view.frames * kept)
        for (view, _), words, kept in zip(members, said, masked, strict=False)
    ]
    masks = [np.full((view.masks, 4, 6), number, np.uint8) for number, view in enumerate(views) if view.masks]
    write_shard(path, views, [pictures for _, pictures in members], (4, 6), {}, masks)
    read = read_views(path)
    assert [(view.annotations, view.masks) for view in read] == [
        (view.annotations, view.masks) for view in views
    ]


def write_former_shard(
    path: Path, members: list[tuple[View, NDArray[np.uint8]]], attributes: dict[str, Any]
) -> None:
    """Writes the former layout, as the code before annotations did."""
    views = [view for view, _ in members]

    def offsets(lengths: list[int]) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)

    with h5py.File(path, "w", locking=False) as file:
        file.attrs.update(
            format_version=2,
            height=4,
            width=6,
            color="RGB",
            resize_rule="area average if smaller, bicubic if larger",
            **attributes,
        )
        ends = offsets([view.frames for view in views])
        frames = file.create_dataset("frames", (ends[-1], 4, 6, 3), np.uint8, fill_time="never")
        for start, stop, (_, block) in zip(ends[:-1], ends[1:], members, strict=True):
            frames[start:stop] = block
        file["video/offset"] = ends
        text = h5py.string_dtype()
        file.create_dataset("video/traj", data=[view.trajectory for view in views], dtype=text)
        file.create_dataset("video/robot", data=[view.robot for view in views], dtype=text)
        file["video/camera"] = np.array([view.camera for view in views], np.int16)
        file["video/source_len"] = np.array([view.source_frames for view in views], np.int32)
        file["video/pixel_sums"] = np.stack([view.pixel_sums for view in views])
        for name, field_name in (("state", "states"), ("action", "actions"), ("outcome", "outcomes")):
            arrays = [getattr(view, field_name) for view in views]
            file[name] = np.concatenate(arrays).astype(np.float32)
            file[f"{name}_offset"] = offsets([len(array) for array in arrays])


def test_files_without_annotations_are_those_of_the_former_version(tmp_path: Path) -> None:
    members = [plain.view("a", 3), plain.view("b", 5)]
    write_former_shard(tmp_path / "former.h5", members, {"split": "train"})
    now = plain.write(tmp_path / "now.h5", *members)
    assert now.read_bytes() == (tmp_path / "former.h5").read_bytes()
    for view, (written, _) in zip(read_views(tmp_path / "former.h5"), members, strict=True):
        assert view.id == written.id and not view.is_annotated
        np.testing.assert_array_equal(view.states, written.states)


def test_stores_of_the_former_version_are_read(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    controls = np.ones((5, 2), np.float32), np.zeros((4, 1), np.float32)
    view = View("old", 0, "kuka", 5, 5, *controls, pixel_sums(pictures))
    facts = {"split": "train", "split_unit": "view", "seed": 0, "mean": [0.5] * 3, "std": [0.1] * 3}
    (tmp_path / "train").mkdir()
    write_former_shard(tmp_path / "train/old.h5", [(view, pictures)], {**facts, "digest": "version"})
    write_store_manifest(tmp_path, ["train/old"])
    store = FrameStore(tmp_path)
    np.testing.assert_array_equal(store.frames("old_0"), pictures)
    assert store.episode("old_0") == NO_ANNOTATIONS and not store.has_masks("old_0")
    assert len(store.segments) == 0 and list(store.segments.columns) == SEGMENT_COLUMNS
    with pytest.raises(InputError, match="no masks"):
        store.masks("old_0")


def test_stores_without_annotations_have_the_digests_and_columns_that_they_had(tmp_path: Path) -> None:
    store = FrameStore(test_store.make(tmp_path))
    assert store.content_digest == "35f6a20b1dd8461c"
    assert EpisodeRequest(ArrayEpisode("t0"), FramesConfig()).digest == "074f6e3e306dd852"
    assert {"masks", "mask_start", "annotations"}.isdisjoint(store.table.columns)


def test_annotated_member_of_a_plain_selection_is_written_in_the_former_version(tmp_path: Path) -> None:
    parts = prepare(tmp_path, [SpokenEpisode("a", NO_ANNOTATIONS), ArrayEpisode("b"), ArrayEpisode("c")])
    config = FrameStoreConfig(name="x", selection=SelectionConfig(cameras=(1,)))
    config = config.model_copy(update={"split": config.split.model_copy(update={"validation": 1, "test": 1})})
    shards = run_job(assembly_job(shard_requests(parts, config)), tmp_path / "store")
    for path in shards.folder.glob("*/*.h5"):
        with h5py.File(path) as file:
            assert file.attrs["format_version"] == 2 and "mask" not in file
