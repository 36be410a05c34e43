import pickle
from pathlib import Path

import pandas as pd
import pytest

from tests.data.clips.test_filtering import resized_index, video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.config import LabelFilterConfig
from vidrep_pipelines.data.clips.filtering import filter_clips
from vidrep_pipelines.data.clips.table import ClassSamples, ClipRows, content_digest, snapshot
from vidrep_pipelines.data.tables.partitioned_table import write_table


def clips(*names: str) -> pd.DataFrame:
    return filter_clips(resized_index(*map(video, names)), LabelFilterConfig()).clips.to_pandas()


def test_snapshot_holds_what_training_reads(tmp_path: Path) -> None:
    path = snapshot(clips("wave/ü b", "pour/a"), tmp_path / "new" / "run")
    assert path == tmp_path / "new" / "run" / "clips.arrow"
    assert pd.read_feather(path).to_dict("list") == {
        "id": ["pour/a", "wave/ü b"],
        "path": ["pour/a.mp4", "wave/ü b.mp4"],
        "frames": [100, 100],
    }


def test_snapshot_replaces_the_former_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    snapshot(clips("pour/a"), tmp_path)
    table = clips("pour/a", "pour/b")
    path = snapshot(table, tmp_path)
    table["path"] = "elsewhere"
    assert pd.read_feather(path)["path"].tolist() == ["pour/a.mp4", "pour/b.mp4"]
    assert list(tmp_path.iterdir()) == [path]


def test_snapshot_of_the_same_clips_is_left_alone(tmp_path: Path) -> None:
    table = clips(*(f"pour/{number:03}" for number in range(250)))
    path = snapshot(table, tmp_path)
    inode = path.stat().st_ino
    in_pieces = write_table(table, tmp_path / "table", rows_per_part=70)
    assert snapshot(in_pieces, tmp_path).stat().st_ino == inode
    for other in (table[:-1], table.assign(frames=7), clips("pour/a"), table[:0]):
        before = path.read_bytes()
        snapshot(other, tmp_path)
        assert path.read_bytes() != before
        assert pd.read_feather(path)["frames"].tolist() == other["frames"].tolist()


def test_damaged_snapshot_is_written_again(tmp_path: Path) -> None:
    table = clips("pour/a", "pour/b")
    whole = snapshot(table, tmp_path).read_bytes()
    for start in range(0, len(whole), 40):
        damaged = whole[:start] + bytes([255] * 40) + whole[start + 40 :]
        (tmp_path / "clips.arrow").write_bytes(damaged)
        rows = ClipRows(snapshot(table, tmp_path))
        assert [(rows.id(index), rows.frames(index)) for index in range(len(rows))] == [
            ("pour/a", 100),
            ("pour/b", 100),
        ]


def test_snapshot_refuses_clips_without_a_path(tmp_path: Path) -> None:
    table = clips("pour/a", "pour/b")
    table.loc[1, "path"] = None
    with pytest.raises(InputError, match="empty entries"):
        snapshot(table, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_a_snapshot_are_read_one_by_one(tmp_path: Path) -> None:
    table = clips(*(f"pour/{number:03}" for number in range(250))).assign(frames=range(250))
    written = write_table(table, tmp_path / "table", rows_per_part=70)  # several pieces in the file
    rows = ClipRows(snapshot(written, tmp_path))
    assert len(rows) == 250
    for index in (0, 69, 70, 249):
        assert (rows.id(index), rows.file(index), rows.frames(index)) == (
            f"pour/{index:03}",
            f"pour/{index:03}.mp4",
            index,
        )
    with pytest.raises(IndexError):
        rows.id(250)


def test_rows_travel_as_a_path(tmp_path: Path) -> None:
    rows = ClipRows(snapshot(clips(*(f"pour/{number:03}" for number in range(250))), tmp_path))
    assert rows.id(7) == "pour/007"  # mapped before it travels
    data = pickle.dumps(rows)
    assert len(data) < 500
    assert pickle.loads(data).id(249) == "pour/249"


def test_files_that_are_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.arrow is no table of clips"):
        len(ClipRows(tmp_path / "absent.arrow"))
    (tmp_path / "text.arrow").write_text("hello")
    with pytest.raises(InputError, match=r"text\.arrow is no table of clips"):
        len(ClipRows(tmp_path / "text.arrow"))
    pd.DataFrame({"id": ["a"]}).to_feather(tmp_path / "other.arrow", compression="uncompressed")
    with pytest.raises(InputError, match=r"lacks .*frames"):
        len(ClipRows(tmp_path / "other.arrow"))


def test_content_digest(tmp_path: Path) -> None:
    table = clips("pour/a", "pour/b", "wave/c")
    digest = content_digest(table)
    assert content_digest(write_table(table, tmp_path / "table", rows_per_part=2)) == digest
    others = [
        table.head(2),
        table.assign(id=["pour/a", "pour/b", "wave/d"]),
        table.assign(digest=["0", "1", "0"]),
        table.iloc[::-1],
    ]
    digests = {content_digest(other) for other in others}
    assert len(digests) == 4 and digest not in digests
    assert content_digest(table.assign(frames=5)) == digest


def test_samples_of_every_class(tmp_path: Path) -> None:
    table = clips(*(f"{name}/{number}" for name in ("drop", "pour") for number in range(5)), "wave/0")
    samples = ClassSamples.of(write_table(table, tmp_path / "table", rows_per_part=3), per_class=2)
    assert samples.clips["id"].tolist() == ["drop/0", "drop/1", "pour/0", "pour/1", "wave/0"]
    assert samples.summary == "11 clips of 3 classes, 1100 frames"
