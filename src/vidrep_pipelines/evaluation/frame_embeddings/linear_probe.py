"""Linear probe: which fine-grained class is a frame of, from its embedding alone (FineGym 99 and 288)?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.evaluation.frame_embeddings.config import LinearProbeConfig
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet


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
    train: EmbeddingSet,
    validation: EmbeddingSet,
    classes: int,
    config: LinearProbeConfig,
    fractions: Sequence[float] = (0.1, 0.5, 1.0),
    device: str | torch.device = "cpu",
) -> list[LinearProbe]:
    """Trains a linear softmax classifier on frames, for shares of the videos.

    Frames without a label, and the videos that have no other ones, are left out. A fraction takes the first
    videos, at least those of one batch.

    Args:
        train: Training videos.
        validation: Validation videos.
        classes: Number of classes: 99 or 288 in FineGym.
        config: Training.
        fractions: Shares of the training videos; the last one is the headline. Supervised models: 1.
        device: The device to compute on.

    Raises:
        InputError: There is no labelled frame, or a label is not one of the classes.
    """
    train, validation = _checked(train, classes, "training"), _checked(validation, classes, "validation")
    results = []
    for fraction in fractions:
        part = train.first(fraction, config.videos_per_batch)
        probe = _trained(part, classes, config, device)
        results.append(_outcome(probe, part, validation, fraction, device))
    return results


def _checked(videos: EmbeddingSet, classes: int, name: str) -> EmbeddingSet:
    labelled = videos.labelled()
    if not len(labelled):
        raise InputError(f"Linear probe: not one frame of the {len(videos)} {name} videos has a label.")
    for video in labelled.videos:
        if video.phases.max() >= classes:
            raise InputError(
                f"Linear probe: {video.id} has the class {video.phases.max()}, there are {classes}. "
                "Remedy: set classes to those of the element lists."
            )
    return labelled


def _outcome(
    probe: nn.Linear,
    train: EmbeddingSet,
    validation: EmbeddingSet,
    fraction: float,
    device: str | torch.device,
) -> LinearProbe:
    frames, truth = train.stacked()
    held_out, held_out_truth = validation.stacked()
    predictions = _predictions(probe, held_out, device)
    right = predictions == held_out_truth
    starts = np.cumsum([0, *validation.lengths[:-1]])
    return LinearProbe(
        fraction,
        train_accuracy=float((_predictions(probe, frames, device) == truth).mean()),
        accuracy=float(right.mean()),
        correct=np.add.reduceat(right.astype(np.int64), starts),
        predictions=predictions,
    )


def _trained(
    train: EmbeddingSet, classes: int, config: LinearProbeConfig, device: str | torch.device
) -> nn.Linear:
    embeddings, labels = train.stacked()
    frames, truth = _tensor(embeddings, device), torch.tensor(labels, device=device).long()
    probe = _initialized(embeddings.shape[1], classes, config.seed).to(device)
    optimizer = torch.optim.SGD(
        probe.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay
    )
    ends = np.cumsum(train.lengths)
    for epoch in range(config.epochs):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 + math.cos(math.pi * epoch / config.epochs)) / 2
        for videos in _batches(len(train), epoch, config):
            rows = torch.cat(
                [torch.arange(ends[video] - train.lengths[video], ends[video]) for video in videos]
            )
            rows = rows.to(device)
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


def _initialized(width: int, classes: int, seed: int) -> nn.Linear:
    """Torch's usual weights, from the seed alone."""
    generator = torch.Generator().manual_seed(seed_for("linear probe", seed))
    probe = nn.Linear(width, classes)
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter.uniform_(-(width**-0.5), width**-0.5, generator=generator)
    return probe


@torch.no_grad()
def _predictions(
    probe: nn.Linear, frames: NDArray[np.floating], device: str | torch.device
) -> NDArray[np.int64]:
    classes: NDArray[np.int64] = probe(_tensor(frames, device)).argmax(dim=1).cpu().numpy()
    return classes


def _tensor(frames: NDArray[np.floating], device: str | torch.device) -> Tensor:
    return torch.tensor(frames, dtype=torch.float32, device=device)
