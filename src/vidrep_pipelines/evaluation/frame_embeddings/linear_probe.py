"""Linear probe: which fine-grained class is a frame of, from its embedding alone (FineGym 99 and 288)?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet


class LinearProbeConfig(FrozenConfig):
    """How the probe is trained. Defaults are the published values (arXiv 2203.14957, section 4)."""

    classes: int = Field(99, ge=2)
    """Number of classes; FineGym has lists for 99 and 288."""

    learning_rate: float = Field(50.0, gt=0)
    """Of the first epoch; so large because embeddings have unit length. Supervised models: 0.1."""

    momentum: float = Field(0.9, ge=0, lt=1)
    """Of stochastic gradient descent."""

    weight_decay: float = Field(1e-6, ge=0)
    """As a part of the gradient."""

    epochs: int = Field(100, ge=1)
    """Passes over the training videos; the rate falls with half a cosine, epoch by epoch."""

    videos_per_batch: int = Field(10, ge=1)
    """A batch is all labelled frames of so many videos; what is left over is not used in that epoch."""

    fractions: tuple[float, ...] = Field((0.1, 0.5, 1.0), min_length=1)
    """Shares of the training videos; the last one is the headline. Supervised models: 1."""

    seed: int = 0
    """Of the first weights and of the order."""


@dataclass(frozen=True)
class LinearProbe:
    """Outcome for one share of the training videos.

    Attributes:
        fraction: Share of the training videos, in (0, 1].
        train_accuracy: Correct frames among those trained on, in [0, 1].
        accuracy: Correct frames among all labelled validation frames, in [0, 1].
        correct: (V,) correct frames of each validation video.
        predictions: (N,) predicted class of every labelled validation frame.
    """

    fraction: float
    train_accuracy: float
    accuracy: float
    correct: NDArray[np.int64]
    predictions: NDArray[np.int64]


def probe_classes(
    train: EmbeddingSet, validation: EmbeddingSet, config: LinearProbeConfig, device: str = "cpu"
) -> list[LinearProbe]:
    """Trains a linear softmax classifier on frames, for shares of the videos.

    Frames without a label, and the videos that have no other ones, are left out. A fraction takes the first
    videos, at least those of one batch.

    Args:
        train: Training videos.
        validation: Validation videos.
        config: Classes and training.
        device: Where to compute.

    Raises:
        InputError: There is no labelled frame, or a label is not one of the classes.
    """
    train, validation = _checked(train, config, "training"), _checked(validation, config, "validation")
    return [
        _probe(train.first(fraction, config.videos_per_batch), validation, fraction, config, device)
        for fraction in config.fractions
    ]


def _checked(videos: EmbeddingSet, config: LinearProbeConfig, name: str) -> EmbeddingSet:
    labelled = videos.labelled()
    if not len(labelled):
        raise InputError(f"Linear probe: not one frame of the {len(videos)} {name} videos has a label.")
    for video in labelled.videos:
        if video.phases.max() >= config.classes:
            raise InputError(
                f"Linear probe: {video.id} has the class {video.phases.max()}, there are {config.classes}. "
                "Remedy: set classes to those of the element lists."
            )
    return labelled


def _probe(
    train: EmbeddingSet, validation: EmbeddingSet, fraction: float, config: LinearProbeConfig, device: str
) -> LinearProbe:
    frames, truth = train.stacked()
    probe = _trained(
        _tensor(frames, device), torch.tensor(truth, device=device).long(), train.lengths, config
    )
    train_right = _predictions(probe, frames, device) == truth
    held_out, held_out_truth = validation.stacked()
    predictions = _predictions(probe, held_out, device)
    right = predictions == held_out_truth
    starts = np.cumsum([0, *validation.lengths[:-1]])
    return LinearProbe(
        fraction,
        train_accuracy=float(train_right.mean()),
        accuracy=float(right.mean()),
        correct=np.add.reduceat(right.astype(np.int64), starts),
        predictions=predictions,
    )


def _trained(
    frames: Tensor, truth: Tensor, lengths: NDArray[np.int64], config: LinearProbeConfig
) -> nn.Linear:
    probe = _initialized(frames.shape[1], config).to(frames.device)
    optimizer = torch.optim.SGD(
        probe.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay
    )
    ends = np.cumsum(lengths)
    for epoch in range(config.epochs):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 + math.cos(math.pi * epoch / config.epochs)) / 2
        for videos in _batches(len(lengths), epoch, config):
            rows = torch.cat([torch.arange(ends[video] - lengths[video], ends[video]) for video in videos])
            rows = rows.to(frames.device)
            loss = functional.cross_entropy(probe(frames[rows]), truth[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return probe


def _batches(videos: int, epoch: int, config: LinearProbeConfig) -> Iterator[Sequence[int]]:
    """The videos of each batch; all of them at once if they make no whole batch."""
    order = generator_for("linear probe", config.seed, epoch).permutation(videos).tolist()
    size = min(config.videos_per_batch, videos)
    for start in range(0, videos - size + 1, size):
        yield order[start : start + size]


def _initialized(width: int, config: LinearProbeConfig) -> nn.Linear:
    """Torch's usual weights, from the seed alone."""
    generator = torch.Generator().manual_seed(seed_for("linear probe", config.seed))
    probe = nn.Linear(width, config.classes)
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter.uniform_(-(width**-0.5), width**-0.5, generator=generator)
    return probe


@torch.no_grad()
def _predictions(probe: nn.Linear, frames: NDArray[np.floating], device: str) -> NDArray[np.int64]:
    classes: NDArray[np.int64] = probe(_tensor(frames, device)).argmax(dim=1).cpu().numpy()
    return classes


def _tensor(frames: NDArray[np.floating], device: str) -> Tensor:
    return torch.tensor(frames, dtype=torch.float32, device=device)
