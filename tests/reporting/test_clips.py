from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.clips import contact_sheet, filter_report_picture, representative_clips
from vidrep_pipelines.reporting.figures import COLORS


def bars(picture: Image.Image, color: str) -> list[int]:
    """Lengths in pixels of the bars of one color, from top to bottom."""
    wanted = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    lengths = (np.abs(np.asarray(picture).astype(int) - wanted).max(axis=2) < 12).sum(axis=1)
    starts = np.flatnonzero(np.diff(np.concatenate([[0], (lengths > 0).astype(int)])) == 1)
    return [int(lengths[start + 2]) for start in starts]


def test_bars_are_as_long_as_the_counts_and_sorted() -> None:
    report = {
        "listed": 100,
        "kept": 60,
        "dropped": 40,
        "reasons": {"truncated": 10, "fewer than 2 frames": 30},
    }
    picture = filter_report_picture(report)
    (kept,), dropped = bars(picture, COLORS[2]), bars(picture, COLORS[1])
    assert len(dropped) == 2
    np.testing.assert_allclose([length / kept for length in dropped], [30 / 60, 10 / 60], atol=0.02)


def test_rare_reasons_are_added_up() -> None:
    reasons = {f"reason {number}": 100 for number in range(11)} | {
        f"rare {number}": 25 for number in range(5)
    }
    dropped = bars(filter_report_picture({"listed": 2225, "kept": 1000, "reasons": reasons}), COLORS[1])
    assert len(dropped) == 13
    assert dropped[11] < dropped[12] == dropped[0]


def test_nothing_dropped_and_endless_reasons_are_drawn() -> None:
    clean = filter_report_picture({"listed": 5, "kept": 5, "reasons": {}})
    assert len(bars(clean, COLORS[2])) == 1 and bars(clean, COLORS[1]) == []
    wordy = filter_report_picture({"listed": 6, "kept": 5, "reasons": {"because " * 100: 1}})
    assert wordy.height < 3 * clean.height and wordy.width == clean.width


class Recorder:
    """Makes gray frames and remembers what was asked for."""

    def __init__(self, broken: str = "none") -> None:
        self.broken = broken
        self.asked: list[tuple[Path, list[int]]] = []

    def read(self, path: Path, ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
        self.asked.append((path, ranks.tolist()))
        if self.broken in path.name:
            raise InputError(f"{path} is broken on purpose")
        return np.full((len(ranks), 32, 48, 3), 90, np.uint8)


def clip_table() -> pd.DataFrame:
    classes = ["pour", "pour", "pour", "stack", "wipe", "wipe"]
    ids = [f"{name}/{number}" for number, name in enumerate(classes)]
    return pd.DataFrame(
        {
            "id": ids,
            "path": [f"{name}.mp4" for name in ids],
            "frames": [100, 100, 100, 2, 1, 100],
            "class_name": classes,
            "frames_per_second": 25.0,
        }
    )


def test_only_the_frames_that_are_shown_are_read() -> None:
    recorder = Recorder()
    contact_sheet(clip_table(), Path("videos"), recorder.read, rows=3, frames_per_clip=4)
    assert recorder.asked == [
        (Path("videos/pour/0.mp4"), [0, 33, 66, 99]),
        (Path("videos/stack/3.mp4"), [0, 1]),
        (Path("videos/wipe/4.mp4"), [0]),
    ]


def test_the_sheet_grows_with_its_rows() -> None:
    heights = [contact_sheet(clip_table(), Path(), Recorder().read, rows=rows).height for rows in (1, 3, 6)]
    assert heights[0] < heights[1] < heights[2]


def test_frames_are_on_the_sheet() -> None:
    sheet = np.asarray(contact_sheet(clip_table(), Path(), Recorder().read, rows=2, cell_height=64))
    assert (sheet == 90).all(axis=2).sum() == (6 + 2) * 64 * 96


def test_a_clip_that_cannot_be_read_leaves_the_others() -> None:
    good = np.asarray(contact_sheet(clip_table(), Path(), Recorder().read, rows=3))
    sheet = np.asarray(contact_sheet(clip_table(), Path(), Recorder(broken="0.mp4").read, rows=3))
    assert 0 < (sheet == 90).all(axis=2).sum() < (good == 90).all(axis=2).sum()


def test_tables_without_classes_or_rates_are_shown() -> None:
    table = clip_table()[["id", "path", "frames"]]
    recorder = Recorder()
    contact_sheet(table, Path(), recorder.read, rows=2)
    assert [path.name for path, _ in recorder.asked] == ["0.mp4", "1.mp4"]


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(InputError, match="no clip"):
        contact_sheet(clip_table().head(0), Path(), Recorder().read)
    with pytest.raises(InputError, match="broken on purpose"):
        contact_sheet(clip_table(), Path(), Recorder(broken=".mp4").read)


def test_clips_come_from_all_classes_before_a_second_one_of_any() -> None:
    chosen = representative_clips(clip_table(), 4)
    assert chosen["id"].tolist() == ["pour/0", "pour/1", "stack/3", "wipe/4"]
    assert len(representative_clips(clip_table(), 99)) == 6
