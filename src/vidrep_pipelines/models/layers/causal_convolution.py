"""Convolutions over space and time that never look ahead."""

from torch import Tensor, nn
from torch.nn import functional as F


class CausalConvolution(nn.Module):
    """A 3D convolution of which frame t sees the frames up to t, (B, C, T, H, W) to (B, D, T, H, W).

    Before the first frame the first frame is repeated, so that a clip of one frame is an ordinary picture and
    the start of a clip does not turn dark; in space the border is zero. Source: Yu et al. 2024, "Language
    Model Beats Diffusion: Tokenizer is Key to Visual Generation", section 3.2.

    Args:
        inputs: Channels C.
        outputs: Channels D.
        kernel_size: Odd size in space and in time.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int = 3) -> None:
        super().__init__()
        self._past = kernel_size - 1
        margin = kernel_size // 2
        self.convolution = nn.Conv3d(inputs, outputs, kernel_size, padding=(0, margin, margin))

    def forward(self, video: Tensor) -> Tensor:
        """Video (B, C, T, H, W) to (B, D, T, H, W)."""
        output: Tensor = self.convolution(F.pad(video, (0, 0, 0, 0, self._past, 0), mode="replicate"))
        return output


class CausalRefinement(nn.Module):
    """Corrects decoded frames by the frames before them, (B, C, T, H, W) to the same shape.

    Begins as the identity: the last convolution starts at zero.

    Args:
        channels: Channels C of the frames.
        width: Channels of the hidden layers.
        kernel_size: Odd size of the convolutions in space and in time.
    """

    def __init__(self, channels: int, width: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.convolution1 = CausalConvolution(channels, width, kernel_size)
        self.convolution2 = CausalConvolution(width, width, kernel_size)
        self.convolution3 = CausalConvolution(width, channels, kernel_size)
        nn.init.zeros_(self.convolution3.convolution.weight)
        nn.init.zeros_(self.convolution3.convolution.get_parameter("bias"))

    def forward(self, video: Tensor) -> Tensor:
        """Video (B, C, T, H, W) to the same shape."""
        hidden = F.silu(self.convolution1(video))
        hidden = hidden + F.silu(self.convolution2(hidden))
        output: Tensor = video + self.convolution3(hidden)
        return output
