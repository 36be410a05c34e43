"""The published RSP training step, computed plainly: what our faster one is measured and checked against.

Freshly written from the paper's equations (arXiv 2406.07398). Nothing is shared with the package: three
separate encoder passes, three decoder passes of which one only feeds a log value, attention written out as
matrix products and a softmax. Parameter names are those of the published checkpoints.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6


@dataclass(frozen=True)
class PublishedSettings:
    """Sizes and loss weights, under the names of the published constructor; the defaults are ViT-S/16."""

    img_size: int = 224
    patch_size: int = 16
    in_chans: int = 3
    embed_dim: int = 384
    depth: int = 12
    num_heads: int = 6
    mlp_ratio: float = 4.0
    stoch: int = 32
    discrete: int = 32
    decoder_embed_dim: int = 512
    decoder_depth: int = 8
    decoder_num_heads: int = 16
    norm_pix_loss: bool = True
    kl_scale: float = 0.01
    kl_balance: float = 0.2
    kl_freebit: float = 0.1
    mask_ratio: float = 0.75
    noise_scale: float = 0.5


@dataclass(frozen=True)
class PublishedNoise:
    """Everything random in one step: pixel noise, mask noise and the drawn classes of both latents."""

    target: Tensor
    mask: Tensor
    post_index: Tensor
    prior_index: Tensor


def position_table(dim: int, grid: int) -> Tensor:
    """Fixed positions (1, 1 + grid * grid, dim): a zero row, then columns in the first half of channels."""
    frequencies = 10000.0 ** (-np.arange(dim // 4) / (dim / 4))
    rows, columns = np.divmod(np.arange(grid * grid), grid)
    halves = [np.outer(index, frequencies) for index in (columns, rows)]
    waves = [wave(half) for half in halves for wave in (np.sin, np.cos)]
    table = np.concatenate([np.zeros((1, dim)), np.concatenate(waves, axis=1)])
    return torch.from_numpy(table).float().unsqueeze(0)


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Unfused attention of (B, N, D) queries to (B, M, D) keys and values."""

    def split(tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)

    query, key, value = split(query), split(key), split(value)
    weights = (query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5).softmax(dim=-1)
    output: Tensor = (weights @ value).transpose(1, 2).flatten(2)
    return output


class SelfAttention(nn.Module):
    """Queries, keys and values from the same tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to (B, N, D)."""
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        return self.proj(attend(query, key, value, self.heads))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens (B, N, D) and context (B, M, D) to (B, N, D)."""
        key, value = self.kv(context).chunk(2, dim=-1)
        return self.proj(attend(self.q(tokens), key, value, self.heads))  # type: ignore[no-any-return]


class Perceptron(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to (B, N, D)."""
        return self.fc2(F.gelu(self.fc1(tokens)))  # type: ignore[no-any-return]


