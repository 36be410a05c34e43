import numpy as np
from PIL import Image

from vidrep_pipelines.reporting.figures import COLORS
from vidrep_pipelines.reporting.filter_report import filter_report_picture


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
