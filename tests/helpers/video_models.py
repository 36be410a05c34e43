"""A tiny video model with its codec, published as the pipelines publish them."""

from pathlib import Path

import torch

from tests.helpers.trained_models import META
from tests.models.vpp.video.tiny import CONFIG, UNET
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset, CheckpointSource
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.vpp.video.codec import LinearCodec
from vidrep_pipelines.models.vpp.video.codec_config import CodecConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion

CODEC = CodecConfig(kind="linear", factor=4, channels=6)
MODEL = CONFIG.model_copy(update={"unet": UNET.model_copy(update={"latent_channels": CODEC.channels})})


def publish_video_model_and_codec(models: Path, run: Path) -> Checkpoint:
    """The video model in ``models/vpp_video/checkpoint``, its codec in ``models/video_codec``."""
    write_weights(LinearCodec(CODEC).state_dict(), run / "codec" / "model.safetensors")
    codec = CheckpointDataset(filepath=(models / "video_codec").as_posix())
    codec.save(CheckpointSource(run / "codec", {"codec": CODEC.model_dump(mode="json")}, {}))
    torch.manual_seed(0)
    write_weights(VideoDiffusion(MODEL).state_dict(), run / "video" / "model.safetensors")
    config = {
        "model": MODEL.model_dump(mode="json"),
        "clips": {"frames": 3},
        "adaptation": {},
        "codec": codec.load().digest,
    }
    video = CheckpointDataset(filepath=(models / "vpp_video" / "checkpoint").as_posix())
    video.save(CheckpointSource(run / "video", config, {"system": "vpp_video", **META}))
    return video.load()
