"""A head that chooses for itself which tokens of a clip matter."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.evaluation.clip_probe.classifiers import Scores
from vidrep_pipelines.evaluation.clip_probe.clip_features import ClipFeatures
from vidrep_pipelines.evaluation.clip_probe.config import AttentiveClipsConfig

_WARMUP_SHARE = 0.1


class AttentiveHead(nn.Module):
    """One learned query over the tokens of a clip (Bardes et al. 2024, "V-JEPA", section 4.2; one layer).

    Args:
        dimension: Width of tokens.
        classes: Number of classes.
        config: Width and heads of the attention.
    """

    def __init__(self, dimension: int, classes: int, config: AttentiveClipsConfig) -> None:
        super().__init__()
        # Encoders' features differ in scale by orders; without the norm a learning rate means nothing.
        self.tokens = nn.Sequential(nn.LayerNorm(dimension), nn.Linear(dimension, config.width))
        self.query = nn.Parameter(torch.zeros(1, 1, config.width))
        self.attention = nn.MultiheadAttention(config.width, config.heads, batch_first=True)
        self.norm = nn.LayerNorm(config.width)
        self.classes = nn.Linear(config.width, classes)
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to logits (B, C)."""
        projected = self.tokens(tokens)
        query = self.query.expand(len(tokens), -1, -1)
        pooled = self.attention(query, projected, projected, need_weights=False)[0]
        logits: Tensor = self.classes(self.norm(pooled[:, 0]))
        return logits


def train_attentive_head(
    train: ClipFeatures,
    classes: int,
    learning_rate: float,
    config: AttentiveClipsConfig,
    seed: int,
    device: torch.device,
) -> AttentiveHead:
    """Trains a head on clips; equal arguments give an equal head on one kind of device.

    Args:
        train: The clips.
        classes: Number of classes.
        learning_rate: Its peak, after a warm-up; then along a cosine to nothing.
        config: Epochs, batches, sizes.
        seed: First weights and the order of batches follow from it.
        device: Does the work.
    """
    head = _initialized(train.means.shape[1], classes, config, seed).to(device).train()
    optimizer = torch.optim.AdamW(head.parameters(), learning_rate, weight_decay=config.weight_decay)
    size = min(config.batch_size, len(train))
    per_epoch = math.ceil(len(train) / size)
    total = config.epochs * per_epoch
    warmup = max(1, round(_WARMUP_SHARE * total))
    with torch.enable_grad():
        for epoch in range(config.epochs):
            order = generator_for("attentive probe", seed, epoch).permutation(len(train))
            for batch, places in enumerate(np.array_split(order, per_epoch)):
                step = epoch * per_epoch + batch
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate * _scale(step, warmup, total)
                labels = torch.from_numpy(train.labels[places]).to(device)
                loss = functional.cross_entropy(head(train.tokens(places).to(device)), labels)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return head.eval()


@torch.no_grad()
def attentive_scores(
    head: AttentiveHead, clips: ClipFeatures, config: AttentiveClipsConfig, device: torch.device
) -> Scores:
    """(N, C) logits of clips."""
    batches = np.array_split(np.arange(len(clips)), math.ceil(len(clips) / config.batch_size))
    logits = [head(clips.tokens(places).to(device)).float().cpu() for places in batches]
    scores: Scores = torch.cat(logits).numpy()
    return scores


def _initialized(dimension: int, classes: int, config: AttentiveClipsConfig, seed: int) -> AttentiveHead:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for("attentive probe", seed))
        return AttentiveHead(dimension, classes, config)


def _scale(step: int, warmup: int, total: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))) / 2
