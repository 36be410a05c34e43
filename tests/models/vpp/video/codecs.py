"""Small codecs in the catalog's layout, and a tiny random autoencoder in diffusers' layout."""

from pathlib import Path

import torch

from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset, CheckpointSource
from vidrep_pipelines.models.vpp.video.codec_config import CodecConfig
from vidrep_pipelines.models.vpp.video.codec_making import CodecParts, make_codec

LINEAR = CodecConfig(kind="linear", factor=4, channels=6, fit_frames=16)


def publish(parts: CodecParts, folder: Path) -> Path:
    source = CheckpointSource(parts.folder, parts.config, parts.meta, parts.weights)
    CheckpointDataset(filepath=folder.as_posix()).save(source)
    return folder


def publish_linear(store: FrameStore, folder: Path, config: CodecConfig = LINEAR) -> Path:
    return publish(make_codec(config, store, folder / "fit"), folder / "codec")


def write_vae(folder: Path, half: bool = False) -> Path:
    """A random autoencoder of 2 levels, so of 2 pixels a position, with 4 channels; returns its folder."""
    from vidrep_pipelines.compat import diffusers

    torch.manual_seed(0)
    vae = diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        layers_per_block=1,
        sample_size=8,
    )
    (vae.half() if half else vae).save_pretrained(folder / "vae", variant="fp16" if half else None)
    return folder


def publish_vae(folder: Path, half: bool = False) -> Path:
    config = CodecConfig(folder=write_vae(folder / "svd", half), decode_frames=3)
    return publish(make_codec(config, None, folder / "unused"), folder / "codec")  # type: ignore[arg-type]
