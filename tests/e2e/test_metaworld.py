"""Video Prediction Policy in MetaWorld and in DM Control, from demonstrations to closed loop."""

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.dmc_world import use_fake_dmc
from tests.helpers.metaworld import needs_metaworld, needs_rendering, use_fake_metaworld
from tests.helpers.project import load, merged, run_pipeline
from tests.helpers.vpp_policy import TINY_VPP_POLICY

pytestmark = pytest.mark.slow

WORDS = ["button", "push", "reach", "red", "target", "the"]

TINY_METAWORLD: dict[str, Any] = merged(
    TINY_VPP_POLICY,
    {
        "robot_episodes": {
            "metaworld": {
                "tasks": ["reach-v3", "button-press-v3"],
                "pictures": {"width": 32, "height": 32, "field_of_view": 25.0},
                "train_layouts": 2,
                "validation_layouts": 1,
                "test_layouts": 1,
            }
        },
        "vpp_video": {"mixture": {"datasets": "metaworld"}, "model": {"text": {"vocabulary": WORDS}}},
        "policy_items": {"items": {"data_sets": ["metaworld"], "episodes": None}},
        "vpp_policy": {"goal": {"vocabulary": WORDS}},
        "rollout": {
            "world": "metaworld",
            "episodes": 1,
            "conditions": ["trained", "swapped", "still", "scripted"],
            "rollout": {"execute_steps": 10, "most_steps": 120},
        },
    },
)


DMC_WORDS = ["arm", "balance", "bring", "pole", "target", "the", "to"]

TINY_DMC_POLICY: dict[str, Any] = merged(
    TINY_VPP_POLICY,
    {
        "robot_episodes": {
            "dmc": {
                "pictures": {"width": 32, "height": 32},
                "control_steps": 80,
                "action_repeat": 2,
                "noise": 0.0,
                "train_layouts": 3,
                "validation_layouts": 2,
                "test_layouts": 3,
            }
        },
        "vpp_video": {"mixture": {"datasets": "dmc"}, "model": {"text": {"vocabulary": DMC_WORDS}}},
        "policy_items": {"items": {"data_sets": ["dmc"], "episodes": None}},
        "vpp_policy": {"goal": {"vocabulary": DMC_WORDS}},
        "rollout": {
            "world": "dmc",
            "part": "test",
            "episodes": 3,
            "conditions": ["trained", "untrained", "swapped", "uniform", "still", "scripted"],
            "rollout": {"execute_steps": 10, "most_steps": 40},
        },
    },
)


def check_rollouts(data: Path) -> None:
    """Every condition attempted the held-out layout of both tasks; the ceiling is 1, the floor 0."""
    rows, successes = load("rollout.rows", data), load("rollout.successes", data)
    assert list(rows["condition"].unique()) == ["trained", "swapped", "still", "scripted"]
    assert rows.groupby("condition")["task"].apply(list).to_dict() == {
        name: ["reach-v3", "button-press-v3"] for name in rows["condition"].unique()
    }
    shares = successes[successes["task"] == "all"].set_index("condition")["success"]
    assert shares["scripted"] == 1.0 and shares["still"] == 0.0
    told = rows.set_index(["condition", "task"])["instruction"]
    assert told["trained", "reach-v3"] == told["swapped", "button-press-v3"] == "reach the red target"
    settings = load("rollout.settings", data)
    assert settings["trained"]["renderer"] == "metaworld/fast_32x32"


def test_layouts_in_which_the_expert_fails_are_named_and_the_others_are_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_fake_metaworld(monkeypatch)
    run_pipeline("eval_rollout", tmp_path, TINY_METAWORLD)
    check_rollouts(tmp_path)
    left_out = load("robot_episodes.report", tmp_path)["left_out"]
    assert left_out.keys() == {
        f"metaworld/{name}/0000{number}"
        for name, number in (("reach-v3/train", 1), ("reach-v3/test", 0), ("button-press-v3/train", 0))
    }
    assert all("the expert did not do its task" in reason for reason in left_out.values())
    assert set(load("robot_frames", tmp_path).table["robot"]) == {"metaworld"}
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_rollout", tmp_path, TINY_METAWORLD)
    assert "training is up to date" in caplog.text and "rollouts: up to date" in caplog.text


def test_dm_control_by_a_fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    run_pipeline("eval_rollout", tmp_path, TINY_DMC_POLICY)
    rows = load("rollout.rows", tmp_path)
    assert set(rows["steps"]) == {40} and set(rows["renderer"]) == {"dmc/fast_32x32"}
    scores = rows.groupby("condition")["score"].mean()
    assert set(scores.index) == set(TINY_DMC_POLICY["rollout"]["conditions"])
    assert scores["scripted"] > 0.5 and scores["still"] == 0
    assert set(load("robot_frames", tmp_path).table["robot"]) == {"dmc"}


@needs_metaworld
@needs_rendering
def test_metaworld_itself(tmp_path: Path) -> None:
    run_pipeline("eval_rollout", tmp_path, TINY_METAWORLD)
    check_rollouts(tmp_path)
    report = load("robot_episodes.report", tmp_path)
    assert report["left_out"] == {} and report["episodes"] == 8
    store = load("robot_frames", tmp_path)
    assert all(store.states(name).shape[1] == store.actions(name).shape[1] == 4 for name in store.ids)
    assert {store.episode(name).success for name in store.ids} == {True}
