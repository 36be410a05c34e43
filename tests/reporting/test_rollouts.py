import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.tables import success_table
from vidrep_pipelines.reporting.rollouts import success_bars, success_text


def rows(**shares: float) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"condition": name, "task": task, "success": number < 10 * share, "steps": number}
            for name, share in shares.items()
            for task in ("lift_up", "push_left")
            for number in range(10)
        ]
    )


def test_text_has_a_line_for_each_condition() -> None:
    text = success_text(success_table(rows(trained=0.9, still=0.0), by=("condition",)))
    assert text.splitlines()[0].startswith("trained  0.90 [0.70, 0.97]  18 of 20")
    assert text.splitlines()[1].startswith("still    0.00 [0.00, 0.16]  0 of 20")


def test_bars_differ_with_success() -> None:
    pictures = []
    for share in (0.9, 0.3):
        own = rows(trained=share, still=0.0)
        together, by_task = (
            success_table(own, by=("condition",)),
            success_table(own, by=("condition", "task")),
        )
        pictures.append(np.asarray(success_bars(together, by_task, "A policy")))
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any(axis=2).mean() > 0.02


def test_nothing_to_draw() -> None:
    empty = pd.DataFrame({"condition": []})
    with pytest.raises(InputError, match="nothing was rolled out"):
        success_bars(empty, empty, "nothing")
