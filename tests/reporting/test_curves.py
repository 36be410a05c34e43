import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.curves import loss_curves, smoothed
from vidrep_pipelines.reporting.figures import COLORS, SOFT_INK


def training_log(steps: int = 100) -> pd.DataFrame:
    step = np.arange(steps)
    return pd.DataFrame(
        {
            "step": step,
            "train/loss": 2 * np.exp(-step / 30) + 1,
            "train/loss_mae": np.exp(-step / 30) + 0.5,
            "optimizer/learning_rate": np.linspace(0, 1e-3, steps),
            "speed/items_per_second": 50.0,
            "speed/data_wait_fraction": 0.1,
        }
    )


def pixels_of(picture: Image.Image, color: str) -> int:
    wanted = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(np.asarray(picture).astype(int) - wanted).max(axis=2) < 12).sum())


def test_every_loss_gets_a_curve_of_its_own_color() -> None:
    picture = loss_curves(training_log())
    assert picture.mode == "RGB" and picture.width > 1000
    assert all(pixels_of(picture, COLORS[number]) > 500 for number in (0, 1))
    one = loss_curves(training_log(), ["train/loss"])
    assert pixels_of(one, COLORS[0]) > 500 and pixels_of(one, COLORS[1]) == 0


def test_panels_without_data_are_left_out() -> None:
    complete = loss_curves(training_log())
    bare = loss_curves(
        training_log().drop(
            columns=["optimizer/learning_rate", "speed/items_per_second", "speed/data_wait_fraction"]
        )
    )
    assert bare.height < complete.height
    assert pixels_of(complete, COLORS[4]) > 100 and pixels_of(bare, COLORS[4]) == 0
    no_wait = loss_curves(training_log().drop(columns="speed/data_wait_fraction"))
    assert pixels_of(no_wait, COLORS[3]) == 0 and pixels_of(complete, COLORS[3]) > 50


def test_a_score_with_an_interval_is_drawn_beside_the_untrained_one() -> None:
    log = training_log()
    bare = loss_curves(log)
    at = log["step"] % 25 == 0
    for end, offset in (("", 0.0), ("_low", -2.0), ("_high", 2.0)):
        log[f"probe/score{end}"] = np.where(at, 40.0 + log["step"] / 10 + offset, np.nan)
    floored = loss_curves(log)
    assert pixels_of(floored, COLORS[0]) > pixels_of(bare, COLORS[0])
    assert pixels_of(floored, SOFT_INK) > pixels_of(bare, SOFT_INK)
    # Without an interval there is nothing to compare a score by.
    assert np.array_equal(loss_curves(log.drop(columns=["probe/score_low"])), bare)


def test_gaps_and_single_rows_are_drawn() -> None:
    log = training_log()
    log.loc[log["step"] % 10 != 0, "train/loss_mae"] = np.nan
    assert pixels_of(loss_curves(log), COLORS[1]) > 300
    assert pixels_of(loss_curves(training_log(1)), COLORS[0]) > 20


def test_title_adds_to_the_picture() -> None:
    log = training_log()
    assert not np.array_equal(np.asarray(loss_curves(log)), np.asarray(loss_curves(log, title="run 3")))


@pytest.mark.parametrize(
    "log",
    [
        training_log(0),
        training_log().drop(columns="step"),
        training_log()[["step", "optimizer/learning_rate"]],
    ],
    ids=["empty", "no step", "no loss"],
)
def test_logs_without_curves_are_refused(log: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="Curves need steps and losses"):
        loss_curves(log)


def test_smoothing_keeps_constants_and_averages_noise() -> None:
    np.testing.assert_allclose(smoothed(np.full(100, 3.0)), 3.0)
    noise = np.random.default_rng(0).normal(size=2000)
    assert smoothed(noise).std() < 0.2
    assert smoothed(np.array([1.0, 2.0])).tolist() == [1.0, 2.0]


def test_no_global_figure_is_left_behind() -> None:
    code = (
        "import sys; from tests.reporting.test_curves import training_log;"
        "from vidrep_pipelines.reporting.curves import loss_curves; loss_curves(training_log());"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
