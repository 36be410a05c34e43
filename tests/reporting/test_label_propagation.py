"""Pictures of propagated labels."""

import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.label_propagation import (
    comparison_sheet,
    draw_joints,
    interval_bars,
    overlay,
    side_by_side,
)

FRAME = np.full((48, 64, 3), 100, np.uint8)


def test_objects_are_tinted_and_the_rest_is_left_alone() -> None:
    labels = np.zeros((48, 64), np.uint8)
    labels[10:30, 10:30], labels[10:30, 35:55], labels[:5] = 1, 2, 255
    shown = overlay(FRAME, labels)
    assert shown.dtype == np.uint8
    assert (shown[labels == 0] == 100).all() and (shown[:5] == 100).all()
    red, green = shown[20, 20].astype(int), shown[20, 45].astype(int)
    assert red[0] > red[1] and green[1] > green[0]
    assert (shown[10, 20] != shown[20, 20]).any()  # the contour


def test_joints_that_were_lost_are_not_drawn() -> None:
    points = np.array([[20.0, np.nan], [10.0, np.nan]])
    shown = draw_joints(FRAME, points)
    changed = np.argwhere((shown != FRAME).any(axis=2))
    np.testing.assert_allclose(changed.mean(axis=0), [10, 20], atol=0.6)


def test_panels_have_even_sides_and_one_height() -> None:
    joined = side_by_side(
        {"truth": FRAME, "a name that is far too long for the panel below it": FRAME[:, :33]}
    )
    assert joined.shape[0] % 2 == joined.shape[1] % 2 == 0
    assert abs(joined.shape[1] - (320 + 165)) <= 2


def test_bars_need_something_to_draw() -> None:
    rows = [("J", "rsp", 60.0, 50.0, 70.0), ("J", "random", 40.0, 35.0, 44.0)]
    summary = pd.DataFrame(rows, columns=["measure", "encoder", "value", "low", "high"])
    picture = np.asarray(interval_bars(summary, ["J"], "title"))
    assert (picture < 100).any()
    with pytest.raises(InputError, match="Bars of F"):
        interval_bars(summary, ["F"], "title")


def test_sheet_has_a_row_for_each_title() -> None:
    one = comparison_sheet([("best: a", [0, 5], {"truth": [FRAME, FRAME]})], "heading")
    two = comparison_sheet([("best: a", [0, 5], {"truth": [FRAME, FRAME], "rsp": [FRAME, FRAME]})], "heading")
    assert two.height > one.height + 100
