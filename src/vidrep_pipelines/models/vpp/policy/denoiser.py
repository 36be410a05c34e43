"""The diffusion transformer that finds actions in noise (after MDT, arXiv 2407.05996, section IV).

An encoder reads goal, video and state; a decoder reads the noisy actions and looks at what the encoder made.
The encoder sees neither noise nor actions, so one pass serves all denoising steps. Shapes: tokens of goal,
video and state (B, M, D); a chunk of actions (B, A, a); noise levels (B,).
"""

from dataclasses import dataclass
from math import log
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.transformer import attend
from vidrep_pipelines.models.vpp.policy.config import DenoiserConfig

_INITIAL_DEVIATION = 0.02
_LONGEST_PERIOD = 10000.0


@dataclass(frozen=True)
class PolicyContext:
    """All that the decoder ever needs of goal, video and state.

    Attributes:
        tokens: (B, M, D) the encoder's output: goal, video tokens, state.
        keys: Of each decoder layer (B, M', D); M' are the tokens that some action sees.
        values: The same.
    """

    tokens: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


class ActionDenoiser(nn.Module):
    """Noisy actions, their noise level and what the policy sees, to the network's output F.

    Video tokens have their positions from the Video Former. Those of actions are encoded if that is asked
    for; else their order shows in what each of them may look at, as published.

    Args:
        config: The sizes.
        video_width: d, channels of the video tokens.
    """

    def __init__(self, config: DenoiserConfig, video_width: int) -> None:
        super().__init__()
        self.config = config
        D, state = config.width, config.proprioception
        self.goal_embedding = nn.Sequential(nn.Linear(config.goal, 2 * D), nn.GELU(), nn.Linear(2 * D, D))
        self.video_embedding = nn.Linear(video_width, D)
        self.state_embedding = None if state is None else _two_layers(state, D)
        self.action_embedding = nn.Linear(config.actions, D)
        positions = torch.zeros(config.chunk, D) if config.action_positions else None
        self.action_positions = None if positions is None else nn.Parameter(positions)
        self.sigma_embedding = _two_layers(D, D)
        self.encoder = nn.ModuleList(ContextBlock(config) for _ in range(config.encoder_layers))
        self.encoder_norm = nn.LayerNorm(D, bias=False)
        self.decoder = nn.ModuleList(ActionBlock(config) for _ in range(config.decoder_layers))
        self.decoder_norm = nn.LayerNorm(D, bias=False)
        self.action_head = nn.Linear(D, config.actions)
        self.apply(_initialize)
        if self.state_embedding is not None and config.freeze_proprioception:
            self.state_embedding.requires_grad_(False)

    def encode(self, video: Tensor, goal: Tensor, state: Tensor | None = None) -> PolicyContext:
        """Reads what does not change while actions are denoised.

        Args:
            video: (B, T, d) video tokens.
            goal: (B, 1, G).
            state: (B, 1, S), for policies that see it.

        Raises:
            InputError: Goal or state is missing, not asked for, or of another size.
        """
        self._require(goal, state)
        tokens = [self.goal_embedding(goal), self.video_embedding(video)]
        if self.state_embedding is not None:
            tokens.append(self.state_embedding(state))
        context = torch.cat(tokens, dim=1)
        for block in self.encoder:
            context = block(context)
        context = self.encoder_norm(context)
        # Tokens that no action may look at need no keys and values.
        seen = context[:, : self.config.chunk] if self.config.cross_causal else context
        pairs = [block.keys_and_values(seen) for block in self._action_blocks()]
        return PolicyContext(context, *zip(*pairs, strict=True))

    def forward(self, noisy: Tensor, sigma: Tensor, context: PolicyContext) -> Tensor:
        """The output F (B, A, a) for scaled noisy actions (B, A, a) and their noise levels (B,)."""
        level = self.sigma_embedding(sigma_features(sigma, self.config.width)).unsqueeze(1)
        tokens = self.action_embedding(noisy)
        if self.action_positions is not None:
            tokens = tokens + self.action_positions
        for block, keys, values in zip(self.decoder, context.keys, context.values, strict=True):
            tokens = block(tokens, level, keys, values)
        output: Tensor = self.action_head(self.decoder_norm(tokens))
        return output

    def _action_blocks(self) -> "list[ActionBlock]":
        return cast("list[ActionBlock]", list(self.decoder))

    def _require(self, goal: Tensor, state: Tensor | None) -> None:
        if goal.ndim != 3 or goal.shape[1:] != (1, self.config.goal):
            raise InputError(
                f"Goals are {tuple(goal.shape)}, the policy takes (B, 1, {self.config.goal}). Remedy: use "
                "the text model whose embeddings it was trained on (model.denoiser.goal)."
            )
        S = self.config.proprioception
        if (S is None) != (state is None):
            raise InputError(
                "The policy does not see the robot's state, and one is given. Remedy: leave it out, or set "
                "model.denoiser.proprioception and train."
                if S is None
                else "The policy sees the robot's state, and none is given. Remedy: give (B, 1, "
                f"{S}) numbers."
            )
        if state is not None and (state.ndim != 3 or state.shape[1:] != (1, S)):
            raise InputError(
                f"States are {tuple(state.shape)}, the policy takes (B, 1, {S}). Remedy: set "
                "model.denoiser.proprioception to what they have."
            )


