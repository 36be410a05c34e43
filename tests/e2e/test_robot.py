"""``kedro run --pipelines eval_robot_standalone``: what it writes, and what a second run does."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from tests.helpers.dmc_world import needs_dmc, use_fake_dmc
from tests.helpers.metaworld import needs_metaworld, needs_rendering, use_fake_metaworld
from tests.helpers.project import load, merged, run_pipeline
from tests.helpers.robots import TINY_DMC_ROBOT, TINY_METAWORLD_ROBOT, TINY_ROBOT
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.headlines import headline_lines, headline_of

pytestmark = pytest.mark.slow
INPUTS = ["random", "pixels", "proprioception", "state", "expert"]
MEASURES = ["last epoch", "best epoch"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the evaluation on the tabletop."""
    data = tmp_path_factory.mktemp("robot")
    run_pipeline("eval_robot_standalone", data, TINY_ROBOT)
    return data


def check_summary(data: Path, tasks: list[str], episodes: int) -> pd.DataFrame:
    """All inputs in the same layouts, with intervals; the expert does everything."""
    summary = pd.read_parquet(data / "08_reporting/robot/summary.parquet")
    for measure in MEASURES:
        for task in ("all", *tasks):
            rows = summary[(summary["measure"] == measure) & (summary["task"] == task)]
            assert rows["encoder"].tolist() == INPUTS
            assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()
            assert set(rows["episodes"]) == {episodes * (len(tasks) if task == "all" else 1)}
            assert rows.set_index("encoder")["value"]["expert"] == 100
            assert rows["seeds"].tolist() == [2, 2, 2, 2, 1] and rows["lead"].iloc[0] == 0
    return summary


def test_all_inputs_are_reported_for_the_last_and_the_best_epoch(finished: Path) -> None:
    summary = check_summary(finished, ["lift_up", "carry_right"], 2)
    assert set(summary["renderer"]) == {"sample_world/plain_32x32"}
    headline = headline_of("robot.summary")
    assert headline is not None
    lines = "\n".join(headline_lines(headline, summary))
    assert "proprioception" in lines and "floor" in lines and "ceiling" in lines
    comparisons = pd.read_parquet(finished / "08_reporting/robot/comparisons.parquet")
    assert set(comparisons["than"]) == {"random", "pixels", "proprioception"}
    settings = json.loads((finished / "08_reporting/robot/settings.json").read_text())
    assert settings["renderer"] == "sample_world/plain_32x32" and settings["kept"] == [2, 4]
    assert settings["demonstrations"] == {"lift_up": 2, "carry_right": 2}


def test_inputs_are_tried_out_in_the_same_layouts(finished: Path) -> None:
    rows = load("robot.rows", finished)
    layouts = rows.groupby("encoder")["episode"].apply(set)
    assert all(own == layouts["expert"] for own in layouts) and len(layouts["expert"]) == 4
    assert all(name.startswith("tabletop/test/") for name in layouts["expert"])
    chosen = load("robot.chosen", finished)
    assert (chosen.groupby(["encoder", "task", "seed"])["is_last"].sum() == 1).all()
    assert (chosen.groupby(["encoder", "task", "seed"])["is_best"].sum() == 1).all()
    assert set(chosen["after"]) <= {2, 4} and chosen["selected"].notna().all()


def test_the_picture_shows_something(finished: Path) -> None:
    with Image.open(finished / "08_reporting/robot/bars.png") as image:
        low, high = image.convert("L").getextrema()
        assert min(image.size) > 200 and high - low > 100


