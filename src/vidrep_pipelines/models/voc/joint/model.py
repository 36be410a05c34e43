"""A tokenizer and an occupancy model on its codes."""

import torch
from torch import Tensor, nn

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
        return self.tokenizer.encode(images.flatten(0, 1)).reshape(len(images), -1)

    @torch.no_grad()
    def share_codebook(self) -> None:
        """Gives the reward head the codebook as it is now."""
        if self.occupancy.codebook is not None:
            self.occupancy.codebook.copy_(self.tokenizer.codebook)
