"""Labels of the first frame of a sequence, carried through it by an encoder's features."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence
from vidrep_pipelines.evaluation.encoders.protocol import Encoder
from vidrep_pipelines.evaluation.label_propagation.frame_features import frame_features
from vidrep_pipelines.evaluation.label_propagation.keypoints import decode_joints, stamp_known_joints, to_grid
from vidrep_pipelines.evaluation.label_propagation.label_maps import (
    first_labels,
    hard_labels,
    renumbered,
    vanished_objects,
)
from vidrep_pipelines.evaluation.label_propagation.preprocessing import network_size, resize_labels_by_opencv
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate
from vidrep_pipelines.evaluation.label_propagation.settings import RunSettings
from vidrep_pipelines.training.precision import usable_precision


@dataclass(frozen=True)
class SequenceRunner:
    """An encoder on its device, and how labels are propagated with it.

    Attributes:
        encoder: The encoder, on the device.
        settings: What determines the result, as it is wanted.
        device: Does the work.
        frames_per_batch: Frames that the encoder sees at once.
    """

    encoder: Encoder
    settings: RunSettings
    device: torch.device
    frames_per_batch: int = 8

    @property
    def settings_used(self) -> RunSettings:
        """The settings, with float32 where the device would only emulate bfloat16."""
        precision = usable_precision(self.device, self.settings.propagation.precision)
        propagation = self.settings.propagation.model_copy(update={"precision": precision})
        return self.settings.model_copy(update={"propagation": propagation})

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of features of frames of this size."""
        size = network_size(height, width, self.settings.frame_size, self.encoder.stride)
        return size[0] // self.encoder.stride, size[1] // self.encoder.stride

    def lost_at_start(self, labels: Pixels) -> list[int]:
        """Objects of the first label map (H, W) that are too small for the grid: nothing of them is found."""
        return vanished_objects(labels, self._on_grid(labels))

    @torch.no_grad()
    def label_maps(self, frames: Iterable[Pixels], first: Pixels) -> Iterator[Pixels]:
        """Yields the label map (H, W) of every frame, in the size of the first one.

        Args:
            frames: All frames (H, W, 3), the first one included.
            first: Label map of the first frame, which is yielded as it is, void (255) included.

        Raises:
            FeatureError: Features that are not numbers.
        """
        height, width = first.shape
        size = network_size(height, width, self.settings.frame_size, self.encoder.stride)
        config = self.settings_used.propagation
        labels, former = renumbered(first)
        on_grid = self._on_grid(labels).to(self.device)
        soft_maps = propagate(self._features(frames, size), on_grid, config)
        for number, soft in enumerate(soft_maps):
            yield former[hard_labels(soft, size, (height, width), config.variant)] if number else first

    @torch.no_grad()
    def joints(self, sequence: KeypointSequence) -> NDArray[np.float32]:
        """Positions (2, K, T) as (x, y) in cells of the grid.

        They are -1, -1 where a joint was lost, or has no position in the first frame.
        """
        height, width = sequence.frame(0).shape[:2]
        size = network_size(height, width, self.settings.frame_size, self.encoder.stride)
        rows, columns = self.grid(height, width)
        points = to_grid(sequence.joints()[:, :, 0], (height, width), (rows, columns))
        stamped = stamp_known_joints(points, rows, columns, self.settings.stamp == "extent").to(self.device)
        frames = (sequence.frame(index) for index in range(len(sequence)))
        soft_maps = propagate(self._features(frames, size), stamped, self.settings_used.propagation)
        best = self.settings.decoded_cells
        return np.stack([decode_joints(soft, best) for soft in soft_maps], axis=-1)

    def _on_grid(self, labels: Pixels) -> torch.Tensor:
        """What a label map (H, W) says on the grid, (C, h, w)."""
        height, width = labels.shape[:2]
        grid, settings = self.grid(height, width), self.settings
        if settings.label_resize == "through_input":
            size = network_size(height, width, settings.frame_size, self.encoder.stride)
            labels = resize_labels_by_opencv(labels, *size)
        return first_labels(labels, *grid, settings.propagation.variant)

    def _features(self, frames: Iterable[Pixels], size: tuple[int, int]) -> Iterator[torch.Tensor]:
        settings = self.settings_used
        return frame_features(frames, self.encoder, size, settings, self.device, self.frames_per_batch)
