"""Maps of single stages."""

import pytest
import torch

from vidrep_pipelines.models.carl.config import CarlModelConfig
from vidrep_pipelines.models.carl.image_encoder import BackboneStage
from vidrep_pipelines.models.carl.model import CarlModel

CONFIG = CarlModelConfig(stage_widths=(4, 8, 16, 32), stage_blocks=(1, 1, 1, 1))


def test_every_stage_halves_the_maps() -> None:
    model = CarlModel(CONFIG).eval()
    images = torch.rand(1, 3, 64, 96)
    for stage, width in enumerate(CONFIG.stage_widths, start=1):
        encoder = BackboneStage(model, stage)
        shape = (1, 4 * width, 64 // encoder.stride, 96 // encoder.stride)
        assert encoder(images).shape == shape
    torch.testing.assert_close(BackboneStage(model)(images), model.backbone(images))


def test_stage_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="stages 1 to 4"):
        BackboneStage(CarlModel(CONFIG), 5)
