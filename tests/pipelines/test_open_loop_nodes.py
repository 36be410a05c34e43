"""Replay and service through their nodes, on a policy as training leaves it."""

import os
from pathlib import Path
from typing import Any

import pytest
from PIL.Image import Image

from tests.models.vpp.policy.trained import demonstrations, make_policy_task, publish_policy
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.downstream_eval import open_loop_nodes
from vidrep_pipelines.pipelines.downstream_eval.open_loop_nodes import OpenLoopParameters
from vidrep_pipelines.pipelines.downstream_eval.open_loop_pipeline import create_open_loop_pipeline
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.pipelines.serve import policy_nodes
from vidrep_pipelines.training.config import LaunchConfig

Trained = tuple[Checkpoint, Checkpoint, Checkpoint, FrameStore]
EPISODES = RobotEpisodesConfig.model_validate({"tabletop": {"table": {"cameras": ["front", "side"]}}})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("nodes")
    sources = demonstrations(folder)
    policy = publish_policy(make_policy_task(sources, folder / "features"), folder / "policy")
    return policy, sources.checkpoint, sources.codec, sources.store


def test_recorded_episodes_to_errors_and_a_picture(trained: Trained) -> None:
    parameters = OpenLoopParameters(split="validation", resamples=100)
    rows = open_loop_nodes.replay_recorded(*trained, parameters, EPISODES, LaunchConfig(device="cpu"))
    errors, metrics = open_loop_nodes.measure_replay(rows, parameters, TrackingConfig())
    assert rows["episode"].nunique() == 1 and set(errors["part"]) == {"all", "dimension", "step"}
    assert metrics["absolute_error_policy"] > 0
    assert isinstance(open_loop_nodes.draw_replay(rows, errors, RobotEpisodesConfig()), Image)


def test_what_goes_in_and_comes_out() -> None:
    pipeline = create_open_loop_pipeline()
    assert {name for name in pipeline.inputs() if not name.startswith("params:")} == {
        *("vpp_policy_checkpoint", "vpp_video_checkpoint", "video_codec", "robot_frames")
    }
    assert pipeline.outputs() == {"open_loop.eval_metrics", "open_loop.chart"}


def test_a_trained_policy_is_served(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("fastapi", "msgpack", "prometheus_client", "uvicorn", "websockets"):
        pytest.importorskip(module, reason="the extra 'serve' is not installed")
    served: dict[str, Any] = {}

    def serve(policy: Any, identity: str, config: Any) -> None:
        served.update(policy=policy, identity=identity, config=config)

    monkeypatch.setattr("vidrep_pipelines.serving.server.serve_policy", serve)
    parameters = policy_nodes.ServePolicyParameters.model_validate(
        {"port": 0, "vla_eval": {"execute_steps": 3}}
    )
    policy_nodes.serve_trained_policy(*trained[:3], parameters, EPISODES, LaunchConfig(device="cpu"))
    assert served["policy"].chunk_length == 3 and served["config"].port == 0
    other = parameters.model_copy(update={"cameras": ("side", "front")})
    before = served["identity"]
    policy_nodes.serve_trained_policy(*trained[:3], other, EPISODES, LaunchConfig(device="cpu"))
    assert served["identity"] != before and os.fspath(Path.cwd()) not in before
