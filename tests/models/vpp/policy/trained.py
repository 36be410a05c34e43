"""A task on demonstrations whose features a tiny video model makes, and a policy as training leaves it."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.helpers.stores import SERIAL
from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from tests.models.vpp.policy.sources import feature_sources
from tests.models.vpp.video.spoken import MODEL
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.config import GoalConfig, PolicyModelConfig
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources, feature_requests
from vidrep_pipelines.models.vpp.policy.feature_store import extract_features
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.seen import seen_through_video_model
from vidrep_pipelines.models.vpp.policy.sizes import PolicyDataSizes, fitted_policy_model
from vidrep_pipelines.models.vpp.policy.statistics import split_statistics
from vidrep_pipelines.models.vpp.policy.task import PolicyTask

ITEMS = PolicyItemsConfig.model_validate({"rule": {"chunk": 3, "every": 2}})
FEATURES = FeatureStoreConfig.model_validate({"reduction": {"grid": 2}, "dtype": "float32"})
GOAL = GoalConfig(kind="words", tokens=12, vocabulary=MODEL.text.vocabulary)
MODEL_SIZES = PolicyModelConfig.model_validate(
    {
        "former": {"frames": 4, "width": 16, "tokens": 8, "depth": 1, "heads": 2, "head_width": 8},
        "denoiser": {
            "width": 16,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "heads": 2,
            "cross_causal": False,
        },
    }
)


def demonstrations(folder: Path, cameras: tuple[int, ...] = (0, 1)) -> FeatureSources:
    """Three episodes of 8 frames, one of them held out, with the tiny video model and latents."""
    episodes = [Demonstration(number, 8, cameras=cameras) for number in range(3)]
    return feature_sources(folder / "video", demonstration_store(folder / "demonstrations", episodes, 1))


def stored_features_of(
    sources: FeatureSources, folder: Path, config: FeatureStoreConfig = FEATURES
) -> FrameArrayStore:
    """Features of all items beside the frames."""
    if config.store:
        requests, _ = feature_requests(sources, ITEMS, config, "cpu")
        items = [Item(request.id, request, request.digest) for request in requests]
        parts = run_job(Job("features", extract_features, items, (".h5",), SERIAL), folder)
        assert set(parts.table["status"]) == {"ok"}, parts.table["error"].tolist()
    return FrameArrayStore(folder, sources.store)


def make_policy_task(
    sources: FeatureSources, folder: Path, config: FeatureStoreConfig = FEATURES, **fields: Any
) -> PolicyTask:
    """A task on the training episodes."""
    sees_state = fields.pop("sees_state", False)
    seen = seen_through_video_model(sources, stored_features_of(sources, folder, config), config)
    learned = split_statistics(sources.store, ITEMS)["train"]
    sizes = PolicyDataSizes.of(seen, len(ITEMS.cameras) or 2, learned, ITEMS, GOAL)
    facts = sources.store.facts
    settings: dict[str, Any] = {
        "frames": sources.store.folder,
        "pictures_resized": FramesConfig(height=facts.height, width=facts.width),
        "seen": seen,
        "items": ITEMS,
        "statistics": learned,
        "goal": GOAL,
        "model": fitted_policy_model(MODEL_SIZES, sizes, sees_state=sees_state),
        "seed": 5,
    }
    return PolicyTask.model_validate({**settings, **fields})


def publish_policy(task: PolicyTask, folder: Path) -> Checkpoint:
    """The policy with random weights, as a checkpoint of the catalog."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    model = task.build_model()
    with torch.no_grad():
        for value in model.denoiser.parameters():
            value.add_(0.1 * torch.randn_like(value))
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(task.checkpoint_config()))
    (folder / "meta.json").write_text(json.dumps({"digest": "0123", "step": 3}))
    return Checkpoint.of(folder)
