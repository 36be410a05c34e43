"""What the ablation's nodes plan: every policy differs from the reference in what its name says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.policy_features import ABLATION, pixel_encoders, with_updates
from tests.helpers.stores import SERIAL
from tests.models.vpp.policy.trained import GOAL, ITEMS, MODEL_SIZES, demonstrations
from tests.training.toy_task import TOY_TRAIN, toy_spec
from vidrep_pipelines.common.digest import differences
from vidrep_pipelines.datasets.checkpoints import CheckpointsDataset
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.task import PolicyTask
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.downstream_eval import vpp_ablation_nodes as nodes
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.pipelines.pretrain.vpp_policy_nodes import PolicyParameters
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.loop import run_training

LAUNCH = LaunchConfig(device="cpu")
STORED = FeatureStoreConfig.model_validate({"reduction": {"grid": 2}})
PARAMETERS = PolicyParameters.model_validate(
    {
        "goal": GOAL,
        "model": MODEL_SIZES,
        "objective": {},
        "sampling": {},
        "validation": {"every_steps": None},
        "train": {"epochs": 3},
    }
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    return demonstrations(tmp_path_factory.mktemp("planned"))


@pytest.fixture(scope="module")
def specs(video: FeatureSources, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("folders")
    encoders = [source.model_dump(mode="json") for source in pixel_encoders()]
    store, shorter = video.store, ABLATION.model_copy(update={"train_steps": 7})
    model, codec = video.checkpoint, video.codec
    described = nodes.describe_feature_sets(model, {}, codec, store, encoders, shorter, STORED)
    features = ResumableParts(filepath=(folder / "features").as_posix())
    features.save(nodes.extract_feature_sets(described, store, ITEMS, shorter, STORED, LAUNCH, SERIAL))
    return nodes.plan_policies(
        described,
        features.load(),
        store,
        ITEMS,
        shorter,
        PARAMETERS,
        RobotEpisodesConfig(),
        LAUNCH,
        FoldersConfig(models=folder / "models", reporting=folder / "reporting"),
    )


def test_every_policy_differs_from_the_reference_in_what_its_name_says(specs: dict[str, Any]) -> None:
    tasks = {name: PolicyTask.model_validate(spec["task_config"]) for name, spec in specs.items()}
    reference = tasks["reference"]
    assert list(tasks) == list(ABLATION.policies)
    few, causal, pixels = tasks["few"], tasks["causal"], tasks["pixels"]
    assert (few.items.episodes, reference.items.episodes) == (1, 2)
    assert few.statistics.items < reference.statistics.items
    assert few.model == reference.model and few.seen == reference.seen
    assert causal.model.denoiser.cross_causal and not reference.model.denoiser.cross_causal
    assert differences(reference, causal) == ["model.denoiser.cross_causal: False -> True"]
    assert (pixels.model.former.frames, pixels.model.former.features) == (1, 12 + 2)
    assert pixels.seen.video_model is None and reference.seen.video_model is not None
    assert tasks["first_frame"].model.former.frames == 1 < reference.model.former.frames
    assert len({task.seen.digest for task in tasks.values()}) == 5


def test_every_policy_has_a_run_of_its_own_and_the_same_length(specs: dict[str, Any]) -> None:
    assert len({spec["run_directory"] for spec in specs.values()}) == len(specs)
    assert all(Path(spec["run_directory"]).parts[-3:-1] == ("ablate_vpp_policy", name)
               for name, spec in specs.items())  # fmt: skip
    assert {(spec["train"]["steps"], spec["train"]["epochs"]) for spec in specs.values()} == {(7, None)}


@pytest.mark.parametrize(("ema_decay", "weights"), [(None, "model.safetensors"), (0.5, "ema.safetensors")])
def test_a_video_model_before_the_end_of_its_training_is_published_as_the_last_one_is(
    video: FeatureSources, tmp_path: Path, ema_decay: float | None, weights: str
) -> None:
    spec = toy_spec(tmp_path, train=TOY_TRAIN.model_copy(update={"ema_decay": ema_decay}))
    result = run_training(spec)
    end = replace(video.checkpoint, meta={"system": "toy", "digest": result.digest, "step": 12})
    sources = nodes.publish_earlier_video_models(end, spec.model_dump(mode="json"), with_updates(8, 12))
    dataset = CheckpointsDataset(filepath=(tmp_path / "published").as_posix())
    dataset.save(sources)
    [(name, early)] = dataset.load().items()
    assert name == "updates_8" and early.config == end.config
    assert early.meta == {"system": "toy", "digest": result.digest, "step": 8}
    kept = tmp_path / "run/checkpoints/step-00000008" / weights
    assert early.weights.read_bytes() == kept.read_bytes() != (result.checkpoint / weights).read_bytes()


def test_nothing_is_published_where_nothing_is_asked_for(video: FeatureSources, tmp_path: Path) -> None:
    spec = toy_spec(tmp_path).model_dump(mode="json")
    dataset = CheckpointsDataset(filepath=(tmp_path / "published").as_posix())
    dataset.save(nodes.publish_earlier_video_models(video.checkpoint, spec, ABLATION))
    assert dataset.load() == {} and dataset.exists()
