"""The published way of propagating labels: the whole affinity of a frame to its context at once."""

from collections import deque
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F


def published_window(height: int, width: int, radius: int) -> Tensor:
    """(cells, cells) float window of 1 and 0, cell by cell and neighbor by neighbor."""
    mask = torch.zeros(height, width, height, width)
    for row in range(height):
        for column in range(width):
            for down in range(-radius, radius + 1):
                for right in range(-radius, radius + 1):
                    if 0 <= row + down < height and 0 <= column + right < width:
                        mask[row, column, row + down, column + right] = 1
    return mask.reshape(height * width, height * width)


def published_step(
    target: Tensor, sources: Tensor, labels: Tensor, window: Tensor | None, top_k: int, temperature: float
) -> Tensor:
    """Soft labels (C, cells) of one frame.

    Args:
        target: Features (cells, D), not normalized.
        sources: Features (frames, D, cells) of the context, not normalized.
        labels: (C, frames * cells) of the context.
        window: (cells, cells) of 1 and 0.
        top_k: Affinities at least as large as the k-th largest are kept.
        temperature: Divides similarities.
    """
    frames = len(sources)
    unit_target = F.normalize(target, dim=1, p=2)[None].repeat(frames, 1, 1)
    unit_sources = F.normalize(sources, dim=1, p=2)
    affinity = torch.exp(torch.bmm(unit_target, unit_sources) / temperature)
    if window is not None:
        affinity *= window[None]
    affinity = affinity.transpose(2, 1).reshape(-1, len(target))
    least = torch.topk(affinity, dim=0, k=min(top_k, len(affinity))).values.min(dim=0).values
    affinity[affinity < least] = 0
    affinity = affinity / affinity.sum(dim=0, keepdim=True)
    return labels @ affinity


def published_propagation(
    features: Iterable[Tensor],
    first_labels: Tensor,
    window: Tensor | None,
    top_k: int,
    context_frames: int,
    temperature: float,
) -> Iterator[Tensor]:
    """Soft labels (C, h, w) of all frames but the first from features (D, h, w) of all frames."""
    stream = iter(features)
    first = next(stream).flatten(1)
    latest: deque[tuple[Tensor, Tensor]] = deque(maxlen=context_frames)
    for feature_map in stream:
        used = [first, *(feature for feature, _ in latest)]
        known = [first_labels.flatten(1), *(labels.flatten(1) for _, labels in latest)]
        cells = feature_map.flatten(1)
        soft = published_step(cells.T, torch.stack(used), torch.cat(known, dim=1), window, top_k, temperature)
        soft = soft.reshape(-1, *feature_map.shape[1:])
        latest.append((cells, soft))
        yield soft
