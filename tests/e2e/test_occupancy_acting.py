"""Acting on the values of an occupancy model, from episodes to the picture."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.occupancy import TINY_OCCUPANCY
from tests.helpers.project import merged, run_pipeline

TINY_ACTING = merged(
    TINY_OCCUPANCY,
    {
        "occupancy_acting": {
            "episodes": 4,
            "scramble": 2,
            "candidates": 2,
            "samples": 2,
            "cloning": {"width": 8, "steps": 20},
            "rollout": {"execute_steps": 4, "most_steps": 12},
        },
    },
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("acting")
    run_pipeline("eval_occupancy_acting", folder, TINY_ACTING)
    return folder


@pytest.mark.slow
def test_every_condition_acts_in_the_same_episodes(data: Path) -> None:
    reports = data / "08_reporting/voc_acting/acting"
    rows = pd.read_parquet(reports / "rows.parquet")
    conditions = ("occupancy", "returns", "retrieved", "cloned", "cloned_best", "random", "still", "scripted")
    assert list(rows["condition"].unique()) == list(conditions)
    assert rows.groupby("condition")["episode"].apply(set).map(sorted).map(tuple).nunique() == 1
    summary = pd.read_parquet(reports / "summary.parquet").set_index("condition")
    assert (summary["episodes"] == 4).all() and summary.loc["still", "successes"] == 0
    leads = pd.read_parquet(reports / "leads.parquet")
    assert set(leads["than"]) == set(conditions) - {"occupancy"}
    metrics = json.loads((reports / "metrics.json").read_text())
    assert metrics["success/scripted"] == summary.loc["scripted", "success"]
    with Image.open(reports / "success.png") as image:
        assert np.asarray(image.convert("L")).std() > 10


@pytest.mark.slow
def test_a_model_that_knows_no_actions_is_refused(data: Path) -> None:
    changes = {"voc_acting": {"model": {"gpt": {"action_dimension": None}}}}
    with pytest.raises(Exception, match=r"knows no actions.*model\.gpt\.action_dimension"):
        run_pipeline("eval_occupancy_acting", data, merged(TINY_ACTING, changes))


@pytest.mark.slow
def test_episodes_of_another_world_are_refused(data: Path) -> None:
    changes = {"dmc": {"replay_buffer": str(data)}}
    with pytest.raises(Exception, match=r"of another one.*dmc\.replay_buffer"):
        run_pipeline(
            "eval_occupancy_acting", data, merged(TINY_ACTING, changes), from_nodes=["voc_acting.plan_acting"]
        )
