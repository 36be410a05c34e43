"""All variants of propagation, target by target and in double precision: slow, and plain to read."""

import math

import torch
from torch import Tensor

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig

Cell = tuple[int, int]


def propagate_slowly(features: Tensor, first_labels: Tensor, config: PropagationConfig) -> Tensor:
    """(T, C, h, w) from features (T, D, h, w) and labels (C, h, w)."""
    unit = features.double() / features.double().norm(dim=1, keepdim=True).clamp_min(1e-12)
    labels = [first_labels.double()]
    for target in range(1, len(features)):
        labels.append(_one_frame(unit, labels, target, config))
    return torch.stack(labels)


def _one_frame(unit: Tensor, labels: list[Tensor], target: int, config: PropagationConfig) -> Tensor:
    height, width = unit.shape[2:]
    result = torch.zeros_like(labels[0])
    for row in range(height):
        for column in range(width):
            result[:, row, column] = _one_cell(unit, labels, target, (row, column), config)
    return result


def _one_cell(
    unit: Tensor, labels: list[Tensor], target: int, cell: Cell, config: PropagationConfig
) -> Tensor:
    found: list[tuple[float, Tensor]] = []
    query = unit[target, :, cell[0], cell[1]]
    for place, frame in enumerate(_context(target, config)):
        free = config.variant == "videowalk" and place == 0
        for row in range(unit.shape[2]):
            for column in range(unit.shape[3]):
                if free or _inside(row - cell[0], column - cell[1], config):
                    similarity = float(query @ unit[frame, :, row, column])
                    found.append((similarity, labels[frame][:, row, column]))
    found.sort(key=lambda pair: -pair[0])
    kept = found[: config.top_k]
    if config.variant != "videowalk":
        kept = [pair for pair in found if pair[0] >= kept[-1][0] - 1e-12]
    weights = torch.tensor([math.exp(similarity / config.temperature) for similarity, _ in kept]).double()
    return torch.stack([values for _, values in kept], dim=1) @ (weights / weights.sum())


def _context(target: int, config: PropagationConfig) -> list[int]:
    if config.variant != "videowalk":
        return [0] + [frame for frame in range(1, target) if frame >= target - config.context_frames]
    padded = [0] * config.context_frames + list(range(target))
    return [0, *padded[target : target + config.context_frames]]


def _inside(down: int, right: int, config: PropagationConfig) -> bool:
    if config.radius <= 0:
        return True
    if config.variant == "dino":
        return max(abs(down), abs(right)) <= config.radius
    distance = math.sqrt(down**2 + right**2)
    return distance <= config.radius if config.variant == "dinov3" else distance < config.radius