def sigma_features(sigma: Tensor, width: int) -> Tensor:
    """Sines, then cosines, of ln(sigma) / 4 at falling frequencies: (B,) to (B, width)."""
    half = width // 2
    steps = torch.arange(half, device=sigma.device, dtype=sigma.dtype)
    angles = (sigma.log() / 4)[:, None] * torch.exp(steps * (-log(_LONGEST_PERIOD) / (half - 1)))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class PolicyAttention(nn.Module):
    """Tokens attend to themselves or to a context; biases before, none behind."""

    def __init__(self, config: DenoiserConfig, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal, self.dropout = config.heads, causal, config.attention_dropout
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, config.width, bias=False)
        self.output_dropout = nn.Dropout(config.residual_dropout)

    def keys_and_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """What tokens of the context (B, M, D) show and give, both (B, M, D)."""
        return self.key(context), self.value(context)

    def forward(self, tokens: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Tokens (B, N, D), and keys and values (B, M, D), to what is added to the tokens."""
        dropout = self.dropout if self.training else 0.0
        query = self.query(tokens)
        attended = attend(query, keys, values, self.heads, causal=self.causal, dropout=dropout)
        output: Tensor = self.output_dropout(self.output(attended))
        return output


class PolicyPerceptron(nn.Module):
    """Linear, exact GELU, linear, dropout; without biases."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, 4 * config.width, bias=False)
        self.fc2 = nn.Linear(4 * config.width, config.width, bias=False)
        self.dropout = nn.Dropout(config.perceptron_dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D) to what is added to them."""
        output: Tensor = self.dropout(self.fc2(F.gelu(self.fc1(tokens))))
        return output


class ContextBlock(nn.Module):
    """A layer of the encoder: every token sees every other."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, bias=False)
        self.attention = PolicyAttention(config, causal=False)
        self.perceptron_norm = nn.LayerNorm(config.width, bias=False)
        self.perceptron = PolicyPerceptron(config)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, M, D) to tokens."""
        normed = self.attention_norm(tokens)
        tokens = tokens + self.attention(normed, *self.attention.keys_and_values(normed))
        output: Tensor = tokens + self.perceptron(self.perceptron_norm(tokens))
        return output


class ActionBlock(nn.Module):
    """A layer of the decoder: actions see earlier actions and the context, and know their noise level.

    The level shifts, scales and gates as in DiT (arXiv 2212.09748, section 3.2), but as published it scales
    by s and not by 1 + s, and its weights do not start at zero.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        D = config.width
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(D, 6 * D))
        self.attention_norm = nn.LayerNorm(D, bias=False)
        self.attention = PolicyAttention(config, causal=True)
        self.cross_norm = nn.LayerNorm(D)
        self.cross_attention = PolicyAttention(config, causal=config.cross_causal)
        self.perceptron_norm = nn.LayerNorm(D, bias=False)
        self.perceptron = PolicyPerceptron(config)

    def keys_and_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """What the context (B, M', D) shows and gives to actions, both (B, M', D)."""
        return self.cross_attention.keys_and_values(context)

    def forward(self, tokens: Tensor, level: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Actions (B, A, D), noise level (B, 1, D), the context's keys and values (B, M', D), to actions."""
        shift, scale, gate, shift_2, scale_2, gate_2 = self.modulation(level).chunk(6, dim=-1)
        normed = shift + self.attention_norm(tokens) * scale
        tokens = tokens + gate * self.attention(normed, *self.attention.keys_and_values(normed))
        tokens = tokens + self.cross_attention(self.cross_norm(tokens), keys, values)
        normed = shift_2 + self.perceptron_norm(tokens) * scale_2
        output: Tensor = tokens + gate_2 * self.perceptron(normed)
        return output


def _two_layers(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 2 * width), nn.Mish(), nn.Linear(2 * width, width))


def _initialize(module: nn.Module) -> None:
    """Normal weights and zero biases of one linear layer; pass it to ``model.apply``."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=_INITIAL_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
