"""The tokenizer ``musik``: codes that keep what the agent controls."""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.models.layers.vector_quantizer import Quantized
from vidrep_pipelines.models.voc.tokenizers.convolutional import ConvolutionalTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig


class ActionEnergy(nn.Module):
    """How badly an action explains the way from one state to another; low for the action that was taken.

    Args:
        embedding_dimension: Numbers of a state's embedding.
        action_dimension: Numbers of an action.
        hidden_dimension: Channels inside.
    """

    def __init__(self, embedding_dimension: int, action_dimension: int, hidden_dimension: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * embedding_dimension + action_dimension, hidden_dimension, bias=False)
        self.norm = nn.BatchNorm1d(hidden_dimension)
        self.energy = nn.Linear(hidden_dimension, 1)

    def forward(self, state: Tensor, later: Tensor, actions: Tensor) -> Tensor:
        """States (B, E), later states (B, E) and candidate actions (B, N, A) to energies (B, N).

        What the states contribute is computed once, not once per candidate.
        """
        states = torch.cat([state, later], dim=1)
        weight = self.hidden.weight
        of_states, of_actions = weight[:, : states.shape[1]], weight[:, states.shape[1] :]
        hidden = F.linear(states, of_states)[:, None] + F.linear(actions, of_actions)
        normalized = self.norm(hidden.flatten(0, 1))
        energies: Tensor = self.energy(F.relu(normalized)).squeeze(1)
        return energies.reshape(actions.shape[:2])


class MusikTokenizer(ConvolutionalTokenizer):
    """MUSIK, quantized: the encoder of ``vae`` trained by multi-step inverse kinematics.

    Args:
        config: The architecture.
    """

    def __init__(self, config: MusikConfig) -> None:
        super().__init__(config.network, config.codes, config.pixels)
        self.config = config
        features = config.network.latent_channels * self.grid**2
        # The activation stands before the linear layer, as published.
        self.frame_head = nn.Sequential(nn.ReLU(), nn.Linear(features, config.dimension))
        self.action_energy = ActionEnergy(
            config.dimension * config.frame_stack, config.action_dimension, config.hidden_dimension
        )

    def embed(self, quantized: Quantized) -> Tensor:
        """The entries of B states of ``frame_stack`` frames each, (B * frame_stack, D, h, h), to (B, E)."""
        frames: Tensor = self.frame_head(self.from_latents(quantized.entries).flatten(1))
        return rearrange(frames, "(b f) e -> b (f e)", f=self.config.frame_stack)

    def forward(self, states: Tensor) -> tuple[Tensor, Quantized]:
        """States (B, frame_stack, 3, S, S) to embeddings (B, E) and what was quantized on the way."""
        quantized = self.quantize(self.latents(rearrange(states, "b f c h w -> (b f) c h w")))
        return self.embed(quantized), quantized
