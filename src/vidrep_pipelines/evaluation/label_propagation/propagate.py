"""Labels of the first frame follow the features through a video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig, PropagationPrecision
from vidrep_pipelines.evaluation.label_propagation.errors import FeatureError
from vidrep_pipelines.evaluation.label_propagation.neighborhood import TargetBlock, blocks, unit_features
from vidrep_pipelines.evaluation.label_propagation.selection import BlockScores, KeptSources, select

STORED_TYPES: dict[PropagationPrecision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def context_frames(target: int, config: PropagationConfig) -> list[int]:
    """Numbers of the frames in the context of frame ``target`` (from 1), the first frame first.

    The variant ``videowalk`` fills up early contexts with copies of the first frame, which therefore counts
    several times; in the others the first frame is there once.
    """
    count = config.context_frames
    if config.variant == "videowalk":
        return [0, *(max(0, frame) for frame in range(target - count, target))]
    return [0, *range(max(1, target - count), target)]


@dataclass(frozen=True)
class Context:
    """Unit features and soft labels of frame 0 (slot 0) and of the last n frames (a ring of n slots)."""

    features: Tensor
    """(1 + n, cells, D) float32 or bfloat16."""
    labels: Tensor
    """(1 + n, cells, C) float32."""

    @classmethod
    def of_first_frame(cls, features: Tensor, labels: Tensor, config: PropagationConfig) -> "Context":
        """Holds the first frame's unit features (cells, D) and labels (cells, C)."""
        slots = 1 + config.context_frames
        context = cls(
            features.new_empty((slots, *features.shape), dtype=STORED_TYPES[config.precision]),
            labels.new_empty((slots, *labels.shape)),
        )
        context.put(0, features, labels)
        return context

    def slot(self, frame: int) -> int:
        """Where a frame's data lies, as long as no later frame has taken its place."""
        return 0 if frame == 0 else 1 + (frame - 1) % (len(self.features) - 1)

    def put(self, frame: int, features: Tensor, labels: Tensor) -> None:
        """Stores a frame over the one that has become too old."""
        self.features[self.slot(frame)] = features.to(self.features.dtype)
        self.labels[self.slot(frame)] = labels


def propagate(
    features: Iterable[Tensor], first_labels: Tensor, config: PropagationConfig
) -> Iterator[Tensor]:
    """Yields the soft labels of every frame as its features arrive; only the context stays in memory.

    Frame 0 yields the labels that were given. After Caron et al. 2021, "Emerging Properties in
    Self-Supervised Vision Transformers" (``dino``), Jabri et al. 2020, "Space-Time Correspondence as a
    Contrastive Random Walk" (``videowalk``) and Simeoni et al. 2025, "DINOv3" (``dinov3``).

    Args:
        features: One (D, h, w) per frame, not normalized, or a tensor (T, D, h, w). The device of the first
            one does the work; labels follow it.
        first_labels: (C, h, w) of frame 0, for example one-hot.
        config: Variant, window, context and so on.

    Yields:
        (C, h, w) float32 per frame.

    Raises:
        FeatureError: Features that are not numbers, or of another size than those before; names the frame.
        InputError: The labels' grid is not that of the features.
    """
    engine: _Propagation | None = None
    for frame, feature_map in enumerate(features):
        _check(frame, feature_map, engine)
        if engine is None:
            engine = _Propagation(feature_map, first_labels, config)
            yield engine.first_labels
        else:
            yield engine.step(feature_map)


def memory_bytes(config: PropagationConfig, height: int, width: int, dimension: int, channels: int) -> int:
    """Largest number of bytes that ``propagate`` holds, the caller's own tensors and the library aside.

    With n context frames, N = height * width cells, D dimensions, C channels, e bytes per stored feature (4,
    bf16: 2), s = max(block_bytes, least block) and t targets in a block:
    ``(n + 1) N (e D + 4 C) + 4 N D`` for the context and the new frame, ``2 s`` for similarities and ties,
    ``10 N min(N, t + 2 r * shorter side)`` or less for windows and maxima.
    """
    frames, cells = 1 + config.context_frames, height * width
    element = STORED_TYPES[config.precision].itemsize
    stored = frames * cells * (element * dimension + 4 * channels) + 4 * cells * dimension
    lines, length = max(height, width), min(height, width)
    per_block = lines_per_block(lines, length, config)
    reach = min(lines, per_block + 2 * int(config.radius)) if config.radius > 0 else lines
    scores = per_block * length * frames * reach * length * element
    windows = lines * length * reach * length + 2 * element * per_block * length * cells
    kept = per_block * length * frames * config.top_k * (4 + 8 + 8 + 8)
    screened = per_block * length * 4 * config.top_k * dimension * 4 if config.precision == "bf16" else 0
    return stored + 2 * scores + windows + kept + screened


