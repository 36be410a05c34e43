"""The frames that labels come from: the first one and the latest ones."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig, PropagationPrecision

STORED_TYPES: dict[PropagationPrecision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def context_frames(target: int, config: PropagationConfig) -> list[int]:
    """Numbers of the frames in the context of frame ``target`` (from 1), the first frame first.

    The variant ``videowalk`` fills up early contexts with copies of the first frame, which therefore counts
    several times; in ``dino`` the first frame is there once.
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
