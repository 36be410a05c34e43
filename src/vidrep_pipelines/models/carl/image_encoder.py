"""The ResNet out of a trained CARL, for single images."""

from torch import Tensor, nn

from vidrep_pipelines.models.carl.backbone import FrameBackbone
from vidrep_pipelines.models.carl.model import CarlModel

_STAGES = 4


class BackboneStage(nn.Module):
    """The maps of one stage of the backbone, without the stages behind it.

    Args:
        model: In evaluation mode.
        stage: Counted from 1. None: the last one that the model's head builds on.
    """

    def __init__(self, model: CarlModel, stage: int | None = None) -> None:
        super().__init__()
        self.backbone: FrameBackbone = model.backbone
        self._stage = model.config.stages if stage is None else stage
        if not 1 <= self._stage <= _STAGES:
            raise ValueError(f"a ResNet has stages 1 to {_STAGES}, not {self._stage}")

    @property
    def stride(self) -> int:
        """Pixels between positions of the maps."""
        return int(2 ** (self._stage + 1))

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to maps (B, C, H / stride, W / stride)."""
        maps = self.backbone.stem(images)
        for number in range(1, self._stage + 1):
            maps = self.backbone.stage(number, maps)
        return maps
