"""Trained CARL at use: one loaded, whole videos embedded whatever their length, an encoder of images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_embeddings import EMBEDDINGS_SUFFIX, write_embeddings
from vidrep_pipelines.data.labelled_videos.inserted_pause import InsertedPause, InsertedPauseConfig
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.fanout.devices import device_of_item
from vidrep_pipelines.models.carl.backbone import FrameBackbone
from vidrep_pipelines.models.carl.checkpoint_io import is_counter
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig, EmbeddingConfig
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.carl.video_source import fit_frames
from vidrep_pipelines.models.shared.trained import loaded_once, read_checkpoint, trained_model
from vidrep_pipelines.training.precision import autocast, usable_precision

PUBLISHED_STRIDE = 15
"""Frames between the context frames of the published convolutional models."""

ReadFrames = Callable[[NDArray[np.int64]], Tensor]
"""Frames (N, 3, S, S) uint8 of N ascending ranks, fitted to the model's size."""


@torch.no_grad()
def embed_frames(
    model: CarlModel,
    read: ReadFrames,
    length: int,
    config: EmbeddingConfig,
    context_stride: int = PUBLISHED_STRIDE,
) -> Tensor:
    """Embeds all frames of a video.

    Every frame goes through the ResNet once, however chunks overlap.

    Args:
        model: The model in evaluation mode, on the device to compute on.
        read: Gives the frames.
        length: L, frames of the video.
        config: How the video is cut.
        context_stride: Frames between the context frames of a convolutional model, as in its training.

    Returns:
        (L, D) float32 on the CPU.

    Raises:
        InputError: The video is empty, or the model is in training mode.
    """
    if length < 1:
        raise InputError("There is nothing to embed in a video without frames.")
    if model.training:
        raise InputError("The model is in training mode; call model.eval() before embedding.")
    device = next(model.parameters()).device
    with autocast(device, usable_precision(device, config.precision)):
        pooled = _pool(model, read, length, config, context_stride)
        if model.config.encoder != "transformer":
            return model.embed_pooled(pooled[None])[0].float().cpu()
        total = torch.zeros(length, model.config.embedding_width, device=device)
        for start, weights in _chunks(length, config):
            chunk = model.embed_pooled(pooled[None, start : start + len(weights)])[0].float()
            total[start : start + len(weights)] += chunk * weights.to(device)[:, None]
    blended = model.config.normalize and config.seams == "blend" and length > config.chunk_frames
    return (functional.normalize(total, dim=1) if blended else total).cpu()


def _pool(model: CarlModel, read: ReadFrames, length: int, config: EmbeddingConfig, stride: int) -> Tensor:
    """(L, C) of all positions, block by block."""
    device = next(model.parameters()).device
    back = np.arange(model.config.context_frames - 1, -1, -1) * stride
    blocks = []
    for start in range(0, length, config.frames_per_block):
        positions = np.arange(start, min(start + config.frames_per_block, length))
        ranks, places = np.unique(np.maximum(positions[:, None] - back, 0), return_inverse=True)
        maps = model.backbone(normalize(read(ranks).to(device)))
        index = torch.from_numpy(places.reshape(-1, len(back))).to(device)
        blocks.append(model.head.pool(maps[index]))
    return torch.cat(blocks)


