"""Damaged and unusual videos through ingest, resize and label filter: nothing stops, nothing is lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers import videos
from tests.helpers.damage import write_damaged, write_originals
from tests.helpers.project import TINY, load, merged, run_pipeline
from tests.helpers.real_clips import real_clip
from vidrep_pipelines.data.files.listing import VIDEO_SUFFIXES
from vidrep_pipelines.data.video.decode import count_frames, read_frames
from vidrep_pipelines.fanout.parts import Parts

DAMAGED = 300
PARAMETERS = merged(
    TINY,
    {
        "ingest": {"suffixes": [*sorted(VIDEO_SUFFIXES), ".h264"]},
        "resize": {"short_side": 48},
        "fanout": {"deadline_seconds": 30.0},
    },
)
SIMPLE = {"g": "4", "bf": "0"}
"""Encoder options with which frames are stored in the order in which they are shown."""


@dataclass(frozen=True)
class Case:
    """A file of the table in which readers were compared, and what has to become of it.

    Attributes:
        name: File name.
        make: Writes the file.
        reason: Pattern of the reason for which it is dropped; empty if it is kept.
        frames: Numbers of the frames that are left; None if only the first of them are, in order.
        verdict: Of a clip that is kept.
    """

    name: str
    make: Callable[[Path], object]
    reason: str = ""
    frames: Sequence[int] | None = range(30)
    verdict: str = "healthy"


def write_turned(path: Path, degrees: int) -> Path:
    """A video whose frames are stored lying down and upright when shown."""
    stored = np.rot90(videos.barcode_frames(30, 64, 96), -degrees // 90, axes=(1, 2))
    return videos.write_video(path, np.ascontiguousarray(stored), rotation=degrees)


CASES = [
    Case("zero.mp4", lambda path: path.write_bytes(b""), reason="empty"),
    Case("text.mp4", lambda path: path.write_text("this is not a video\n" * 50), reason="text file"),
    Case("moov missing.mp4", lambda path: videos.remove_moov(videos.write_video(path)), reason="moov"),
    Case("sound only.mp4", videos.write_audio_only, reason="no video stream"),
    Case(
        "cut in the middle.mp4",
        lambda path: videos.truncate(videos.write_video(path, options=SIMPLE, faststart=True), 0.6),
        frames=None,
        verdict="truncated",
    ),
    Case(
        "cut after the header.mp4",
        lambda path: videos.truncate(videos.write_video(path, options=SIMPLE, faststart=True), 0.15),
        reason="not one frame|decodable frame",
    ),
    Case(
        "bytes flipped.mp4",
        lambda path: videos.flip_bytes(videos.write_video(path, options=SIMPLE)),
        frames=None,
        verdict="truncated",
    ),
    Case(
        "cut by edit list.mp4",
        lambda path: videos.cut_by_edit_list(videos.write_video(path, options={"g": "12"}), 7),
        frames=range(7, 30),
    ),
    Case(
        "first keyframe hidden.mp4",
        lambda path: videos.cut_by_edit_list(videos.write_video(path, options={"bf": "0"}), 1),
        frames=range(1, 30),
    ),
    Case("turned 90.mp4", lambda path: write_turned(path, 90)),
    Case("turned 180.mov", lambda path: write_turned(path, 180)),
    Case("turned 270.mp4", lambda path: write_turned(path, 270)),
    Case(
        "variable rate.mp4",
        lambda path: videos.write_video(path, times=[(n + n % 3 * 0.4) / 25 for n in range(30)]),
    ),
    Case("one frame.mp4", lambda path: videos.write_video(path, 1), reason="1 decodable frame"),
    Case("raw.h264", videos.write_video),
    Case("av1.mp4", lambda path: videos.write_video(path, codec="libsvtav1")),
    Case("sound too.mp4", lambda path: videos.write_video(path, audio=True)),
    Case("-dash first.mp4", videos.write_video),
    Case("a:b #1? 100% 'x' \"y\" $HOME `id` *.mp4", videos.write_video),
    Case("back\\slash;&|.mp4", videos.write_video),
    Case("ünï cødé 視頻 \u202e🎬.mp4", videos.write_video),
    Case(" space around .mp4", videos.write_video),
    Case("%05d.mp4", videos.write_video),
    Case("dots...mp4", videos.write_video),
    Case("file:http.mp4", videos.write_video),
]


@dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    kept: pd.DataFrame
    dropped: pd.DataFrame
    resized: Parts

    def frames(self, clip: str) -> np.ndarray:
        """All frames of a kept clip."""
        path = self.resized.path(clip)
        return read_frames(path, range(count_frames(path)))


def prepare(root: Path, data: Path) -> Outcome:
    run_pipeline("prepare_clips", data, merged(PARAMETERS, {"ingest": {"root": str(root)}}))
    kept, dropped = (load(name, data).to_pandas().set_index("id") for name in ("clip_table", "dropped_clips"))
    return Outcome(kept, dropped, load("resized_videos", data))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of healthy clips only."""
    root = tmp_path_factory.mktemp("clean")
    write_originals(root / "clean")
    return root


