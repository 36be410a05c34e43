"""A video model as an encoder of pictures: what it knows of a frame before it predicts the next ones."""

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.encoders.config import VideoModelEncoderConfig
from vidrep_pipelines.evaluation.encoders.protocol import grid_of
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import require_same_codec
from vidrep_pipelines.models.vpp.policy.features import FeatureReader, feature_noise
from vidrep_pipelines.models.vpp.policy.features_config import PolicyFeaturesConfig
from vidrep_pipelines.models.vpp.video.codec import Codec, load_codec

_HALF: Triple = (0.5, 0.5, 0.5)
"""Codecs take pictures in -1..1."""


class VideoModelEncoder(nn.Module):
    """Outputs of a video model's up-blocks in one pass from the same noise, told nothing.

    Every picture is taken as the first frame of a video. Video Prediction Policy (arXiv 2412.14803), section
    3.2, without an instruction.

    Args:
        name: How reports call the encoder.
        reader: The model, and what is read off it: some of its predicted frames.
        codec: What makes latents of pictures for it.
    """

    def __init__(self, name: str, reader: FeatureReader, codec: Codec) -> None:
        super().__init__()
        self.name, self.mean, self.std = name, _HALF, _HALF
        unet = reader.model.config.unet
        levels = len(unet.channels)
        # The last up-block does not enlarge, like the last one downwards.
        self.stride = codec.factor * 2 ** max(levels - 2 - reader.config.read.block, 0)
        self._whole = codec.factor * 2 ** (levels - 1)
        self._text_width = unet.cross_attention_dimension
        self.model, self._reader, self.codec = reader.model, reader, codec  # codecs are modules, too

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D, H / stride, W / stride), frames joined on D.

        Raises:
            InputError: H or W is no multiple of what the network shrinks a picture by.
        """
        grid_of(images, self._whole)
        rows, columns = grid_of(images, self.stride)
        latents = self.codec.encode(images)
        shape = (self._reader.frames, *latents.shape[1:])
        noise = feature_noise(self._reader.config.noise, [0] * len(images), shape, latents.device)
        text = latents.new_zeros(len(images), 1, self._text_width)
        features = self._reader(latents, text, noise)
        if features.shape[-2:] != (rows, columns):
            raise InputError(
                f"{self.name} gives a grid of {tuple(features.shape[-2:])} for images of "
                f"{tuple(images.shape[-2:])}. Remedy: another block."
            )
        return features.flatten(1, 2)


def load_video_model_encoder(name: str, config: VideoModelEncoderConfig) -> VideoModelEncoder:
    """The encoder, on the CPU.

    Raises:
        InputError: A folder holds something else, or the model was trained with another codec.
        ConfigurationError: The network has no such block or frame, or it looks at another camera.
    """
    checkpoint, codec = Checkpoint.checked(config.path), Checkpoint.checked(config.codec)
    require_same_codec(checkpoint, codec.digest)
    read = PolicyFeaturesConfig.model_validate(
        {
            "read": {"block": config.block, "all_layers": config.all_layers},
            "reduction": {"kind": "frames", "frames": config.frames},
            "noise": {"kind": "fixed", "seed": config.seed},
        }
    )
    reader = FeatureReader.load(config.path, read)
    if max(config.frames) >= reader.frames:
        raise ConfigurationError(
            f"encoders: {name} reads frame {max(config.frames)}, and the video model in {config.path} "
            f"predicts 0..{reader.frames - 1}. Remedy: name frames that there are."
        )
    return VideoModelEncoder(name, reader, load_codec(config.codec))
