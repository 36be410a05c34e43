"""``eval_calvin_baselines`` and ``check_calvin``: what they write, and what a second run does."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.project import merged, run_pipeline
from vidrep_pipelines.data.sources.lerobot.episodes import list_lerobot_episodes

pytestmark = pytest.mark.slow

REPORTS = "08_reporting/calvin_baselines"
TINY: dict[str, Any] = {
    "calvin": {
        "world": {"kind": "miniature", "miniature": {"static_size": 16, "gripper_size": 16}},
        "evaluation": {"sequences": 3, "block": 2, "resamples": 50, "rollout": {"most_steps": 120}},
        "policy": {"floor_sequences": 2},
        "recording": {"sequences": 1, "panel": 32},
    },
    "fanout": {"workers": 1},
    "tracking": {"enabled": False},
}


def exporting(data: Path) -> dict[str, Any]:
    return merged(TINY, {"calvin": {"export": {"lerobot": str(data / "lerobot")}}})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calvin")
    run_pipeline(["check_calvin", "eval_calvin_baselines"], folder, exporting(folder))
    return folder


def test_the_expert_stands_beside_the_floors(data: Path) -> None:
    rows = pd.read_parquet(data / REPORTS / "attempts.parquet")
    assert rows.groupby("policy")["sequence"].nunique().to_dict() == {"expert": 3, "random": 2, "still": 2}
    lengths = pd.read_parquet(data / REPORTS / "lengths.parquet").set_index("policy")
    assert lengths["average_length"].to_dict() == {"expert": 5, "random": 0, "still": 0}
    chains = pd.read_parquet(data / REPORTS / "chains.parquet")
    assert len(chains) == 15 and chains["tasks_in_a_row"].max() == 5
    metrics = json.loads((data / REPORTS / "metrics.json").read_text())
    assert metrics["expert"]["success_5"] == 1
    settings = json.loads((data / REPORTS / "settings.json").read_text())
    assert {name: own["digest"] for name, own in settings.items()} == dict(
        rows.groupby("policy")["settings"].first()
    )
    with Image.open(data / REPORTS / "success.png") as picture:
        assert np.ptp(np.asarray(picture.convert("L"))) > 100


def test_attempts_are_filmed_and_exported(data: Path) -> None:
    film = data / "07_model_output/calvin_baselines/films/expert/0000.mp4"
    assert film.stat().st_size > 1000
    assert json.loads((data / REPORTS / "export.json").read_text())["episodes"] == 5
    assert len(list_lerobot_episodes(data / "lerobot")) == 5


def test_the_world_was_looked_at(data: Path) -> None:
    facts = json.loads((data / "08_reporting/calvin/check.json").read_text())
    assert facts["renderer"] == "miniature" and facts["replayed"] == facts["succeeded"] == 27


def test_only_what_changed_is_attempted_again(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_calvin_baselines", data, exporting(data))
    assert "calvin sequences: up to date" in caplog.text
    assert "recorded sequences: up to date" in caplog.text
    caplog.clear()
    more = {"calvin": {"policy": {"floor_sequences": 3}}}
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_calvin_baselines", data, merged(exporting(data), more))
    assert "calvin sequences: 6 items, 4 done before, 2 done now" in caplog.text
