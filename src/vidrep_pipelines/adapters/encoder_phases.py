"""Frames of long videos embedded by any encoder, one item per encoder and video, and what that is worth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from vidrep_pipelines.adapters.encoders import EncoderSource, encoder_on
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_embeddings import (
    EMBEDDINGS_SUFFIX,
    FrameEmbeddings,
    write_embeddings,
)
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.encoder_comparison.config import EncoderComparisonConfig
from vidrep_pipelines.evaluation.frame_embeddings.clock import Clock, FrameArrays
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.measurement import EmbeddingsReport
from vidrep_pipelines.evaluation.frame_embeddings.report import CLOCK, measured_once
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence, frame_features
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import gpus_to_use, limited_to_gpus
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.training.config import LaunchConfig

_EMBEDDING = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""
_FRAMES_READ = 64


@dataclass(frozen=True)
class EncodedVideoItem:
    """One video for one encoder.

    Attributes:
        store: Folder of the frame store.
        store_version: Digest of its content, so that a process never reads a store that was replaced.
        video: Name of the video in it.
        config: How frames come to the encoder.
        encoder: The encoder.
        gpu: Number of the GPU that does it, where there are several.
    """

    store: Path
    store_version: str
    video: str
    config: EncoderComparisonConfig
    encoder: EncoderSource
    gpu: int = 0


def encoded_videos_job(
    store: FrameStore, sources: Sequence[EncoderSource], config: EncoderComparisonConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder and video of any split: an embedding of every frame.

    Args:
        store: The frames of the videos.
        sources: The encoders.
        config: How frames come to an encoder.
        fanout: How items are executed; on GPUs a process per core would only fill their memory.
    """
    gpus, folder, content = gpus_to_use(config.device), store.folder.absolute(), store.facts.content_digest
    items = []
    for source in sources:
        for number, video in enumerate(store.ids):
            shard, start, count = store.index.frames(number)
            frames = store.facts.shards[shard], start, count
            gpu = number % max(1, gpus)
            items.append(
                Item(
                    id=f"{source.name}/{video}",
                    payload=EncodedVideoItem(folder, content, video, config, source, gpu),
                    digest=digest_of(_EMBEDDING, config.phases_image_size, source.digest, *frames),
                )
            )
    fanout = limited_to_gpus(fanout, gpus, config.workers_per_gpu).trying_again()
    return Job("embeddings of frames", embed_with_encoder, items, (EMBEDDINGS_SUFFIX,), fanout)


def embed_with_encoder(item: EncodedVideoItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes an embedding of every frame of a video: the mean of its features.

    Raises:
        InputError: The frames cannot be read, do not divide into the encoder's cells, are fewer than its
            window has, or features are not numbers.
    """
    device = device_of_sequence(item.config.device, item.gpu)
    encoder, side = encoder_on(item.encoder, device), item.config.phases_image_size
    maps = frame_features(
        _frames(_store(item.store, item.store_version), item.video),
        encoder,
        (side, side),
        item.config.embedding_settings,
        device,
        item.config.frames_per_batch,
    )
    embeddings = torch.stack([one.mean(dim=(-2, -1)) for one in maps]).cpu().numpy()
    write_embeddings(outputs[EMBEDDINGS_SUFFIX], embeddings)
    return {"frames": len(embeddings), "width": embeddings.shape[1], "device": device.type}


def measure_encoders(
    labelled: LabelledVideos,
    embeddings: Parts,
    encoders: Sequence[str],
    config: PhasesConfig,
    launch: LaunchConfig,
    folder: Path,
) -> EmbeddingsReport:
    """All encoders that embedded any video on all tasks, and a clock that sees none.

    Args:
        labelled: The release.
        embeddings: What :func:`encoded_videos_job` made.
        encoders: Names of the encoders; the first one is compared with the others.
        config: Tasks.
        launch: Says on which device, and with how many threads.
        folder: The folder of all kept reports.

    Raises:
        InputError: Nothing could be measured, or labels and embeddings do not fit one another.
    """
    found: dict[str, FrameArrays] = {
        name: own for name in encoders if len(own := _embeddings_of(embeddings, name))
    }
    return measured_once(labelled, {**found, CLOCK: Clock(labelled)}, config, launch, folder)


def _embeddings_of(embeddings: Parts, encoder: str) -> FrameEmbeddings:
    start, digests = f"{encoder}/", embeddings.digests
    own = [name for name in embeddings.ids if name.startswith(start)]
    content = digest_of([(name, digests[name]) for name in own])
    return FrameEmbeddings(
        embeddings.folder / encoder, tuple(name.removeprefix(start) for name in own), content
    )


def _frames(store: FrameStore, video: str) -> Iterator[Pixels]:
    length = store.length(video)
    for start in range(0, length, _FRAMES_READ):
        yield from store.frames(video, np.arange(start, min(start + _FRAMES_READ, length)))


@lru_cache(maxsize=1)
def _store(folder: Path, version: str) -> FrameStore:
    del version  # part of the key
    return FrameStore(folder)
