"""Nodes that turn frames into latents of a video model."""

from typing import TYPE_CHECKING, Any

from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.models.vpp.video.codec_config import (
    CodecConfig,
    LatentsExportConfig,
    VideoLatentsConfig,
)
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameArrayStore = FrameStore = Any  # their modules take seconds to import


def make_video_codec(frames: FrameStore, codec: CodecConfig, folders: FoldersConfig) -> CheckpointSource:
    """Fits the linear codec to the training frames, or names the published autoencoder."""
    from vidrep_pipelines.models.vpp.video.codec_making import make_codec

    parts = make_codec(codec, frames, folders.models.absolute() / "video_latents" / "fit")
    return CheckpointSource(parts.folder, parts.config, parts.meta, parts.weights)


def extract_video_latents(
    codec: Checkpoint,
    frames: FrameStore,
    extraction: VideoLatentsConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per shard of frames; redone when the shard, the codec or the parameters change."""
    from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.models.vpp.video.latents import extract_latents, latents_requests
    from vidrep_pipelines.training.distributed import choose_device

    device = choose_device(launch).type
    requests = latents_requests(codec, frames, extraction, device)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("latents", extract_latents, items, (SHARD_SUFFIX,), workers_for_device(fanout, device))


def report_video_latents(
    codec: Checkpoint, latents: FrameArrayStore, extraction: VideoLatentsConfig
) -> tuple[dict[str, Any], Image]:
    """How close to the frames what is decoded from the latents comes, in numbers and to look at."""
    from vidrep_pipelines.models.vpp.video.codec import load_codec
    from vidrep_pipelines.models.vpp.video.latents_report import latents_report

    return latents_report(load_codec(codec.directory), latents, extraction.picture_frames)


def export_video_latents(latents: FrameArrayStore, export: LatentsExportConfig) -> dict[str, Any]:
    """Writes the latents and instructions in the layout that the authors published."""
    from vidrep_pipelines.models.vpp.video.published_latents import write_published_latents

    folder = export.folder.absolute()
    return {"folder": folder.as_posix(), "data_sets": write_published_latents(latents, folder)}
