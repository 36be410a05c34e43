from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import (
    LABELS,
    TABLE,
    VIDEO_COLUMNS,
    LabelledVideos,
    read_labelled_videos,
    typed_table,
    write_labelled_videos,
)


def videos(*lengths: int) -> LabelledVideos:
    rows = [
        {
            "id": f"{'train' if number % 2 == 0 else 'validation'}/{number}",
            "split": "train" if number % 2 == 0 else "validation",
            "action": "pour" if number < 2 else "wave",
            "action_label": number,
            "classes": 5,
            "frames": length,
            "labelled_frames": length,
        }
        for number, length in enumerate(lengths)
    ]
    labels = tuple(np.arange(length, dtype=np.int16) - 1 for length in lengths)
    return LabelledVideos(typed_table(rows), labels)


def test_round_trip(tmp_path: Path) -> None:
    written = videos(3, 0, 5)
    write_labelled_videos(tmp_path / "index", written)
    read = read_labelled_videos(tmp_path / "index")
    pd.testing.assert_frame_equal(read.table, written.table)
    assert [values.tolist() for values in read.labels] == [[-1, 0, 1], [], [-1, 0, 1, 2, 3]]
    assert read.labels[0].dtype == np.int16
    assert read.digest == written.digest != videos(3, 0, 4).digest
    write_labelled_videos(tmp_path / "index", videos())
    assert len(read_labelled_videos(tmp_path / "index")) == 0


def test_types_of_the_columns() -> None:
    assert {name: str(kind) for name, kind in videos(2).table.dtypes.items()} == VIDEO_COLUMNS


def test_selection() -> None:
    index = videos(3, 2, 4, 1)
    assert index.select("train").ids == ["train/0", "train/2"]
    waving = index.select("validation", "wave")
    assert waving.ids == ["validation/3"]
    assert waving.of("validation/3").tolist() == [-1]
    with pytest.raises(InputError, match=r"no video 'train/0' among 1"):
        waving.of("train/0")
    with pytest.raises(InputError, match=r"split='test'.*'pour', 'wave'"):
        index.select("test")


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no whole index"):
        read_labelled_videos(tmp_path / "none")
    write_labelled_videos(tmp_path / "a", videos(3, 2))
    write_labelled_videos(tmp_path / "b", videos(3, 4))
    (tmp_path / "a" / LABELS).write_bytes((tmp_path / "b" / LABELS).read_bytes())
    with pytest.raises(InputError, match="not of the same videos"):
        read_labelled_videos(tmp_path / "a")
    (tmp_path / "b" / TABLE).write_bytes(b"none")
    with pytest.raises(InputError, match="holds no whole index"):
        read_labelled_videos(tmp_path / "b")
