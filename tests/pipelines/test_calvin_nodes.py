"""The nodes of the evaluation on CALVIN, in the miniature."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.calvin_world import Unwilling
from tests.helpers.stores import SERIAL
from vidrep_pipelines.common.errors import MissingExtraError
from vidrep_pipelines.data.sources.lerobot.episodes import list_lerobot_episodes
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy
from vidrep_pipelines.evaluation.rollouts.recording import load_attempts
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.downstream_eval import calvin_nodes as nodes
from vidrep_pipelines.pipelines.downstream_eval.calvin_pipeline import (
    create_calvin_baselines_pipeline,
    create_calvin_check_pipeline,
    create_calvin_pipeline,
)
from vidrep_pipelines.training.config import LaunchConfig

LAUNCH = LaunchConfig(device="cpu")
TRACKING = TrackingConfig(enabled=False)


@dataclass(frozen=True)
class TinyPolicyMaker:
    """Stands where the adapter of Video Prediction Policy stands: the same fields, an expert's actions."""

    policy: Path
    video_model: Path
    codec: Path
    cameras: tuple[str, ...]
    sampling: ActionSamplingConfig
    device: str

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"policy": self.policy.name, "cameras": self.cameras}

    def make(self) -> ChunkPolicy:
        return Unwilling(("open_drawer", "turn_on_led"))


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkpoint, Checkpoint, Checkpoint]:
    adapter = ModuleType("vpp_policy")
    adapter.VppPolicyMaker = TinyPolicyMaker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vidrep_pipelines.adapters.vpp_policy", adapter)
    names = ("policy", "video", "codec")
    policy, video, codec = (Checkpoint(tmp_path / "checkpoints" / name, {}, {}) for name in names)
    return policy, video, codec


def parameters(**changes: Any) -> nodes.CalvinParameters:
    own: dict[str, Any] = {
        "world": {"kind": "miniature"},
        "evaluation": {"sequences": 4, "block": 2, "resamples": 20, "rollout": {"most_steps": 90}},
        "policy": {"floors": ["still"], "floor_sequences": 2},
        "recording": {"sequences": 1, "panel": 32},
    }
    return nodes.CalvinParameters.model_validate({**own, **changes})


def test_a_trained_policy_is_evaluated_beside_floors(
    checkpoints: tuple[Checkpoint, Checkpoint, Checkpoint], tmp_path: Path
) -> None:
    asked = parameters(cameras=["rgb_gripper"])
    job = nodes.evaluate_policy(*checkpoints, asked, LAUNCH, SERIAL)
    maker = job.items[0].payload.policy
    assert maker.policy == tmp_path / "checkpoints/policy" and maker.codec == tmp_path / "checkpoints/codec"
    assert (maker.cameras, maker.sampling, maker.device) == (("rgb_gripper",), asked.sampling, "cpu")
    blocks = run_job(job, tmp_path / "blocks")
    rows, sequences, chains, lengths, tasks, numbers = nodes.report_sequences(blocks, asked, TRACKING)
    assert rows.groupby("policy", sort=False)["sequence"].nunique().to_dict() == {"trained": 4, "still": 2}
    assert lengths["policy"].tolist() == ["trained", "still"] and len(chains) == 10
    own, floor = lengths["average_length"].tolist()
    assert own == sequences.loc[sequences["policy"] == "trained", "completed"].mean()
    assert own > floor == 0 and numbers["trained"]["average_length"] == own
    settings = nodes.state_policy_settings(*checkpoints, asked, LAUNCH)
    assert settings["trained"]["digest"] == rows.loc[0, "settings"] == job.items[0].digest
    assert settings["trained"]["policy"] == {"policy": "policy", "cameras": ("rgb_gripper",)}
    assert min(nodes.draw_sequences(chains, lengths, tasks, asked).size) > 300


