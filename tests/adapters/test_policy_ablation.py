"""Policies in closed loop, and the table of what they reached."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.adapters.policy_features import READ, earlier_model, pixel_encoders, sources_of, with_updates
from tests.adapters.test_policy_ablation_config import config
from tests.models.vpp.policy.trained import ITEMS, demonstrations, make_policy_task
from tests.training.toy_task import TOY_TRAIN, toy_spec
from vidrep_pipelines.adapters.policy_ablation import (
    FeaturePolicyMaker,
    ablation_conditions,
    ablation_metrics,
    ablation_table,
    kept_video_models,
)
from vidrep_pipelines.adapters.policy_features import ablation_sources
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopEpisodesConfig
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.task import PolicyTask
from vidrep_pipelines.training.checkpoint import checkpoint_path
from vidrep_pipelines.training.config import TrainConfig, TrainSpec
from vidrep_pipelines.training.loop import run_training

WORLD = TabletopEpisodesConfig(
    table=TabletopConfig(width=32, height=32, objects_max=2, cameras=("front",)), test_tables=3
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    return demonstrations(tmp_path_factory.mktemp("ablated"))


@pytest.fixture(scope="module")
def task(video: FeatureSources, tmp_path_factory: pytest.TempPathFactory) -> PolicyTask:
    return make_policy_task(video, tmp_path_factory.mktemp("features"))


def specs(task: PolicyTask) -> dict[str, Any]:
    def spec(episodes: int | None) -> dict[str, Any]:
        own = task.model_copy(update={"items": ITEMS.model_copy(update={"episodes": episodes})})
        planned = TrainSpec.of(
            own, train=TrainConfig(steps=1), run_directory=Path("run"), report_directory=Path("reports")
        )
        return planned.model_dump(mode="json")

    return {"ours": spec(None), "few": spec(25), "pixels": spec(None)}


def rows(**success: list[bool]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"condition": name.replace("__", "/"), "task": "lift_up", "episode": f"t/{number}",
             "renderer": "r", "success": done, "steps": 9}
            for name, own in success.items()
            for number, done in enumerate(own)
        ]
    )  # fmt: skip


def test_every_row_is_compared_with_the_reference(task: PolicyTask, video: FeatureSources) -> None:
    sources = sources_of(video)
    ablation = config(swept=["ours"], execute_steps=[2])
    found = rows(
        few__execute_5=[True, False, False, False],
        ours__execute_5=[True, True, True, False],
        pixels__execute_5=[False] * 4,
        ours__execute_2=[True, True, True, True],
    )
    table = ablation_table(found, ablation, specs(task), sources)
    assert table["policy"].tolist() == ["ours", "few", "pixels", "ours"]
    assert table["differs_in"].tolist() == ["", "demonstrations", "features", "execute_steps"]
    assert table["difference"].tolist() == [0.0, -0.5, -0.75, 0.25]
    assert table["demonstrations"].tolist() == [pd.NA, 25, pd.NA, pd.NA]
    assert table["updates"].tolist() == [3, 3, pd.NA, 3]
    assert table["only_reference"].tolist() == [0, 2, 3, 0] and table["only_here"].tolist() == [0, 0, 0, 1]
    inside = table["difference_low"].le(table["difference"]) & table["difference"].le(
        table["difference_high"]
    )
    assert inside.all()
    metrics = ablation_metrics(table)
    assert metrics["success/ours/execute_2"] == 1.0 and metrics["difference/few/execute_5"] == -0.5
    with pytest.raises(InputError, match="no episodes of few/execute_5"):
        ablation_table(found[found["condition"] != "few/execute_5"], ablation, specs(task), sources)


def test_features_that_differ_in_updates_are_said_to_differ_in_these(
    task: PolicyTask, video: FeatureSources, tmp_path: Path
) -> None:
    ablation = with_updates(2).model_copy(update={"use": ("reference", "updates_2", "untrained", "draws")})
    early = {2: earlier_model(video.checkpoint, tmp_path / "early", 2)}
    sources = ablation_sources(ablation, video, pixel_encoders(), READ, early)
    found = rows(**{f"{name}__execute_5": [True, False] for name in ablation.used})
    plain = dict.fromkeys(ablation.used, specs(task)["ours"])
    table = ablation_table(found, ablation, plain, sources).set_index("policy")
    assert table["differs_in"].to_dict() == {
        **{"reference": "", "updates_2": "updates"},
        **{"untrained": "features", "draws": "features"},
    }
    assert table["updates"].to_dict() == {"reference": 3, "updates_2": 2, "untrained": 0, "draws": 3}


def test_a_video_model_that_was_not_kept_is_named_with_the_remedy(tmp_path: Path) -> None:
    train = TOY_TRAIN.model_copy(update={"keep_checkpoints": 1, "keep_every": 2})
    spec = toy_spec(tmp_path, train=train)
    result = run_training(spec)  # of its 12 updates, those after 8 and 12 are kept
    end = Checkpoint(tmp_path, {}, {"digest": result.digest, "step": 12})
    kept = kept_video_models(with_updates(8, 12), end, spec)
    assert kept == {8: checkpoint_path(tmp_path / "run/checkpoints", 8)}
    assert kept_video_models(with_updates(), end, spec) == {}
    with pytest.raises(InputError, match=r"features\.updates_4 .* after 4 of its 12 .* after 8, 12\. Remedy"):
        kept_video_models(with_updates(4), end, spec)
    another = Checkpoint(tmp_path, {}, {"digest": "another", "step": 12})
    with pytest.raises(InputError, match=r"vpp_video\.train\.keep_every"):
        kept_video_models(with_updates(8), another, spec)


def test_runs_share_tables_and_differ_in_policy_and_horizon(video: FeatureSources, tmp_path: Path) -> None:
    sources = sources_of(video)
    ablation = config(swept=["few"], execute_steps=[2], rollouts={"episodes": 3})
    policies = {name: Checkpoint(tmp_path / name, {}, {}) for name in ablation.used}
    conditions = ablation_conditions(ablation, policies, sources, WORLD, "cpu")
    assert [one.name for one in conditions] == [run.name for run in ablation.runs]
    assert all(one.starts == conditions[0].starts for one in conditions) and len(conditions[0].starts) == 3
    assert [one.config.execute_steps for one in conditions] == [5, 5, 5, 2]
    makers = [one.policy for one in conditions]
    assert all(isinstance(maker, FeaturePolicyMaker) for maker in makers)
    assert makers[1] == makers[3] != makers[0]
    expected = FeaturePolicyMaker((tmp_path / "pixels").absolute(), sources["pixels"], ("front",), None)
    assert makers[2] == expected  # sampled as each was measured
