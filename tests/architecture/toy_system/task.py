"""The toy system for the training loop."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from PIL.Image import Image
from torch import Tensor, nn

from tests.architecture.toy_system.config import (
    NextColorDataConfig,
    NextColorModelConfig,
    NextColorObjectiveConfig,
)
from tests.architecture.toy_system.dataset import next_color_dataset
from tests.architecture.toy_system.model import NextColorModel, mean_color
from tests.architecture.toy_system.objective import draw_noise, next_color_objective
from tests.architecture.toy_system.pictures import prediction_picture
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo


class NextColorTask(SystemTask[NextColorModel]):
    """All that the training loop needs to know; a :class:`~vidrep_pipelines.training.task.Task`."""

    name: ClassVar[str] = "next_color"
    name_in_digests: ClassVar[str] = "next_color"
    not_science: ClassVar[set[str]] = {"clip_table", "videos"}

    clip_table: Path
    videos: Path
    data: NextColorDataConfig = NextColorDataConfig()
    model: NextColorModelConfig = NextColorModelConfig()
    objective: NextColorObjectiveConfig = NextColorObjectiveConfig()

    @property
    def samples_per_item(self) -> int:
        return self.data.sampling.pairs_per_clip

    def build_model(self) -> NextColorModel:
        return NextColorModel(self.model)

    def build_dataset(self) -> ClipDataset:
        return next_color_dataset(self.clip_table, self.videos, self.data, self.seed)

    def item_names(self, indices: Sequence[int]) -> list[str]:
        return self.build_dataset().names(indices)

    def shard_units(self, model: NextColorModel) -> list[nn.Module]:
        return [model.hidden, model.change]

    def loss(self, model: NextColorModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        source, target = batch["frames"].flatten(0, 1).unbind(1)
        noise = draw_noise(batch["seed"].flatten(), source.device)
        outputs = next_color_objective(model, mean_color(source), mean_color(target), noise, self.objective)
        return outputs.loss, {"brightness": outputs.prediction.detach().mean()}

    def pictures(self, model: NextColorModel) -> Mapping[str, Image]:
        dataset = self.build_dataset()
        frames = torch.stack([dataset[0, index]["frames"][0] for index in range(len(dataset))])
        return {"predictions": prediction_picture(model, *frames.unbind(1))}
