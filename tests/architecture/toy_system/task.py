"""The toy system for the training loop."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
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
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.training.optimizer import weight_decay_groups
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo


class NextColorTask(FrozenConfig):
    """All that the training loop needs to know; a :class:`~vidrep_pipelines.training.task.Task`."""

    name_in_digests: ClassVar[str] = "next_color"

    clip_table: Path
    videos: Path
    data: NextColorDataConfig = NextColorDataConfig()
    model: NextColorModelConfig = NextColorModelConfig()
    objective: NextColorObjectiveConfig = NextColorObjectiveConfig()
    seed: int = 0

    @property
    def name(self) -> str:
        return "next_color"

    @property
    def samples_per_item(self) -> int:
        return self.data.sampling.pairs_per_clip

    def identity(self) -> dict[str, Any]:
        return self.model_dump(exclude={"clip_table", "videos"}, mode="json")

    def build_model(self) -> NextColorModel:
        return NextColorModel(self.model)

    def build_dataset(self) -> ClipDataset:
        return next_color_dataset(self.clip_table, self.videos, self.data, self.seed)

    def item_names(self, indices: Sequence[int]) -> list[str]:
        return self.build_dataset().names(indices)

    def parameter_groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        return weight_decay_groups(model, weight_decay)

    def shard_units(self, model: nn.Module) -> list[nn.Module]:
        assert isinstance(model, NextColorModel)
        return [model.hidden, model.change]

    def loss(self, model: nn.Module, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        assert isinstance(model, NextColorModel)
        source, target = batch["frames"].flatten(0, 1).unbind(1)
        noise = draw_noise(batch["seed"].flatten(), source.device)
        outputs = next_color_objective(model, mean_color(source), mean_color(target), noise, self.objective)
        return outputs.loss, {"brightness": outputs.prediction.detach().mean()}

    def on_checkpoint(self, model: nn.Module, directory: Path, step: int) -> list[Path]:
        assert isinstance(model, NextColorModel)
        dataset = self.build_dataset()
        frames = torch.stack([dataset[0, index]["frames"][0] for index in range(len(dataset))])
        path = directory / "predictions" / f"step-{step:08d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        prediction_picture(model, *frames.unbind(1)).save(path)
        return [path]