def lines_per_block(lines: int, length: int, config: PropagationConfig) -> int:
    """How many lines of targets fit ``block_bytes``; at least one."""
    frames, element = 1 + config.context_frames, STORED_TYPES[config.precision].itemsize
    reach = 2 * int(config.radius) if config.radius > 0 else lines
    for count in range(lines, 1, -1):
        if count * length * frames * min(lines, reach + count) * length * element <= config.block_bytes:
            return count
    return 1


class _Propagation:
    """State of one video.

    Cells are stored line by line across the longer side of the grid, so that the sources which a few lines of
    targets need are one contiguous range, and few.
    """

    def __init__(self, feature_map: Tensor, first_labels: Tensor, config: PropagationConfig) -> None:
        self.config, self.shape = config, feature_map.shape
        height, width = feature_map.shape[1:]
        if first_labels.shape[1:] != (height, width):
            raise InputError(
                f"first_labels are on a grid of {tuple(first_labels.shape[1:])} cells, the features on one "
                f"of {(height, width)}; resize the labels to the grid of the features."
            )
        self.transposed = width > height
        self.first_labels = first_labels.to(feature_map.device, torch.float32)
        self.context = Context.of_first_frame(
            unit_features(self._cells(feature_map)), self._cells(self.first_labels), config
        )
        lines, length = max(height, width), min(height, width)
        self.blocks = list(
            blocks(lines, length, lines_per_block(lines, length, config), config, feature_map.device)
        )
        self.frame = 0

    def step(self, feature_map: Tensor) -> Tensor:
        """Soft labels (C, h, w) of the next frame, which joins the context."""
        self.frame += 1
        targets = unit_features(self._cells(feature_map.to(self.first_labels.device)))
        slots = [self.context.slot(frame) for frame in context_frames(self.frame, self.config)]
        labels = torch.cat([self._block_labels(targets, slots, block) for block in self.blocks])
        self.context.put(self.frame, targets, labels)
        return self._map(labels)

    def _block_labels(self, targets: Tensor, slots: list[int], block: TargetBlock) -> Tensor:
        """(B, C): the weighted mean of the kept sources' labels."""
        frames = [self.context.features[slot] for slot in slots]
        keeps_ties = self.config.variant != "videowalk" and self.config.precision == "fp32"
        count = self.config.top_k + int(keeps_ties)  # one more shows whether the last kept one has equals
        selection, scores = select(targets[block.targets], frames, block, count, self.config)
        tied = selection.similarity.new_empty(0, dtype=torch.long)
        if keeps_ties and selection.similarity.shape[1] == count:
            last, next_one = selection.similarity[:, -2], selection.similarity[:, -1]
            tied = ((last == next_one) & last.isfinite()).nonzero()[:, 0]
            selection = selection.first(self.config.top_k)
        labels = self._mixture(selection, slots)
        if len(tied):
            labels[tied] = self._mixture_with_ties(scores, tied, selection, slots, block)
        return labels

    def _mixture(self, selection: KeptSources, slots: list[int]) -> Tensor:
        sources = torch.tensor(slots, device=selection.cell.device)[selection.position]
        labels = self.context.labels[sources, selection.cell]
        return torch.einsum("bk,bkc->bc", selection.weights(self.config.temperature), labels)

    def _mixture_with_ties(
        self, scores: BlockScores, tied: Tensor, selection: KeptSources, slots: list[int], block: TargetBlock
    ) -> Tensor:
        """As published: every source that is as similar as the k-th, however many there are."""
        similarity = scores.rows(tied).flatten(1)
        best, least = selection.similarity[tied, :1], selection.similarity[tied, -1:]
        weights = ((similarity - best) / self.config.temperature).exp_()
        weights.masked_fill_(similarity < least, 0)
        labels = self.context.labels[slots, block.sources].flatten(0, 1)
        return (weights @ labels) / weights.sum(dim=1, keepdim=True)

    def _cells(self, maps: Tensor) -> Tensor:
        """(X, h, w) to (cells, X)."""
        return (maps.permute(2, 1, 0) if self.transposed else maps.permute(1, 2, 0)).flatten(0, 1)

    def _map(self, cells: Tensor) -> Tensor:
        """(cells, X) to (X, h, w)."""
        height, width = self.shape[1:]
        if self.transposed:
            return cells.reshape(width, height, -1).permute(2, 1, 0)
        return cells.reshape(height, width, -1).permute(2, 0, 1)


def _check(frame: int, feature_map: Tensor, engine: _Propagation | None) -> None:
    if engine is not None and feature_map.shape != engine.shape:
        raise FeatureError(
            f"Frame {frame} has features of shape {tuple(feature_map.shape)}, the first frame "
            f"{tuple(engine.shape)}; all frames of a video must have one size."
        )
    if not bool(torch.isfinite(feature_map).all()):
        raise FeatureError(
            f"The features of frame {frame} hold values that are not numbers (NaN or infinite); check the "
            "encoder's weights and its precision."
        )