def _chunks(length: int, config: EmbeddingConfig) -> list[tuple[int, Tensor]]:
    """First frame and weights (n,) of each chunk; at every frame the weights add up to one."""
    if config.seams == "published":
        size = -(-length // -(-length // config.chunk_frames))
        return [(start, torch.ones(min(size, length - start))) for start in range(0, length, size)]
    size = min(length, config.chunk_frames)
    overlap = int(size * config.overlap)
    count = 1 + -(-(length - size) // max(size - overlap, 1))
    starts = np.linspace(0, length - size, count).round().astype(int).tolist()
    weights = torch.stack([_fading(start, size, length) for start in starts])
    weights = weights / weights.sum(dim=0)
    return [(start, row[start : start + size]) for start, row in zip(starts, weights, strict=True)]


def _fading(start: int, size: int, length: int) -> Tensor:
    """(L,) a triangle over the chunk, highest in its middle, never zero inside, zero outside."""
    triangle = torch.minimum(torch.arange(1, size + 1), torch.arange(size, 0, -1)).double()
    return functional.pad(triangle, (start, length - start - size)).float()


ReadPictures = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
"""Frames (N, H, W, 3) of N ascending ranks, of any size."""


@dataclass(frozen=True)
class TrainedCarl:
    """Model, and how frames are given to it.

    Attributes:
        model: The model in evaluation mode.
        data: The crop outside of training, and the distance of context frames.
    """

    model: CarlModel
    data: CarlDataConfig

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Self:
        """Loads a published checkpoint: ``config.json`` and ``model.safetensors``.

        Raises:
            InputError: The folder holds no checkpoint of CARL.
        """
        data, config, state = read_checkpoint(
            folder, CarlDataConfig, CarlModelConfig, system="CARL", pipeline="pretrain_carl"
        )
        return cls(trained_model(CarlModel(config), state, optional=is_counter).to(device), data)

    def embed(self, read: ReadPictures, length: int, config: EmbeddingConfig) -> NDArray[np.float32]:
        """Embeds all frames of a video.

        Args:
            read: Gives the frames.
            length: L, frames of the video.
            config: How the video is cut.

        Returns:
            (L, D) float32.

        Raises:
            InputError: The video is empty, or its frames are smaller than the crop.
        """
        size, crop = self.model.config.image_size, self.data.evaluation_crop

        def fitted(ranks: NDArray[np.int64]) -> Tensor:
            return fit_frames(read(ranks), size, crop)

        stride = self.data.sampling.context_stride
        embeddings: NDArray[np.float32] = embed_frames(self.model, fitted, length, config, stride).numpy()
        return embeddings


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
        number: The video's number; it deals videos to GPUs.
        frames: Digest of the shard that holds its frames, their first row there, and how many they are.
        pause: Inserted into the video; only its own frames are kept. None: the video as it is.
    """

    checkpoint: Path
    version: str
    store: Path
    store_version: str
    video: str
    config: EmbeddingConfig
    device: str
    number: int
    frames: tuple[str, int, int]
    pause: InsertedPauseConfig | None = None

    @property
    def digest(self) -> str:
        """Changes with the frames, the weights and the parameters, and not with the device."""
        pause = () if self.pause is None else (self.pause,)
        return digest_of(self.version, *self.frames, self.config, *pause)


def embedding_requests(
    checkpoint: Path, version: str, store: FrameStore, config: EmbeddingConfig, device: str
) -> list[EmbeddingRequest]:
    """What to embed, one request per video of any split.

    Args:
        checkpoint: Folder of the published checkpoint.
        version: Digest of its weights.
        store: The frames.
        config: How videos are cut.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
    """
    folders, content = (checkpoint.absolute(), store.folder.absolute()), store.facts.content_digest
    requests = []
    for number, video in enumerate(store.ids):
        shard, start, count = store.index.frames(number)
        frames = store.facts.shards[shard], start, count
        requests.append(
            EmbeddingRequest(folders[0], version, folders[1], content, video, config, device, number, frames)
        )
    return requests


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
    device = device_of_item(request.device, request.number)
    trained = loaded_once(TrainedCarl.load, request.checkpoint, request.version, device)
    store = _store(request.store, request.store_version)

    length = store.length(request.video)
    shown = places = np.arange(length)
    if request.pause is not None:
        pause = InsertedPause.of(length, request.pause)
        shown, places = pause.ranks, pause.places

    def read(ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
        wanted, which = np.unique(shown[ranks], return_inverse=True)
        return store.frames(request.video, wanted)[which]

    embeddings = trained.embed(read, len(shown), request.config)[places]
    write_embeddings(outputs[EMBEDDINGS_SUFFIX], embeddings)
    return {"frames": len(embeddings), "width": embeddings.shape[1]}


@lru_cache(maxsize=1)
def _store(folder: Path, version: str) -> FrameStore:
    del version  # part of the key
    return FrameStore(folder)


_STAGES = 4


class BackboneStage(nn.Module):
    """The maps of one stage of the backbone, without the stages behind it.

    Args:
        model: The model in evaluation mode.
        stage: Counted from 1. None: the last one that the model's head builds on.
    """

    def __init__(self, model: CarlModel, stage: int | None = None) -> None:
        super().__init__()
        self.backbone: FrameBackbone = model.backbone
        self._stage = model.config.stages if stage is None else stage
        if not 1 <= self._stage <= _STAGES:
            raise ValueError(f"a ResNet has stages 1 to {_STAGES}, not {self._stage}")

    @property
    def stride(self) -> int:
        """Pixels between positions of the maps."""
        return int(2 ** (self._stage + 1))

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to maps (B, C, H / stride, W / stride)."""
        maps = self.backbone.stem(images)
        for number in range(1, self._stage + 1):
            maps = self.backbone.stage(number, maps)
        return maps
