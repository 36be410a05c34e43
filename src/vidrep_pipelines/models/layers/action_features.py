"""Features of an action-recognition network, for the Frechet video distance."""

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError

HOW_TO_GET = (
    "It must be i3d_torchscript.pt, the Kinetics-400 I3D of the repository universome/fvd-comparison."
)

_SIDE = 224


class ActionFeatures(nn.Module):
    """I3D from a TorchScript file: ``network(video, rescale, resize, return_features)``.

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
        """Reads the network. TorchScript runs in its own interpreter; no Python code is taken from the file.

        Raises:
            InputError: The file is absent, or holds no TorchScript.
        """
        if not path.is_file():
            raise InputError(f"There is no file {path}. {HOW_TO_GET}")
        try:
            network: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            reason = (str(error).strip() or "unreadable").splitlines()[0]
            raise InputError(f"{path} is no TorchScript network ({reason}). {HOW_TO_GET}") from error
        return cls(network)

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation: its normalization must not follow the clips it measures."""
        return super().train(mode=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) in 0..1 to features (B, D), before the softmax.

        Raises:
            InputError: The network is another one, or the clips are too short for it.
        """
        frames = F.interpolate(clips.flatten(0, 1).float(), (_SIDE, _SIDE), mode="bilinear")
        video = (2 * frames - 1).reshape(*clips.shape[:3], _SIDE, _SIDE).transpose(1, 2)
        try:
            features: Tensor = self.network(video, rescale=False, resize=False, return_features=True)
        except (torch.jit.Error, RuntimeError, TypeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise InputError(
                f"The network refused clips of {clips.shape[1]} frames ({reason}). "
                f"I3D needs at least 9 frames. {HOW_TO_GET}"
            ) from error
        if features.ndim != 2 or len(features) != len(clips):
            raise InputError(f"{len(clips)} clips give features {tuple(features.shape)}. {HOW_TO_GET}")
        return features
