"""The pipelines of the policy: what they write, what a second run does, and features that are not stored."""

import logging
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.notebooks import check_runs
from tests.helpers.project import ROOT, kill_group, load, merged, run_pipeline, start_kedro, wait_until
from tests.helpers.vpp_policy import TINY_VPP_POLICY
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.checkpoint_io import read_policy
from vidrep_pipelines.models.vpp.policy.inference import load_policy_model
from vidrep_pipelines.serving.client import PolicyClient
from vidrep_pipelines.training.sinks import read_rows

pytestmark = pytest.mark.slow
CONDITIONS = ["trained", "swapped", "still", "scripted", "scripted_coded"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vpp_policy")
    run_pipeline("eval_rollout", folder, TINY_VPP_POLICY)
    return folder


def test_pictures_log_and_measurements(data: Path) -> None:
    for name in ("vpp_policy/loss_curves.png", "vpp_policy/predictions.png", "rollout/successes.png"):
        with Image.open(data / "08_reporting" / name) as image:
            low, high = image.convert("L").getextrema()
        assert high - low > 100, name
    rows = read_rows(data / "06_models/vpp_policy/run/train_log.jsonl")
    assert [row["step"] for row in rows if "probe/action_error" in row] == [2, 3]
    assert rows[-1]["probe/mean_action_error"] > 0


def test_every_episode_is_a_row_beside_its_floors(data: Path) -> None:
    rows, successes = load("rollout.rows", data), load("rollout.successes", data)
    assert list(rows["condition"].unique()) == CONDITIONS and len(rows) == 10
    shares = successes[successes["task"] == "all"].set_index("condition")["success"]
    assert shares["scripted"] == 1.0 and shares["still"] == 0.0
    metrics = load("rollout.eval_metrics", data)
    assert metrics["lead_over_scripted"] == shares["trained"] - 1.0
    settings = load("rollout.settings", data)
    assert settings["trained"]["renderer"] == "sample_world/plain_32x32"
    assert settings["trained"]["policy"]["policy"] == load("vpp_policy_checkpoint", data).digest


def test_films_show_what_was_seen_and_imagined(data: Path) -> None:
    films = load("rollout.films", data)
    assert films.ids == ["trained/00000"] and films.path("trained/00000").stat().st_size > 1000


def test_the_notebook_runs(data: Path) -> None:
    check_runs(ROOT / "notebooks/vpp_policy.ipynb", data, {"seen", "planned", "chart", "film"})


def test_a_second_run_does_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_rollout", data, TINY_VPP_POLICY)
    for line in ("features: ", "training is ", "rollouts: "):
        assert f"{line}up to date" in caplog.text


def test_recorded_episodes_pass_by_the_policy(data: Path) -> None:
    run_pipeline("eval_open_loop", data, merged(TINY_VPP_POLICY, {"open_loop": {"split": "validation"}}))
    rows, errors = load("open_loop.rows", data), load("open_loop.errors", data)
    assert rows["episode"].nunique() == 2 and np.isfinite(rows["policy"]).all()  # the validation tables
    whole = errors[(errors["part"] == "all") & (errors["measure"] == "absolute")].set_index("predictor")
    away = (rows["policy"] - rows["recorded"]).abs().groupby(rows["episode"])
    assert whole.loc["policy", "value"] == pytest.approx(away.sum().sum() / away.count().sum())
    with Image.open(data / "08_reporting/open_loop/open_loop.png") as image:
        assert np.ptp(np.asarray(image.convert("L"))) > 100


def test_a_run_serves_the_policy_until_it_is_told_to_end(data: Path) -> None:
    log, parameters = data / "served.txt", {"serve_policy": {"port": 0}, "launch": {"device": "cpu"}}
    process = start_kedro("serve_policy", data, parameters, log)
    try:
        assert wait_until(lambda: "Policies are served at" in log.read_text()), log.read_text()
        address = log.read_text().split("Policies are served at ")[1].split(";")[0].strip()
        store = load("robot_frames", data)
        state = store.states(store.ids[0])[0].tolist()
        picture = np.full((32, 32, 3), 127, np.uint8)
        client = PolicyClient(address, rate=5, timeout=60)
        chunk = client.plan({"front": picture}, "push the red ball to the left", state)
        assert chunk.shape == (10, store.actions(store.ids[0]).shape[1]) and np.isfinite(chunk).all()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            kill_group(process)
    assert "The service has ended." in log.read_text()


PUBLISHED = {
    "vpp_policy": {
        "knows_places": False,
        "model": {
            "former": {
                **{"kind": "3d", "places": None, "components": None},
                **{"width": 16, "depth": 1, "heads": 2, "head_width": 8},
            },
            "denoiser": {"action_positions": False},
        },
    }
}


def test_export_has_the_originals_names(data: Path) -> None:
    with pytest.raises(ConfigurationError, match="original knows no encodings"):
        run_pipeline("export_vpp_policy", data, TINY_VPP_POLICY)
    run_pipeline("export_vpp_policy", data, merged(TINY_VPP_POLICY, PUBLISHED))
    model = load_policy_model(load("vpp_policy_checkpoint", data))
    path = data / "07_model_output/vpp_policy/original_checkpoint.pth"
    assert "Video_Former.latents" in torch.load(path, weights_only=True)["model"]
    again = read_policy(path, model.config).build()
    for name, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_features_are_computed_while_training(data: Path) -> None:
    computed = {"vpp_features": {"store": False, "noise": {"kind": "fresh"}}}
    run_pipeline("pretrain_vpp_policy", data, merged(TINY_VPP_POLICY, computed))
    seen = load("vpp_policy.seen", data)
    assert seen["stored"] is None and seen["video_model"]["read"]["noise"]["kind"] == "fresh"
    assert load("vpp_features.report", data) == {"stored": False}
    assert load("vpp_policy_checkpoint", data).config["seen"]["digest"] == seen["digest"]
