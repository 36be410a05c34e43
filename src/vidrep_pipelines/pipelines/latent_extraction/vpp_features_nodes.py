"""Nodes that read features off a video model for every picture that a policy sees."""

from typing import TYPE_CHECKING, Any

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameArrayStore = FrameStore = Any  # their modules take seconds to import


def extract_vpp_features(
    checkpoint: Checkpoint,
    codec: Checkpoint,
    frames: FrameStore,
    latents: FrameArrayStore,
    items: PolicyItemsConfig,
    features: FeatureStoreConfig,
    latents_made: VideoLatentsConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per shard of frames; how much it is, is said before, and refused if it is too much.

    None where training is to compute features by itself.
    """
    from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources, feature_requests
    from vidrep_pipelines.models.vpp.policy.feature_store import extract_features
    from vidrep_pipelines.models.vpp.video.latents import latents_digest
    from vidrep_pipelines.training.distributed import choose_device

    if not features.from_frames and latents.model_digest != latents_digest(codec.digest, latents_made):
        raise InputError(
            f"{latents.folder} holds latents of another codec, or made in another way. Remedy: run "
            "latent_extraction_svd again, or set vpp_features.from_frames."
        )
    device = choose_device(launch).type
    if not features.store:
        return Job("features", extract_features, [], (SHARD_SUFFIX,), workers_for_device(fanout, device))
    sources = FeatureSources(checkpoint, codec, frames, latents)
    requests, _ = feature_requests(sources, items, features, device)
    jobs = [Item(request.id, request, request.digest) for request in requests]
    return Job("features", extract_features, jobs, (SHARD_SUFFIX,), workers_for_device(fanout, device))


def report_vpp_features(features: FrameArrayStore, config: FeatureStoreConfig) -> dict[str, Any]:
    """How much is stored, in which range it lies, and how much of it the noise decides."""
    from vidrep_pipelines.models.vpp.policy.feature_store import features_report

    return features_report(features) if config.store else {"stored": False}
