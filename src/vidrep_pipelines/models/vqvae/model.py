"""FEVD-VQVAE: frames to discrete codes one by one, and back frame by frame or as clips.

Shapes: single frames (B, 3, S, S) or clips (B, T, 3, S, S), standardized; latents (B[, T], D, h, w); codes
(B[, T], h, w) int64 in 0..K-1.
"""

from collections.abc import Callable
from dataclasses import dataclass

from einops import rearrange
from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.causal_convolution import CausalRefinement
from vidrep_pipelines.models.layers.vector_quantizer import Quantized, build_quantizer
from vidrep_pipelines.models.layers.vqgan import FrameDecoder, FrameEncoder
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig


class LinearHead(nn.Sequential):
    """The published head over time, (B, 3, T, S, S) to the same shape.

    Two convolutions with nothing between them are one linear filter of 7x7x7; it sees the future, and zeros
    beyond both ends of the clip.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv3d(channels, channels, 5, padding=2), nn.Conv3d(channels, channels, 3, padding=1)
        )


class Decoder(nn.Module):
    """Frames one by one, then the head over time if the config has one.

    Args:
        config: The architecture.

    Attributes:
        frames: Decodes single frames.
        head: Works on clips; None in two dimensions.
    """

    def __init__(self, config: VqvaeModelConfig) -> None:
        super().__init__()
        self.frames = FrameDecoder(config)
        self.head: nn.Module | None = None
        if config.decoder == "3d":
            self.head = LinearHead(config.channels)
        elif config.decoder == "residual_causal_3d":
            self.head = CausalRefinement(config.channels, config.head_width)

    @property
    def last_layer(self) -> Tensor:
        """The weight that is nearest to the decoded frames, all of whose gradient passes through it."""
        return self.frames.convolution_out.weight

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, T, Z, h, w) to frames (B, T, 3, S, S)."""
        frames: Tensor = self.frames(rearrange(features, "b t c h w -> (b t) c h w"))
        frames = rearrange(frames, "(b t) c h w -> b t c h w", t=features.shape[1])
        if self.head is None:
            return frames
        video: Tensor = self.head(rearrange(frames, "b t c h w -> b c t h w").contiguous())
        return rearrange(video, "b c t h w -> b t c h w")


@dataclass(frozen=True)
class VqvaeOutputs:
    """Reconstruction (like the input, in normalized pixels, unbounded) and what it was decoded from."""

    reconstruction: Tensor
    quantized: Quantized


class VqvaeModel(nn.Module):
    """Encoder, codebook and decoder.

    Args:
        config: The architecture.
        discriminator: Judge of an adversarial loss, which is trained along; only its owner uses it.
    """

    def __init__(self, config: VqvaeModelConfig, discriminator: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        codebook = config.codebook
        self.encoder = FrameEncoder(config)
        self.decoder = Decoder(config)
        self.quantizer, self.codebook_average = build_quantizer(codebook)
        self.to_latents = nn.Conv2d(config.latent_channels, codebook.dimension, 1)
        self.from_latents = nn.Conv2d(codebook.dimension, config.latent_channels, 1)
        self.discriminator = discriminator

    def latents(self, images: Tensor) -> Tensor:
        """Images (B[, T], 3, S, S) to latents (B[, T], D, h, w), before quantization.

        Raises:
            InputError: The images are of another size.
        """
        factor, channels = self.config.downsampling, self.config.channels
        height, width = images.shape[-2:]
        if images.ndim not in (4, 5) or images.shape[-3] != channels or height % factor or width % factor:
            raise InputError(
                f"The model takes images (B, {channels}, H, W), or clips of them, whose sides are multiples "
                f"of {factor}, not {tuple(images.shape)}. Remedy: resize the frames to the size of its "
                f"training, {self.config.image_size}x{self.config.image_size}."
            )
        return _frame_by_frame(lambda frames: self.to_latents(self.encoder(frames)), images)

    def quantize(self, latents: Tensor) -> Quantized:
        """Latents (B[, T], D, h, w) to the nearest entries."""
        entries, codes, compared = self.quantizer(rearrange(latents, "... d h w -> ... h w d"))
        return Quantized(rearrange(entries, "... h w d -> ... d h w"), codes, compared)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B[, T], 3, S, S) to codes (B[, T], h, w)."""
        latents = rearrange(self.latents(images), "... d h w -> ... h w d")
        return self.quantizer.nearest(self.quantizer.prepare(latents))

    def decode(self, entries: Tensor) -> Tensor:
        """Entries (B[, T], D, h, w) to images (B[, T], 3, S, S).

        Raises:
            InputError: The published 3D decoder got single frames.
        """
        if self.config.needs_clips and entries.ndim == 4:
            raise InputError(
                "The decoder 3d works on clips (B, T, ...), not on single frames. Remedy: data.clip_frames "
                "above 1, or another model.decoder."
            )
        features = _frame_by_frame(self.from_latents, entries)
        if entries.ndim == 5:
            clips: Tensor = self.decoder(features)
            return clips
        frames: Tensor = self.decoder(features[:, None])
        return frames[:, 0]

    def decode_codes(self, codes: Tensor) -> Tensor:
        """Codes (B[, T], h, w) to images (B[, T], 3, S, S): to the bit what :meth:`forward` reconstructs."""
        return self.decode(rearrange(self.quantizer.lookup(codes), "... h w d -> ... d h w"))

    def forward(self, images: Tensor) -> VqvaeOutputs:
        """Images (B[, T], 3, S, S) through the codes and back."""
        quantized = self.quantize(self.latents(images))
        return VqvaeOutputs(self.decode(quantized.entries), quantized)


def _frame_by_frame(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Applies a function of (N, C, H, W) to (B[, T], C, H, W)."""
    if images.ndim == 4:
        return function(images)
    results = function(rearrange(images, "b t c h w -> (b t) c h w"))
    return rearrange(results, "(b t) c h w -> b t c h w", t=images.shape[1])