def test_another_head_extracts_nothing_again(finished: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_robot_standalone", finished, TINY_ROBOT)
        for line in ("demonstration features: ", "cloned heads: ", "rollouts: "):
            assert f"{line}up to date" in caplog.text
        caplog.clear()
        changed = merged(TINY_ROBOT, {"eval_robot": {"head": {"length": 2}}})
        run_pipeline("eval_robot_standalone", finished, changed)
    assert "demonstration features: up to date (12 items)" in caplog.text
    assert "cloned heads: up to date" not in caplog.text
    chosen = load("robot.chosen", finished)
    assert (chosen["is_last"] & chosen["is_best"]).all() and chosen["selected"].isna().all()


def check_metaworld(data: Path, parameters: dict[str, Any]) -> None:
    run_pipeline("eval_robot_standalone", data, parameters)
    summary = pd.read_parquet(data / "08_reporting/robot/summary.parquet")
    assert set(summary["renderer"]) == {"metaworld/fast_32x32"}
    assert set(summary["task"]) == {"all", "reach-v3", "button-press-v3"}
    assert set(summary["encoder"]) == set(INPUTS)


def test_metaworld_by_a_fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_metaworld(monkeypatch)
    check_metaworld(tmp_path, TINY_METAWORLD_ROBOT)


def check_dmc(data: Path, parameters: dict[str, Any]) -> pd.DataFrame:
    """The score stands beside success; the world follows from the demonstrations."""
    run_pipeline("eval_robot_standalone", data, parameters)
    summary = pd.read_parquet(data / "08_reporting/robot/summary.parquet")
    assert set(summary["renderer"]) == {"dmc/fast_32x32"} and set(summary["encoder"]) == set(INPUTS)
    assert set(summary["measure"]) == {*MEASURES, *(f"{measure} score" for measure in MEASURES)}
    assert (summary["low"] <= summary["value"]).all() and (summary["value"] <= summary["high"]).all()
    own: pd.DataFrame = summary[summary["task"] == "all"].set_index(["measure", "encoder"])
    return own


def test_dm_control_by_a_fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    own = check_dmc(tmp_path, TINY_DMC_ROBOT)
    rows = load("robot.rows", tmp_path)
    assert set(rows["steps"]) == {20} and rows["score"].between(0, 1).all()
    assert own.loc[("last epoch score", "expert"), "value"] > own.loc[("last epoch score", "random"), "value"]
    shortened = merged(TINY_DMC_ROBOT, {"eval_robot": {"most_steps": 10}})
    with pytest.raises(ConfigurationError, match=r"all of which are scored\. Remedy: leave it null"):
        run_pipeline("eval_robot_standalone", tmp_path, shortened)


@needs_dmc
@needs_rendering
def test_dm_control_itself(tmp_path: Path) -> None:
    """The same head on the exact state does what those that do not know the target cannot."""
    episodes = {
        "control_steps": 400,
        "action_repeat": 4,
        "success_score": 0.5,
        "noise": 0.3,
        "train_layouts": 25,
    }
    long = {"demonstrations": 25, "head": {"hidden": [256, 256], "length": 100, "evaluate_every": 100}}
    parameters = merged(TINY_DMC_ROBOT, {"robot_demos": {"dmc": episodes}})
    own = check_dmc(tmp_path, merged(parameters, {"eval_robot": {**long, "seeds": [0], "episodes": 4}}))
    scores = own.loc["last epoch score"]["value"]
    assert scores["expert"] > 80 and scores["state"] > max(scores["proprioception"], scores["random"]) + 20


@needs_metaworld
@needs_rendering
def test_metaworld_itself(tmp_path: Path) -> None:
    """The same head on the exact state does what those that see nothing of the scene cannot."""
    long = {"demonstrations": 4, "head": {"hidden": [64], "length": 200, "evaluate_every": 200}}
    check_metaworld(tmp_path, merged(TINY_METAWORLD_ROBOT, {"eval_robot": {**long, "seeds": [0]}}))
    summary = load("robot.summary", tmp_path)
    value = summary[(summary["task"] == "all") & (summary["measure"] == MEASURES[0])].set_index("encoder")[
        "value"
    ]
    assert value["expert"] == 100 and value["state"] >= value["proprioception"]
