"""Latents of every frame of a store, shard by shard: encoded, or read where the authors published them."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.arrays import (
    ArrayShardRequest,
    ArraySpec,
    array_requests,
    array_shard,
)
from vidrep_pipelines.data.frame_store.contiguous import StoredRows
from vidrep_pipelines.data.frame_store.film_frames import open_frames
from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX, read_views
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.devices import device_of_item
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.vpp.video.codec import Codec, CodecSizes, codec_sizes, load_codec, to_pictures
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.models.vpp.video.published_latents import (
    file_stamp,
    published_latent_file,
    read_latent_file,
)

_log = logging.getLogger(__name__)

LATENTS = "latents"
"""Name of the array: (C, h, w) per frame, scaled to about unit variance."""


@dataclass(frozen=True)
class LatentsRequest:
    """What extracting the latents of one shard needs.

    Attributes:
        arrays: The shard of frames, and what is made of it.
        codec: Folder of the codec.
        codec_digest: Its digest, so that a process that outlives a fit never uses the old one.
        config: How.
        files: Published latents of the shard's views, in their order; empty without any.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: The shard's number; it deals shards to GPUs.
    """

    arrays: ArrayShardRequest
    codec: Path
    codec_digest: str
    config: VideoLatentsConfig
    files: tuple[Path | None, ...]
    device: str
    number: int

    @property
    def id(self) -> str:
        """Path of the shard below the store, without suffix."""
        return self.arrays.id

    @property
    def digest(self) -> str:
        """Changes with the frames, the codec, how it is used, and the files that are read instead."""
        stamps = [None if file is None else file_stamp(file) for file in self.files]
        return digest_of(self.arrays.digest, stamps) if any(self.files) else self.arrays.digest


def latents_digest(codec_digest: str, config: VideoLatentsConfig) -> str:
    """What stored latents say of where they are from (``FrameArrayStore.model_digest``)."""
    seed = config.seed if config.sample_posterior else None
    return digest_of(LATENTS, codec_digest, seed, config.published is not None)


def latents_spec(store: FrameStore, sizes: CodecSizes, config: VideoLatentsConfig) -> ArraySpec:
    """The array of a store's latents.

    Raises:
        InputError: The frames do not divide into the codec's positions.
    """
    height, width = store.facts.height, store.facts.width
    if height % sizes.factor or width % sizes.factor:
        raise InputError(
            f"{store.folder}: frames of {height}x{width} pixels do not divide into {sizes.factor}x"
            f"{sizes.factor}, the codec's unit. Remedy: set robot_episodes.frames to multiples of it."
        )
    return ArraySpec(LATENTS, config.dtype, (sizes.channels, height // sizes.factor, width // sizes.factor))


def latents_requests(
    codec: Checkpoint, store: FrameStore, config: VideoLatentsConfig, device: str
) -> list[LatentsRequest]:
    """What to encode, one request per shard.

    Args:
        codec: The codec in the catalog.
        store: The frames.
        config: How.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.

    Raises:
        InputError: The frames do not divide into the codec's positions, or there is no folder of published
            latents though one is named.
    """
    if config.published is not None and not config.published.is_dir():
        raise InputError(
            f"There is no folder {config.published}. Remedy: correct video_latents.extraction.published."
        )
    digest = codec.digest
    spec = latents_spec(store, codec_sizes(codec), config)
    shards = array_requests(store, [spec], latents_digest(digest, config))
    requests = [
        LatentsRequest(
            shard, codec.directory.absolute(), digest, config, _published(shard, config), device, number
        )
        for number, shard in enumerate(sorted(shards, key=lambda shard: shard.id))
    ]
    if config.published is not None:
        _say_what_is_published(
            store, [file for request in requests for file in request.files], config.published
        )
    return requests


def _say_what_is_published(store: FrameStore, files: list[Path | None], folder: Path) -> None:
    found = sum(file is not None for file in files)
    _log.info("%s has latents of %d of the %d views; the others are encoded.", folder, found, len(files))
    if not found and files:
        view = store.table.iloc[0]
        name = str(view["trajectory"]).split("/")[0]
        _log.warning(
            "%s has no latents of any view: those of %s would be in %s. Every view is encoded instead. "
            "Remedy: call the data set in robot_episodes as its folder is called, or correct "
            "video_latents.extraction.published.",
            folder,
            view["id"],
            folder / name / "latent_videos",
        )


def _published(shard: ArrayShardRequest, config: VideoLatentsConfig) -> tuple[Path | None, ...]:
    if config.published is None:
        return ()
    return tuple(
        published_latent_file(config.published, view.trajectory, view.camera)
        for view in read_views(shard.frames)
    )


def extract_latents(request: LatentsRequest, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Writes the latents of every frame of a shard, in the order in which the frames are stored.

    Args:
        request: The shard.
        outputs: Where the latents (".h5") go.

    Returns:
        One row: frames, and how many latents were read from published files.

    Raises:
        InputError: The shard, the codec or a published file cannot be read, or latents are not finite.
    """
    device = device_of_item(request.device, request.number)
    codec = loaded_once(load_codec, request.codec, request.codec_digest, device)
    frames, read = open_frames(request.arrays.frames), 0
    try:
        with array_shard(outputs[SHARD_SUFFIX], request.arrays) as writer:
            for stretch in _stretches(request, frames.shape[0]):
                rows = _latents_of(stretch, frames, codec, request, device)
                if not np.isfinite(rows).all():
                    raise InputError(
                        f"{request.arrays.frames}: latents of the frames {stretch.start}..{stretch.stop} are "
                        "not finite. Remedy: check the codec's weights, or store float32 (dtype)."
                    )
                writer.append(LATENTS, rows)
                read += len(rows) if stretch.file is not None else 0
    finally:
        frames.close()
    return {"frames": frames.shape[0], "read": read}


class _Stretch(NamedTuple):
    """Frames of a shard whose latents come at once, from a file or from the codec."""

    start: int
    stop: int
    file: Path | None = None


def _stretches(request: LatentsRequest, total: int) -> Iterator[_Stretch]:
    """All frames in order: whole views that were published, and batches of what lies between them."""
    start, position = 0, 0
    views = zip(read_views(request.arrays.frames), request.files, strict=True) if request.files else ()
    for view, file in views:
        if file is not None:
            yield from _batches(start, position, request.config.batch_size)
            yield _Stretch(position, position + view.frames, file)
            start = position + view.frames
        position += view.frames
    yield from _batches(start, total, request.config.batch_size)


def _batches(start: int, stop: int, size: int) -> Iterator[_Stretch]:
    for first in range(start, stop, size):
        yield _Stretch(first, min(first + size, stop))


@torch.inference_mode()
def _latents_of(
    stretch: _Stretch, frames: StoredRows, codec: Codec, request: LatentsRequest, device: str
) -> NDArray[np.floating]:
    spec = request.arrays.specs[0]
    if stretch.file is not None:
        count = stretch.stop - stretch.start
        return read_latent_file(stretch.file, count, spec.shape).astype(spec.dtype)
    pictures = to_pictures(torch.from_numpy(frames.read(stretch.start, stretch.stop)).to(device))
    numbers = range(stretch.start, stretch.stop)
    seeds = torch.tensor([seed_for(request.config.seed, request.id, number) for number in numbers])
    latents = codec.encode(pictures, seeds if request.config.sample_posterior else None)
    rows: NDArray[np.floating] = latents.cpu().numpy().astype(spec.dtype)
    return rows
