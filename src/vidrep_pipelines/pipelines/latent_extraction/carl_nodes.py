"""Nodes that turn whole videos into embeddings."""

from typing import TYPE_CHECKING, Any

from vidrep_pipelines.data.sources.long_videos.config import FineGymFeaturesConfig
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.models.carl.config import EmbeddingConfig, OriginalCarlConfig
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
else:
    FrameStore = LabelledVideos = Any  # their modules take seconds to import


def embed_videos(
    checkpoint: Checkpoint,
    store: FrameStore,
    embedding: EmbeddingConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per video of any split; redone when its frames, the weights or the parameters change."""
    from vidrep_pipelines.common.digest import digest_of, digest_of_file
    from vidrep_pipelines.data.labelled_videos.frame_embeddings import EMBEDDINGS_SUFFIX
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.models.carl.inference import embed_video, embedding_requests
    from vidrep_pipelines.training.distributed import choose_device

    version = digest_of(digest_of_file(checkpoint.weights), checkpoint.config)
    device = choose_device(launch).type
    requests = embedding_requests(checkpoint.directory, version, store, embedding, device)
    items = [Item(request.video, request, request.digest) for request in requests]
    return Job("embeddings", embed_video, items, (EMBEDDINGS_SUFFIX,), workers_for_device(fanout, device))


def embed_paused_videos(
    checkpoint: Checkpoint,
    untrained: Checkpoint,
    store: FrameStore,
    embedding: EmbeddingConfig,
    phases: PhasesConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per measured video and model: its frames, embedded with a pause inserted into the video.

    There are none where the tasks do not ask for them.
    """
    from dataclasses import replace

    from vidrep_pipelines.common.digest import digest_of, digest_of_file
    from vidrep_pipelines.data.labelled_videos.frame_embeddings import EMBEDDINGS_SUFFIX
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.models.carl.inference import embed_video, embedding_requests
    from vidrep_pipelines.training.distributed import choose_device

    device = choose_device(launch).type
    items: list[Item] = []
    if "inserted_pause" in phases.tasks:
        for name, model in (("trained", checkpoint), ("untrained", untrained)):
            version = digest_of(digest_of_file(model.weights), model.config)
            for request in embedding_requests(model.directory, version, store, embedding, device):
                if request.video.startswith(f"{phases.split}/"):
                    paused = replace(request, pause=phases.pause)
                    items.append(Item(f"{name}/{request.video}", paused, paused.digest))
    workers = workers_for_device(fanout, device)
    return Job("embeddings with a pause", embed_video, items, (EMBEDDINGS_SUFFIX,), workers)


def open_original_carl(
    checkpoint: OriginalCarlConfig, folders: FoldersConfig
) -> tuple[CheckpointSource, CheckpointSource]:
    """A checkpoint of the original code, and its floor, as checkpoints of the catalog; nothing is trained."""
    from vidrep_pipelines.common.digest import digest_of
    from vidrep_pipelines.common.foreign_weights import weights_digest
    from vidrep_pipelines.models.carl.given_weights import write_original_carl

    folder = folders.models / checkpoint.folder
    read, floor = folder / "read", folder / "floor"
    config = write_original_carl(checkpoint, read, floor)
    digest = digest_of(weights_digest(f"{checkpoint.folder}.checkpoint.path", checkpoint.path), config)
    name = checkpoint.path.name if checkpoint.path else ""
    return (
        CheckpointSource(read, config=config, meta={"system": "carl", "digest": digest, "file": name}),
        CheckpointSource(floor, config=config, meta={"system": "carl", "step": 0}),
    )


def read_finegym_features(features: FineGymFeaturesConfig, fanout: FanOutConfig) -> Job:
    """One item per published file of embeddings."""
    from vidrep_pipelines.data.labelled_videos.frame_embeddings import EMBEDDINGS_SUFFIX
    from vidrep_pipelines.data.sources.long_videos.published_features import feature_files, store_features

    items = [Item(file.id, file, file.digest) for file in feature_files(features)]
    return Job("published embeddings", store_features, items, (EMBEDDINGS_SUFFIX,), fanout)


def label_finegym_features(features: FineGymFeaturesConfig) -> LabelledVideos:
    """The labels that lie beside the published embeddings."""
    from vidrep_pipelines.data.sources.long_videos.published_features import feature_files, label_features

    return label_features(feature_files(features))