def test_baselines_are_the_expert_and_the_floors(tmp_path: Path) -> None:
    asked = parameters()
    job = nodes.evaluate_baselines(asked, SERIAL)
    rows, *_, numbers = nodes.report_sequences(run_job(job, tmp_path), asked, TRACKING)
    assert rows.loc[rows["policy"] == "expert", "success"].all()
    assert (numbers["expert"]["average_length"], numbers["still"]["average_length"]) == (5, 0)
    digests = {name: own["digest"] for name, own in nodes.state_baseline_settings(asked).items()}
    assert digests == rows.groupby("policy")["settings"].first().to_dict()


def test_a_policy_that_is_not_trained_loads_no_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vidrep_pipelines.adapters.vpp_policy", None)
    nothing = Checkpoint(Path("nowhere"), {}, {})
    asked = parameters(policy={"kind": "expert", "floors": []})
    job = nodes.evaluate_policy(nothing, nothing, nothing, asked, LAUNCH, SERIAL)
    assert [item.id for item in job.items] == ["expert/0000-0001", "expert/0002-0003"]


def test_attempts_of_the_policy_are_filmed_and_not_those_of_floors(
    checkpoints: tuple[Checkpoint, Checkpoint, Checkpoint], tmp_path: Path
) -> None:
    job = nodes.film_policy(*checkpoints, parameters(), LAUNCH, SERIAL)
    assert [item.id for item in job.items] == ["trained/0000"]
    films = run_job(nodes.film_baselines(parameters(), SERIAL), tmp_path / "films")
    assert films.ids == ["expert/0000"] and films.path("expert/0000", ".mp4").stat().st_size > 1000


def test_filmed_attempts_are_exported_where_that_is_asked_for(tmp_path: Path) -> None:
    assert nodes.export_attempts_of_films(Parts(tmp_path, pd.DataFrame(), ()), parameters()) == {
        "lerobot": None
    }
    asked = parameters(export={"lerobot": tmp_path / "lerobot"})
    films = run_job(nodes.film_baselines(asked, SERIAL), tmp_path / "films")
    said = nodes.export_attempts_of_films(films, asked)
    sources = list_lerobot_episodes(tmp_path / "lerobot")
    attempts = load_attempts(films.path("expert/0000", ".npz"))
    assert said["lerobot"] == (tmp_path / "lerobot").as_posix()
    assert said["episodes"] == len(sources) == len(attempts) == 5
    for source, attempt in zip(sources, attempts, strict=True):
        with source.open() as episode:
            np.testing.assert_allclose(episode.actions, attempt.actions, atol=1e-6)
            np.testing.assert_allclose(episode.states, attempt.states[:-1, :15], atol=1e-6)
            assert episode.annotations.segments[0].text == attempt.record.instruction


def test_the_miniature_is_what_it_should_be() -> None:
    facts = nodes.check_calvin_world(parameters(world={"kind": "miniature", "miniature": {"static_size": 8}}))
    assert facts["renderer"] == "miniature" and facts["pictures"]["rgb_static"] == [8, 8]
    assert facts["replayed"] == facts["succeeded"] == 27


def test_a_simulator_that_is_not_there_is_said_before_a_long_run() -> None:
    with pytest.raises(MissingExtraError, match=r"Remedy: the simulator is in no package index"):
        nodes.check_calvin_world(parameters(world={"kind": "simulator"}))


def test_what_pipelines_need() -> None:
    trained = {name for name in create_calvin_pipeline().inputs() if not name.startswith("params:")}
    assert trained == {"vpp_policy_checkpoint", "vpp_video_checkpoint", "video_codec"}
    for pipeline in (create_calvin_baselines_pipeline(), create_calvin_check_pipeline()):
        assert all(name.startswith("params:") for name in pipeline.inputs())
    made = create_calvin_pipeline().all_outputs() & create_calvin_baselines_pipeline().all_outputs()
    assert not made, "one would overwrite what the other made"
