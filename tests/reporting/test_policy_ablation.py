import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import wilson_interval
from vidrep_pipelines.reporting.policy_ablation import (
    ablation_picture,
    ablation_text,
    scores_picture,
    scores_text,
)

EPISODES = 50


def row(
    policy: str, differs_in: str, success: float, steps: int = 5, demonstrations: int = 100
) -> dict[str, object]:
    low, high = wilson_interval(success, EPISODES, 0.95)
    return {
        **{"policy": policy, "features": "video" if differs_in != "features" else policy},
        **{"demonstrations": demonstrations, "execute_steps": steps, "differs_in": differs_in},
        **{"episodes": EPISODES, "success": success, "low": low, "high": high},
        **{"difference": success - 0.8, "difference_low": success - 0.9, "difference_high": success - 0.7},
    }


def table(pixels: float = 0.3) -> pd.DataFrame:
    return pd.DataFrame(
        [
            row("ours", "", 0.8),
            row("demonstrations_25", "demonstrations", 0.3, demonstrations=25),
            row("demonstrations_400", "demonstrations", 0.9, demonstrations=400),
            row("pixels", "features", pixels),
            row("first_frame", "features", 0.6),
            row("causal", "cross_causal", 0.7),
            row("ours", "execute_steps", 0.5, steps=2),
            row("ours", "execute_steps", 0.75, steps=10),
            row("causal", "cross_causal, execute_steps", 0.4, steps=2),
            row("causal", "cross_causal, execute_steps", 0.7, steps=10),
        ]
    ).astype({"demonstrations": "Int64"})


def test_text_has_a_line_for_each_row() -> None:
    lines = ablation_text(table()).splitlines()
    assert len(lines) == 10
    assert " ".join(lines[0].split()) == "ours (5 steps) 0.80 [0.67, 0.89] +0.00 [-0.10, +0.10] reference"
    assert lines[-1].endswith("cross_causal, execute_steps")


def test_picture_shows_the_numbers() -> None:
    one, same, other = (np.asarray(ablation_picture(table(share), "A policy")) for share in (0.3, 0.3, 0.9))
    assert (one == same).all()
    assert one.shape == other.shape and (one != other).any(axis=2).mean() > 0.002


def test_a_single_policy_is_drawn_and_nothing_is_refused() -> None:
    alone = ablation_picture(table().head(1), "A policy")
    assert np.ptp(np.asarray(alone)) > 100
    with pytest.raises(InputError, match="nothing was rolled out"):
        ablation_picture(table().head(0), "A policy")


def scores(last: float = 0.9) -> pd.DataFrame:
    stages = [(0, 0.5, 0.1), (100, 0.7, 0.3), (600, last, 0.8)]
    rows = [
        {"measure": measure, "updates": updates, "policy": f"updates_{updates}", "value": value,
         "low": value - 0.05, "high": value + 0.05, "chance": 0.5, "tables": 24, "success": success,
         "success_low": success - 0.1, "success_high": success + 0.1, "episodes": EPISODES}
        for measure in ("right_object_change", "nearest_last")
        for updates, value, success in stages
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_text_of_scores_has_a_line_for_each_question_and_model() -> None:
    lines = [" ".join(line.split()) for line in scores_text(scores()).splitlines()]
    assert len(lines) == 6
    expected = "after 100 updates 0.70 [0.65, 0.75] (chance 0.50) success 0.30 [0.20, 0.40]"
    assert lines[1] == f"right_object_change {expected}"
    assert scores_text(scores().head(0)) == "(nothing was asked)"


def test_picture_of_scores_shows_the_numbers() -> None:
    one, same, other = (np.asarray(scores_picture(scores(last), "A policy")) for last in (0.9, 0.9, 0.75))
    assert (one == same).all()
    assert one.shape == other.shape and (one != other).any(axis=2).mean() > 0.0005
    nothing = scores_picture(scores().head(0), "A policy")
    assert nothing.height < one.shape[0] / 2
