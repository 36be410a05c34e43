"""A policy learns from what the miniature's expert did in CALVIN's world, and is evaluated there."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.project import load, merged, run_pipeline
from tests.helpers.vpp_policy import TINY_VPP_POLICY
from vidrep_pipelines.evaluation.calvin.tasks import calvin_tasks
from vidrep_pipelines.models.vpp.video.config import words_of

pytestmark = pytest.mark.slow

WORDS = sorted({word for task in calvin_tasks() for word in words_of(task.instruction)})
WORLD: dict[str, Any] = {
    "calvin": {
        "world": {"kind": "miniature", "miniature": {"static_size": 32, "gripper_size": 32}},
        "evaluation": {"sequences": 2, "block": 2, "resamples": 50, "rollout": {"most_steps": 60}},
        "policy": {"floor_sequences": 1},
        "recording": {"sequences": 1, "panel": 32},
    },
    "fanout": {"engine": "serial"},
    "tracking": {"enabled": False},
}


def learning_from(folder: Path) -> dict[str, Any]:
    """The policy's parameters for a LeRobotDataset of the miniature, and its evaluation in the miniature."""
    own = {
        "robot_episodes": {
            "with_tabletop": False,
            "lerobot": {"miniature": {"folder": str(folder)}},
            "store": {"split": {"validation": 0.2, "test": 0.2}},
        },
        "vpp_video": {
            "mixture": {"datasets": "miniature"},
            "model": {"text": {"vocabulary": WORDS, "tokens": 16}},
        },
        "policy_items": {"items": {"data_sets": ["miniature"], "actions": {"kind": "calvin"}}},
        "vpp_policy": {"goal": {"vocabulary": WORDS, "tokens": 16}},
        "calvin": {"policy": {"kind": "trained"}},
    }
    return merged(TINY_VPP_POLICY, WORLD, own)


def test_demonstrations_become_a_policy_that_is_evaluated_beside_the_floors(tmp_path: Path) -> None:
    demonstrations = tmp_path / "lerobot"
    export = {"calvin": {"export": {"lerobot": str(demonstrations)}}}
    run_pipeline("eval_calvin_baselines", tmp_path, merged(WORLD, export))
    parameters = learning_from(demonstrations)
    run_pipeline("pretrain_vpp_policy", tmp_path, parameters)
    run_pipeline("eval_calvin", tmp_path, parameters)

    assert set(load("robot_frames", tmp_path).table["robot"]) == {"miniature"}
    rows = pd.read_parquet(tmp_path / "08_reporting/calvin/attempts.parquet")
    assert rows.groupby("policy")["sequence"].nunique().to_dict() == {"trained": 2, "random": 1, "still": 1}
    settings = json.loads((tmp_path / "08_reporting/calvin/settings.json").read_text())
    assert settings["trained"]["policy"]["policy"] == load("vpp_policy_checkpoint", tmp_path).digest
    film = tmp_path / "07_model_output/calvin/films/trained/0000.mp4"
    assert film.stat().st_size > 1000
