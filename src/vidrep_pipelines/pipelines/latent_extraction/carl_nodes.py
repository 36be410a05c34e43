"""Nodes that turn whole videos into embeddings."""

from typing import TYPE_CHECKING, Any

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.models.carl.config import EmbeddingConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import


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
