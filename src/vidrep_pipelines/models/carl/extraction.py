"""Embeddings of whole data sets, video by video."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_embeddings import EMBEDDINGS_SUFFIX, write_embeddings
from vidrep_pipelines.models.carl.embedding_config import EmbeddingConfig
from vidrep_pipelines.models.carl.trained import TrainedCarl
from vidrep_pipelines.training.distributed import device_of_item


@dataclass(frozen=True)
class EmbeddingRequest:
    """What embedding one video needs.

    Attributes:
        checkpoint: Folder of the published checkpoint.
        version: Digest of its weights, so that a process that outlives a training never uses the old ones.
        store: Folder of the frame store.
        store_version: Digest of its content, for the same reason.
        video: Name of the video in it.
        config: How the video is cut.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: Of the video; deals videos to GPUs.
    """

    checkpoint: Path
    version: str
    store: Path
    store_version: str
    video: str
    config: EmbeddingConfig
    device: str
    number: int


def embed_video(request: EmbeddingRequest, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Embeds every frame of a video.

    Args:
        request: The video.
        outputs: Where the embeddings (".h5") go.

    Returns:
        One row: frames, and the width of the embeddings.

    Raises:
        InputError: The frames or the checkpoint cannot be read, or do not fit one another.
    """
    trained = _trained(request.checkpoint, request.version, device_of_item(request.device, request.number))
    store = _store(request.store, request.store_version)

    def read(ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
        return store.frames(request.video, ranks)

    embeddings = trained.embed(read, store.length(request.video), request.config)
    write_embeddings(outputs[EMBEDDINGS_SUFFIX], embeddings)
    return {"frames": len(embeddings), "width": embeddings.shape[1]}


@lru_cache(maxsize=8)
def _trained(checkpoint: Path, version: str, device: str) -> TrainedCarl:
    del version  # part of the key
    return TrainedCarl.load(checkpoint, device)


@lru_cache(maxsize=1)
def _store(folder: Path, version: str) -> FrameStore:
    del version  # part of the key
    return FrameStore(folder)