@pytest.fixture(scope="module")
def files(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The healthy clips among everything that is wrong or unusual."""
    root = tmp_path_factory.mktemp("mixed")
    (root / "clean").symlink_to(clean / "clean")
    write_damaged(root / "damaged", sorted((clean / "clean").iterdir()), DAMAGED)
    (root / "cases").mkdir()
    for case in CASES:
        case.make(root / "cases" / case.name)
    return root


@pytest.fixture(scope="module")
def outcome(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return prepare(files, tmp_path_factory.mktemp("mixed-data"))


def clip_id(case: Case) -> str:
    return f"cases/{Path(case.name).stem}"


def test_every_file_is_accounted_for_once(files: Path, outcome: Outcome) -> None:
    sources = sorted([*outcome.kept["source_path"], *outcome.dropped["source_path"]])
    assert sources == sorted(str(path) for path in files.glob("*/*"))
    assert not set(outcome.kept.index) & set(outcome.dropped.index)


def test_every_dropped_file_has_a_readable_reason(outcome: Outcome) -> None:
    damaged = [name for name in outcome.dropped.index if name.startswith("damaged/")]
    assert len(damaged) > DAMAGED / 10
    for name, reason in outcome.dropped["reason"].items():
        assert len(reason) > 10, name
        assert "Error:" not in reason, f"{name}: {reason}"  # an error that nobody expected
        assert str(outcome.dropped.loc[str(name), "source_path"]) not in reason  # else no two are equal


def test_no_worker_died_and_none_was_late(outcome: Outcome) -> None:
    assert (outcome.resized.table["attempts"] == 1).all()
    assert not outcome.dropped["reason"].str.contains("deadline|worker", case=False).any()


def test_kept_clips_can_be_read_to_the_end(outcome: Outcome) -> None:
    assert any(name.startswith("damaged/") for name in outcome.kept.index)
    for name, row in outcome.kept.iterrows():
        frames = outcome.frames(str(name))
        assert frames.shape == (row["frames"], row["height"], row["width"], 3)
        assert row["frames"] >= 2


def test_what_is_left_of_cut_files_is_in_order(outcome: Outcome) -> None:
    """Flipped bits may give a picture that no decoder can tell from an intended one; a cut may not.

    B-frames are stored after the later frame that they refer to. Where a file ends between the two, that
    frame is kept: without an index, a gap in time is no sign of damage, because the frame rate may vary.
    """
    cut = [name for name in outcome.kept.index if " cut " in name and name.startswith("damaged/")]
    assert cut
    for name in cut:
        left = videos.read_barcodes(outcome.frames(name))
        assert left == sorted(set(left)), name
        missing = left[-1] + 1 - len(left)
        assert missing <= 3 and left[: -3 - missing] == list(range(len(left) - 3 - missing)), name


def test_clean_clips_are_the_same_as_without_the_bad_ones(
    clean: Path, outcome: Outcome, tmp_path: Path
) -> None:
    alone = prepare(clean, tmp_path)
    assert len(alone.kept) == 8 and alone.dropped.empty
    same = alone.kept.columns.difference(["source_path", "class_id"])
    pd.testing.assert_frame_equal(alone.kept[same], outcome.kept.loc[alone.kept.index, same])
    for clip in alone.kept.index:
        assert alone.resized.path(clip).read_bytes() == outcome.resized.path(clip).read_bytes()


@pytest.mark.parametrize("case", [case for case in CASES if case.reason], ids=lambda case: case.name)
def test_useless_file_is_dropped(case: Case, outcome: Outcome) -> None:
    reason = outcome.dropped.loc[clip_id(case), "reason"]
    assert pd.Series([reason]).str.contains(case.reason).all(), reason


@pytest.mark.parametrize("case", [case for case in CASES if not case.reason], ids=lambda case: case.name)
def test_usable_file_is_kept_with_the_right_frames(case: Case, outcome: Outcome) -> None:
    row, numbers = outcome.kept.loc[clip_id(case)], videos.read_barcodes(outcome.frames(clip_id(case)))
    assert row["verdict"] == case.verdict
    if case.frames is None:
        assert 2 <= len(numbers) < 30
    assert numbers == list(range(len(numbers)) if case.frames is None else case.frames)
    assert (row["height"] > row["width"]) == case.name.startswith("turned")


NAMES = {
    "a line break": "line\nbreak.mp4",
    "a tab": "tab\tstop.mp4",
    "as long as file systems admit": "x" * 251 + ".mp4",
    "like a temporary file": "clip.partial-0.mp4",
    "in a folder named like the bookkeeping": "_parts/clip.mp4",
}


@pytest.mark.parametrize(
    "names", [list(NAMES.values()), ["good.mp4.mp4/clip.mp4"]], ids=["names", "a product"]
)
def test_no_name_stops_the_run(names: list[str], tmp_path: Path) -> None:
    videos.write_video(tmp_path / "videos" / "good.avi", 8, codec="mpeg4")
    videos.write_video(tmp_path / "videos" / "good.mp4", 8)
    for name in names:
        videos.write_video(tmp_path / "videos" / name, 8)
    outcome = prepare(tmp_path / "videos", tmp_path / "data")
    unknown = load("ingest.unknown_clips", tmp_path / "data").to_pandas()
    assert len(outcome.kept) + len(outcome.dropped) + len(unknown) == 2 + len(names)
    assert names[0].startswith("good") or {"good.avi", "good.mp4"} <= {
        Path(name).name for name in outcome.kept.index
    }
    for table in (outcome.dropped, unknown):
        assert table["reason"].str.len().gt(10).all()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """Real clips, whole and damaged."""
    root = tmp_path_factory.mktemp("real")
    originals = [real_clip(f"video_{degrees}.mov") for degrees in (0, 90, 180, 270)]
    originals += [real_clip("corrupted.mp4"), real_clip("unordered.mov")]
    (root / "whole").mkdir()
    for original in originals:
        (root / "whole" / original.name).symlink_to(original)
    write_damaged(root / "damaged", originals, 60, seed=1)
    return prepare(root, tmp_path_factory.mktemp("real-data")), root


def test_damaged_real_clips_are_kept_or_have_a_reason(real: tuple[Outcome, Path]) -> None:
    outcome, root = real
    assert len(outcome.kept) + len(outcome.dropped) == len(list(root.glob("*/*")))
    assert not outcome.dropped["reason"].str.contains("Error:").any()
    assert (outcome.resized.table["attempts"] == 1).all()


def test_real_clips_come_out_upright(real: tuple[Outcome, Path]) -> None:
    kept = real[0].kept
    turned = [kept.loc[f"whole/video_{degrees}"] for degrees in (0, 90, 180, 270)]
    assert [row["height"] > row["width"] for row in turned] == [False, True, False, True]
    assert all(row["verdict"] == "healthy" for row in turned)


def test_the_corrupted_real_clip_keeps_what_comes_before_the_damage(real: tuple[Outcome, Path]) -> None:
    outcome, _ = real
    facts = outcome.resized.table.set_index("id").loc["whole/corrupted"]
    assert outcome.kept.loc["whole/corrupted", "verdict"] == "truncated"
    assert 2 <= facts["frames"] < facts["source_frames"]
    assert facts["verdict_detail"]
