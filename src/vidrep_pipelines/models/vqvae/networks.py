"""The decoder: frames one by one, and the heads that join decoded frames over time."""

from torch import Tensor, nn

from vidrep_pipelines.models.layers.causal_convolution import CausalRefinement
from vidrep_pipelines.models.layers.vqgan import FrameDecoder
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
        frames: Tensor = self.frames(features.flatten(0, 1))
        frames = frames.reshape(*features.shape[:2], *frames.shape[1:])
        if self.head is None:
            return frames
        video: Tensor = self.head(frames.transpose(1, 2).contiguous())
        return video.transpose(1, 2)
