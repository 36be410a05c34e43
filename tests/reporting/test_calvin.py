import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vidrep_pipelines.reporting import calvin
from vidrep_pipelines.reporting.calvin import chain_picture

CHAINS = pd.DataFrame(
    [
        {
            "policy": policy,
            "tasks_in_a_row": length,
            "success": share,
            "low": share / 2,
            "high": (1 + share) / 2,
        }
        for policy, shares in (("trained", (0.9, 0.5, 0.2, 0.1, 0.0)), ("still", (0.1, 0, 0, 0, 0)))
        for length, share in enumerate(shares, 1)
    ]
)
LENGTHS = pd.DataFrame(
    {
        "policy": ["trained", "still"],
        "average_length": [1.7, 0.1],
        "low": [1.5, 0.0],
        "high": [1.9, 0.2],
        "sequences": [50, 20],
    }
)
TASKS = pd.DataFrame(
    [
        {"policy": policy, "task": task, "success": 0.5, "low": 0.3, "high": 0.7, "episodes": 4}
        for policy, task in (("trained", "open_drawer"), ("trained", "turn_on_led"), ("still", "open_drawer"))
    ]
)


def test_bars_stand_as_high_as_their_shares_and_the_legend_says_the_average(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(calvin, "image_of", drawn.append)
    chain_picture(CHAINS, LENGTHS, TASKS, "in a world")
    left, right = drawn[0].axes
    bars = [bar for bar in left.patches if isinstance(bar, Rectangle)]
    assert [bar.get_height() for bar in bars] == CHAINS["success"].tolist()
    texts = left.get_legend_handles_labels()[1]
    assert texts[0] == "trained: 1.70 [1.50, 1.90] tasks on average, 50 sequences" and len(texts) == 2
    assert [label.get_text() for label in right.get_yticklabels()] == ["open drawer (4)", "turn on led (4)"]


def test_a_picture_is_made() -> None:
    picture = chain_picture(CHAINS, LENGTHS, TASKS, "in a world")
    assert min(picture.size) > 300 and np.ptp(np.asarray(picture)) > 200