class EncoderBlock(nn.Module):
    """Pre-norm self-attention and perceptron."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, EPSILON)
        self.attn = SelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, EPSILON)
        self.mlp = Perceptron(dim, int(dim * mlp_ratio))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to (B, N, D)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))  # type: ignore[no-any-return]


class DecoderBlock(nn.Module):
    """Cross-attention to the context, self-attention, perceptron."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, EPSILON)
        self.norm_kv1 = nn.LayerNorm(dim, EPSILON)
        self.cattn = CrossAttention(dim, heads)
        self.norm3 = nn.LayerNorm(dim, EPSILON)
        self.attn = SelfAttention(dim, heads)
        self.norm4 = nn.LayerNorm(dim, EPSILON)
        self.mlp2 = Perceptron(dim, int(dim * mlp_ratio))

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens (B, N, D) and context (B, M, D) to (B, N, D)."""
        tokens = tokens + self.cattn(self.norm1(tokens), self.norm_kv1(context))
        tokens = tokens + self.attn(self.norm3(tokens))
        return tokens + self.mlp2(self.norm4(tokens))  # type: ignore[no-any-return]


class PatchEmbedding(nn.Module):
    """A convolution whose stride is its size."""

    def __init__(self, channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to tokens (B, L, D)."""
        return self.proj(images).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class PublishedRsp(nn.Module):
    """Encoder, stochastic heads and decoder in one module, with the published parameter names."""

    def __init__(self, settings: PublishedSettings) -> None:
        super().__init__()
        self.settings = s = settings
        grid, dim, decoder_dim = s.img_size // s.patch_size, s.embed_dim, s.decoder_embed_dim
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.pos_embed = nn.Parameter(position_table(dim, grid), requires_grad=False)
        self.mask_token = nn.Parameter(torch.randn(1, 1, decoder_dim) * 0.02)
        self.decoder_pos_embed = nn.Parameter(position_table(decoder_dim, grid), requires_grad=False)
        self.patch_embed = PatchEmbedding(s.in_chans, dim, s.patch_size)
        self.blocks = nn.ModuleList(EncoderBlock(dim, s.num_heads, s.mlp_ratio) for _ in range(s.depth))
        self.norm = nn.LayerNorm(dim, EPSILON)
        latent = s.stoch * s.discrete
        self.to_posterior = nn.Sequential(nn.Linear(2 * dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, latent))
        self.to_prior = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, latent))
        self.decoder_embed_mae = nn.Linear(dim, decoder_dim)
        self.decoder_embed_deter = nn.Linear(dim, decoder_dim)
        self.decoder_embed_stoch = nn.Linear(latent, decoder_dim)
        self.decoder_blocks = nn.ModuleList(
            DecoderBlock(decoder_dim, s.decoder_num_heads, s.mlp_ratio) for _ in range(s.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(decoder_dim, EPSILON)
        self.decoder_pred = nn.Linear(decoder_dim, s.patch_size**2 * s.in_chans)

    def encode(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        """Tokens (B, 1 + N, E) of all patches, or of those whose positions (B, N) are given."""
        tokens = self.patch_embed(images) + self.pos_embed[:, 1:]
        if keep is not None:
            tokens = torch.stack([sample[index] for sample, index in zip(tokens, keep, strict=True)])
        start = (self.cls_token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        tokens = torch.cat([start, tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)  # type: ignore[no-any-return]

    def decode(self, context: Tensor) -> Tensor:
        """Predicted patches (B, L, P) from a context sequence."""
        tokens = (self.mask_token + self.decoder_pos_embed).expand(len(context), -1, -1)
        for block in self.decoder_blocks:
            tokens = block(tokens, context)
        return self.decoder_pred(self.decoder_norm(tokens))[:, 1:]  # type: ignore[no-any-return]

    def sample(self, logits: Tensor, index: Tensor) -> Tensor:
        """The drawn classes as one-hot vectors, with the gradient of their probabilities."""
        probabilities = logits.softmax(dim=-1)
        return F.one_hot(index, self.settings.discrete).float() + probabilities - probabilities.detach()

    def decode_future(self, source: Tensor, sample: Tensor) -> Tensor:
        """Predicted patches of the target from the source tokens and a sample (B, S, C)."""
        latent = self.decoder_embed_stoch(sample.flatten(1)).unsqueeze(1)
        deterministic = self.decoder_embed_deter(source) + self.decoder_pos_embed
        return self.decode(torch.cat([latent, deterministic], dim=1))

    def decode_masked(self, tokens: Tensor, restore: Tensor) -> Tensor:
        """Predicted patches of the target from its visible tokens."""
        tokens = self.decoder_embed_mae(tokens)
        missing = self.mask_token.expand(len(tokens), restore.shape[1] + 1 - tokens.shape[1], -1)
        patches = torch.cat([tokens[:, 1:], missing], dim=1)
        patches = torch.stack([sample[index] for sample, index in zip(patches, restore, strict=True)])
        return self.decode(torch.cat([tokens[:, :1], patches], dim=1) + self.decoder_pos_embed)

    def patches(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as rows of patches (B, L, p * p * C), channel fastest."""
        size = self.settings.patch_size
        tiles = images.unfold(2, size, size).unfold(3, size, size)
        return tiles.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)

    def forward(self, source: Tensor, target: Tensor, noise: PublishedNoise) -> dict[str, Tensor]:
        """One training forward pass; returns the loss, its parts and every intermediate value."""
        s = self.settings
        order = noise.mask.argsort(dim=1)
        keep = order[:, : int(order.shape[1] * (1 - s.mask_ratio))]
        mask = torch.ones_like(noise.mask).scatter(1, keep, 0.0)
        restore = order.argsort(dim=1)

        src_h = self.encode(source)
        tgt_h = self.encode(target + s.noise_scale * noise.target)
        img_h = self.encode(target, keep)
        shape = (-1, s.stoch, s.discrete)
        posterior = self.to_posterior(torch.cat([src_h[:, 0], tgt_h[:, 0]], dim=-1)).reshape(shape)
        prior = self.to_prior(src_h[:, 0]).reshape(shape)

        pred_post = self.decode_future(src_h, self.sample(posterior, noise.post_index))
        with torch.no_grad():
            pred_prior = self.decode_future(src_h, self.sample(prior, noise.prior_index))
        pred_mae = self.decode_masked(img_h, restore)

        target_patches = wanted = self.patches(target)
        if s.norm_pix_loss:
            deviation = (wanted.var(-1, keepdim=True) + EPSILON).sqrt()
            wanted = (wanted - wanted.mean(-1, keepdim=True)) / deviation
        loss_post, loss_prior = F.mse_loss(pred_post, wanted), F.mse_loss(pred_prior, wanted)
        mae_loss = (((pred_mae - wanted) ** 2).mean(-1) * mask).sum() / mask.sum()
        kl_value = s.kl_balance * divergence(posterior, prior.detach())
        kl_value = kl_value + (1 - s.kl_balance) * divergence(posterior.detach(), prior)
        kl_loss = kl_value.clamp(min=s.kl_freebit)
        return {
            "loss": loss_post + s.kl_scale * kl_loss + mae_loss,
            "loss_post": loss_post, "loss_prior": loss_prior, "mae_loss": mae_loss,
            "kl_loss": kl_loss, "kl_value": kl_value,
            "src_h": src_h, "tgt_h": tgt_h, "img_h": img_h, "mask": mask, "ids_restore": restore,
            "post_logits": posterior.flatten(1), "prior_logits": prior.flatten(1),
            "pred_post": pred_post, "pred_prior": pred_prior, "pred_mae": pred_mae,
            "target_patches": target_patches,
        }  # fmt: skip


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """KL divergence of categorical logits (B, S, C) in nats, summed over variables, mean over the batch."""
    log_first, log_second = first.log_softmax(-1), second.log_softmax(-1)
    return (log_first.exp() * (log_first - log_second)).sum((1, 2)).mean()


def draw_noise(batch: int, settings: PublishedSettings, seed: int) -> PublishedNoise:
    """Random inputs of one step."""
    generator = torch.Generator().manual_seed(seed)
    patches, size = (settings.img_size // settings.patch_size) ** 2, settings.img_size
    index = [torch.randint(settings.discrete, (batch, settings.stoch), generator=generator) for _ in range(2)]
    return PublishedNoise(
        target=torch.randn(batch, settings.in_chans, size, size, generator=generator),
        mask=torch.rand(batch, patches, generator=generator),
        post_index=index[0],
        prior_index=index[1],
    )
