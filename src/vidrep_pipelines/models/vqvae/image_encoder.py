"""The encoder out of a trained VQ-VAE, for single images of any size."""

from torch import Tensor, nn

from vidrep_pipelines.models.vqvae.model import VqvaeModel


class FrameLatents(nn.Module):
    """The latents of single images, as the codebook sees them.

    Args:
        model: In evaluation mode.
    """

    def __init__(self, model: VqvaeModel) -> None:
        super().__init__()
        self.model = model

    @property
    def stride(self) -> int:
        """Pixels between positions of the latents."""
        return self.model.config.downsampling

    def forward(self, images: Tensor) -> Tensor:
        """Standardized images (B, 3, H, W) to latents (B, D, H / stride, W / stride)."""
        return self.model.latents(images)
