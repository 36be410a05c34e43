"""The occupancy GPT that VOC benchmarks run, at the published size, in both layouts."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.reference.voc_published import Weights
from vidrep_pipelines.models.voc.checkpoint_io import to_original
from vidrep_pipelines.models.voc.config import VocPreset
from vidrep_pipelines.models.voc.gpt import Gpt


@dataclass(frozen=True)
class Networks:
    """The same random weights for both sides."""

    gpt: Gpt
    published: Weights
    heads: int
    prompts: Tensor

    @property
    def tokens(self) -> int:
        """Tokens T of a state."""
        return self.prompts.shape[1]


def build_networks(batch: int) -> Networks:
    """The GPT over VAE tokens as it was trained, and prompts (batch, 75)."""
    config = VocPreset.published("vae").model
    torch.manual_seed(0)
    gpt = Gpt(config.gpt, config.state_tokens).eval()
    prompts = torch.randint(config.gpt.vocabulary, (batch, config.state_tokens))
    return Networks(gpt, to_original(gpt.state_dict()), config.gpt.heads, prompts)
