"""Which cells of the feature grid may influence which, by index arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig, Variant


def window(height: int, width: int, radius: float, variant: Variant) -> Tensor:
    """(height * width, height * width) bool: True where source (column) is in the window of target (row).

    Cells are counted row by row. The relation is symmetric. A radius of 0 or less allows everything.
    """
    rows, columns = torch.arange(height), torch.arange(width)
    cells = height * width
    return (
        _inside(rows, rows, columns, radius, variant)
        .expand(height, width, height, width)
        .reshape(cells, cells)
    )


@dataclass(frozen=True)
class TargetBlock:
    """Targets that are treated together. Both ranges count cells in memory order."""

    targets: slice
    sources: slice
    """The smallest contiguous range that holds the windows of all targets."""
    outside: Tensor | None
    """(targets, sources) bool, True outside of a target's window; None when everything is inside."""


def blocks(
    lines: int, length: int, lines_per_block: int, config: PropagationConfig, device: torch.device
) -> Iterator[TargetBlock]:
    """Cuts a grid of ``lines`` x ``length`` cells, stored line by line, into blocks of whole lines.

    Sources outside the lines that a window reaches are left out, so that a narrow window saves
    multiplications: the fraction that is left is about (2 * radius + lines_per_block) / lines.
    """
    reach = int(config.radius) if config.radius > 0 else lines
    places = torch.arange(length, device=device)
    for start in range(0, lines, lines_per_block):
        stop = min(start + lines_per_block, lines)
        low, high = max(0, start - reach), min(lines, stop + reach)
        inside = _inside(
            torch.arange(start, stop, device=device),
            torch.arange(low, high, device=device),
            places,
            config.radius,
            config.variant,
        )
        shape = (stop - start, length, high - low, length)
        outside = ~inside.expand(shape).reshape((stop - start) * length, (high - low) * length)
        yield TargetBlock(
            slice(start * length, stop * length),
            slice(low * length, high * length),
            outside if bool(outside.any()) else None,
        )


def _inside(targets: Tensor, sources: Tensor, places: Tensor, radius: float, variant: Variant) -> Tensor:
    """Broadcastable to (targets, places, sources, places) bool."""
    across = (targets[:, None] - sources[None, :]).abs()[:, None, :, None]
    along = (places[:, None] - places[None, :]).abs()[None, :, None, :]
    if radius <= 0:
        return torch.ones((1, 1, 1, 1), dtype=torch.bool, device=targets.device)
    if variant == "dino":
        return (across <= radius) & (along <= radius)
    distance = across**2 + along**2
    return distance <= radius**2 if variant == "dinov3" else distance < radius**2


def unit_features(features: Tensor) -> Tensor:
    """Features (N, D) with L2 norm 1 along D (a norm below 1e-12 counts as 1e-12), float32."""
    return F.normalize(features.detach().float(), dim=-1, eps=1e-12)


def dot_products(targets: Tensor, sources: Tensor) -> Tensor:
    """(N, D) and (M, D) to (N, M), in the type of the inputs.

    PyTorch multiplies float32 matrices with MKL, which on AMD processors leaves half of the vector
    width unused. oneDNN, which PyTorch brings along for its compiler, does not: 2.2 times as fast there.
    """
    if targets.device.type == "cpu" and targets.dtype == torch.float32 and _has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(targets, sources, None, "none", [], "")
        return product
    return targets @ sources.T


def _has_onednn() -> bool:
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")
