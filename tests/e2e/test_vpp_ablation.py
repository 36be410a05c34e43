"""``kedro run --pipelines ablate_vpp_policy``: what it writes, and what a second run does."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.project import load, run_pipeline
from tests.helpers.vpp_ablation import TINY_VPP_ABLATION

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vpp_ablation")
    run_pipeline("ablate_vpp_policy", folder, TINY_VPP_ABLATION)
    return folder


def test_one_table_has_all_policies_and_horizons(data: Path) -> None:
    table = load("ablate_vpp_policy.table", data)
    names = [f"{row.policy}/{row.execute_steps}" for row in table.itertuples()]
    first = ["demonstrations_100/4", "demonstrations_25/4", "pixels/4", "causal/4", "updates_2/4"]
    assert names == [*first, "causal/2"]
    differs = ["", "demonstrations", "features", "cross_causal", "updates", "cross_causal, execute_steps"]
    assert table["differs_in"].tolist() == differs
    assert (table["low"] <= table["success"]).all() and (table["success"] <= table["high"]).all()
    assert table["difference"].iloc[0] == 0 and table["episodes"].tolist() == [2] * 6
    metrics = load("ablate_vpp_policy.eval_metrics", data)
    assert metrics["success/pixels/execute_4"] == table["success"].iloc[2]
    with Image.open(data / "08_reporting/ablate_vpp_policy/table.png") as image:
        assert np.ptp(np.asarray(image)) > 100


def test_every_policy_is_a_checkpoint_of_its_own(data: Path) -> None:
    policies = load("ablate_vpp_policy_checkpoints", data)
    assert list(policies) == ["demonstrations_100", "demonstrations_25", "pixels", "causal", "updates_2"]
    assert len({policy.digest for policy in policies.values()}) == 5
    log = load("ablate_vpp_policy.train_log", data)
    assert list(log["policy"].unique()) == list(policies)


def test_scores_of_the_video_model_stand_beside_success_over_its_updates(data: Path) -> None:
    scores = load("ablate_vpp_policy.instruction_scores", data)
    assert scores["updates"].tolist() == [2, 3] * 3
    assert scores["policy"].tolist() == ["updates_2", "demonstrations_100"] * 3
    table = load("ablate_vpp_policy.table", data).drop_duplicates("policy").set_index("policy")
    assert scores["success"].tolist() == table.loc[scores["policy"], "success"].tolist()
    assert table.loc["updates_2", "updates"] == 2 and table.loc["demonstrations_100", "updates"] == 3
    assert scores["value"].between(0, 1).all() and (scores["tables"] == 1).all()
    assert load("ablate_vpp_policy.instruction_metrics", data).keys() == set(scores["measure"])
    [early] = load("ablate_vpp_policy.video_models", data).values()
    last = load("vpp_video_checkpoint", data)
    assert early.meta["step"] == 2 and early.config == last.config and early.digest != last.digest
    with Image.open(data / "08_reporting/ablate_vpp_policy/instruction_scores.png") as image:
        assert np.ptp(np.asarray(image)) > 100


def test_a_second_run_does_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("ablate_vpp_policy", data, TINY_VPP_ABLATION)
    for line in ("feature sets: ", "rollouts: ", "tables: ", "instruction scores: "):
        assert f"{line}up to date" in caplog.text
    assert caplog.text.count("vpp_policy: training is up to date") == 5
