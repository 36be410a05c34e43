"""The masked autoencoder for the training loop."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from PIL.Image import Image
from torch import Tensor, nn

from tests.architecture.mae_system.config import MaeDataConfig, MaeModelConfig, MaeObjectiveConfig
from tests.architecture.mae_system.model import MaeModel
from tests.architecture.mae_system.objective import draw_masking, mae_loss
from tests.architecture.mae_system.pictures import masked_picture
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.data.clips.table import ClipRows
from vidrep_pipelines.data.transforms import FrameTransform, normalize
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo


class MaeTask(SystemTask[MaeModel]):
    """All that the training loop needs to know."""

    name: ClassVar[str] = "mae"
    name_in_digests: ClassVar[str] = "mae"
    not_science: ClassVar[set[str]] = {"clip_table", "videos"}

    clip_table: Path
    videos: Path
    data: MaeDataConfig
    model: MaeModelConfig
    objective: MaeObjectiveConfig

    def build_model(self) -> MaeModel:
        return MaeModel(self.model)

    def build_dataset(self) -> ClipDataset:
        """Frames (R, 2, 3, S, S) uint8 of a clip, and a ``seed`` (R,) for each pair of them."""
        transform = FrameTransform(size=self.model.image_size)
        return ClipDataset(
            ClipRows(self.clip_table), self.videos, self.data.sampling, transform, seed=self.seed
        )

    def item_names(self, indices: Sequence[int]) -> list[str]:
        return self.build_dataset().names(indices)

    def shard_units(self, model: MaeModel) -> list[nn.Module]:
        return [*model.encoder.blocks, *model.blocks.layers]

    def loss(self, model: MaeModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        images = normalize(batch["frames"].flatten(0, 2))
        seeds = batch["seed"].flatten().repeat_interleave(2) + torch.arange(2).repeat(batch["seed"].numel())
        return mae_loss(model, images, draw_masking(seeds, model.positions.shape[1] - 1, self.objective)), {}

    def pictures(self, model: MaeModel) -> Mapping[str, Image]:
        frames = self.build_dataset()[0, 0]["frames"][:, 0]
        masking = draw_masking(torch.arange(len(frames)), model.positions.shape[1] - 1, self.objective)
        return {"predictions": masked_picture(model, frames, masking)}
