"""Finds each target's most similar sources among all context frames, without sorting all similarities.

Similarities are ranked in two steps. The maximum over the context frames of each source place is an
elementwise operation; a place whose maximum is not among the k largest maxima need not be looked at,
because there are k similarities at least as large elsewhere. So only k places, in all frames, are left to be
ranked. The window is a matter of places too, and is applied to the maxima.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.neighborhood import TargetBlock, dot_products

SCREENED_PER_KEPT = 4  # sources ranked in bfloat16 for each one that is kept


@dataclass(frozen=True)
class KeptSources:
    """The kept sources of B targets, best first."""

    similarity: Tensor
    """(B, K) float32, minus infinity where the window holds fewer than K sources."""
    position: Tensor
    """(B, K) index into the context's list of frames."""
    cell: Tensor
    """(B, K) index of the source in its frame."""

    def first(self, count: int) -> "KeptSources":
        """The best ``count`` of them."""
        return KeptSources(self.similarity[:, :count], self.position[:, :count], self.cell[:, :count])

    def weights(self, temperature: float) -> Tensor:
        """(B, K) softmax of the similarities."""
        return torch.softmax(self.similarity / temperature, dim=1)


class BlockScores:
    """Similarities of one block of targets to its sources in every frame of the context.

    Args:
        targets: Unit features (B, D).
        frames: Unit features (cells, D) of each context frame; a frame that is there twice is computed once.
        block: Which cells are targets and sources.
        first_unrestricted: Whether the window leaves the context's first entry alone.
    """

    def __init__(
        self, targets: Tensor, frames: Sequence[Tensor], block: TargetBlock, first_unrestricted: bool
    ) -> None:
        self.sources, self.outside = block.sources, block.outside
        computed: dict[int, Tensor] = {}
        for frame in frames[1:] if first_unrestricted else frames:
            if frame.data_ptr() not in computed:
                computed[frame.data_ptr()] = dot_products(targets, frame[block.sources])
        self.free = dot_products(targets, frames[0]) if first_unrestricted else None
        self.windowed = [computed[frame.data_ptr()] for frame in frames[int(first_unrestricted) :]]

    def best(self, count: int) -> KeptSources:
        """The ``count`` largest similarities of each target, or all of them when there are fewer."""
        parts = [self._windowed_candidates(count)] if self.windowed else []
        if self.free is not None:
            values, cells = self.free.topk(min(count, self.free.shape[1]), dim=1)
            parts.insert(0, KeptSources(values, torch.zeros_like(cells), cells))
        values = torch.cat([part.similarity for part in parts], dim=1)
        positions = torch.cat([part.position for part in parts], dim=1)
        cells = torch.cat([part.cell for part in parts], dim=1)
        return _top(values, positions, cells, count)

    def _windowed_candidates(self, count: int) -> KeptSources:
        """Every frame's similarity at the ``count`` places with the largest maxima."""
        maxima = _elementwise_maximum(self.windowed)
        if self.outside is not None:
            maxima.masked_fill_(self.outside, float("-inf"))
        places = maxima.topk(min(count, maxima.shape[1]), dim=1)
        values = torch.stack([scores.gather(1, places.indices) for scores in self.windowed], dim=2)
        values.masked_fill_(places.values[:, :, None].isneginf(), float("-inf"))
        first = 0 if self.free is None else 1
        positions = torch.arange(first, first + len(self.windowed), device=values.device).expand_as(values)
        cells = (places.indices + self.sources.start)[:, :, None].expand_as(values)
        return KeptSources(values.flatten(1), positions.flatten(1), cells.flatten(1))

    def rows(self, targets: Tensor) -> Tensor:
        """(R, frames, sources) similarities of the targets (R,), minus infinity outside the window."""
        scores = torch.stack([scores[targets] for scores in self.windowed], dim=1)
        if self.outside is not None:
            scores.masked_fill_(self.outside[targets][:, None], float("-inf"))
        return scores


def select(
    targets: Tensor, frames: Sequence[Tensor], block: TargetBlock, count: int, config: PropagationConfig
) -> tuple[KeptSources, BlockScores]:
    """The ``count`` most similar sources of a block's targets (B, D), and the scores they were taken from."""
    free = config.variant == "videowalk"
    if config.precision == "fp32":
        scores = BlockScores(targets, frames, block, free)
        return scores.best(count), scores
    scores = BlockScores(targets.to(frames[0].dtype), frames, block, free)
    return _refine(scores.best(SCREENED_PER_KEPT * count), targets, frames, count), scores


def _refine(screened: KeptSources, targets: Tensor, frames: Sequence[Tensor], count: int) -> KeptSources:
    """The best of the screened sources by similarities in float32."""
    sources = targets.new_empty((*screened.cell.shape, targets.shape[1]))
    for position, frame in enumerate(frames):
        in_frame = screened.position == position
        sources[in_frame] = frame[screened.cell[in_frame]].to(targets.dtype)
    exact = torch.einsum("bd,bkd->bk", targets, sources)
    exact.masked_fill_(screened.similarity.isneginf(), float("-inf"))
    return _top(exact, screened.position, screened.cell, count)


def _top(values: Tensor, positions: Tensor, cells: Tensor, count: int) -> KeptSources:
    top, order = values.topk(min(count, values.shape[1]), dim=1)
    return KeptSources(top, positions.gather(1, order), cells.gather(1, order))


def _elementwise_maximum(scores: Sequence[Tensor]) -> Tensor:
    """A new tensor."""
    if len(scores) == 1:
        return scores[0].clone()
    maximum = torch.maximum(scores[0], scores[1])
    return reduce(lambda so_far, other: torch.maximum(so_far, other, out=so_far), scores[2:], maximum)
