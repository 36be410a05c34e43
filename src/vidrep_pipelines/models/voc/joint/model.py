"""A tokenizer and an occupancy model on its codes: trained together, taken apart afterwards."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.voc.joint.config import JointConfig
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer


class JointModel(nn.Module):
    """Both networks; all of it is in a checkpoint.

    Args:
        config: The architecture.
    """

    def __init__(self, config: JointConfig) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = VaeTokenizer(config.tokenizer)
        self.occupancy = VocModel(config.occupancy, self.tokenizer.codebook)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Frames of states (B, F, 3, S, S), prepared, to codes (B, F * h * w)."""
        codes = self.tokenizer.encode(rearrange(images, "b f c h w -> (b f) c h w"))
        return rearrange(codes, "(b f) h w -> b (f h w)", f=images.shape[1])

    @torch.no_grad()
    def share_codebook(self) -> None:
        """Gives the reward head the codebook as it is now."""
        if self.occupancy.codebook is not None:
            self.occupancy.codebook.copy_(self.tokenizer.codebook)


class PartFolders(NamedTuple):
    """Folders, each with a ``model.safetensors``."""

    tokenizer: Path
    occupancy: Path


def write_parts(weights: Path, folder: Path) -> PartFolders:
    """Divides the weights of a :class:`~vidrep_pipelines.models.voc.joint.model.JointModel`.

    Args:
        weights: A safetensors file of the whole model.
        folder: Receives the folders of the parts.
    """
    state = load_file(weights)
    parts = PartFolders(folder / "tokenizer", folder / "occupancy")
    for name, path in parts._asdict().items():
        _write(state, f"{name}.", path)
    return parts


def _write(state: Mapping[str, Tensor], prefix: str, folder: Path) -> None:
    part = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    write_weights(part, folder / "model.safetensors")
