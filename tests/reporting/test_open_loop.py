import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.open_loop import REPLAY_ROWS, open_loop_errors
from vidrep_pipelines.reporting.open_loop import open_loop_chart


def replayed(numbers: int) -> pd.DataFrame:
    draws = np.random.default_rng(0)
    rows = [
        (episode, frame, step, frame + step, number, *draws.normal(size=4))
        for episode in ("one", "two")
        for frame in (0, 5)
        for step in range(4)
        for number in range(numbers)
    ]
    return pd.DataFrame(rows, columns=REPLAY_ROWS)


def test_every_number_of_an_action_has_its_panel() -> None:
    few, many = replayed(2), replayed(38)
    small = open_loop_chart(few, open_loop_errors(few, 100))
    large = open_loop_chart(many, open_loop_errors(many, 100))
    assert small.width == large.width and large.height > 4 * small.height
    low, high = small.convert("L").getextrema()
    assert high - low > 100


def test_nothing_to_draw() -> None:
    rows = replayed(1)
    with pytest.raises(InputError, match="nothing was replayed"):
        open_loop_chart(rows[:0], open_loop_errors(rows, 100))
