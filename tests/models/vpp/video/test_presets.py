from typing import get_args

import pytest

from vidrep_pipelines.models.vpp.video.config import VideoModelConfig, VideoObjectiveConfig
from vidrep_pipelines.models.vpp.video.presets import CALVIN_MIXTURE, VideoPreset, VideoPresetName


@pytest.mark.parametrize("name", get_args(VideoPresetName))
def test_presets_have_the_published_sizes(name: VideoPresetName) -> None:
    preset = VideoPreset.named(name)
    assert preset.model.unet == VideoModelConfig().unet
    assert preset.objective == VideoObjectiveConfig()
    assert preset.model.text.tokens == 20 and preset.adaptation.lora is None


def test_only_calvin_has_no_position_encoding() -> None:
    encoded = {
        name: VideoPreset.named(name).model.text.position_encoding for name in get_args(VideoPresetName)
    }
    assert encoded == {"svd": True, "vpp": True, "vpp_calvin": False}
    assert VideoPreset.named("svd").frames == 14 and VideoPreset.named("vpp").frames == 16


def test_shares_sum_to_one() -> None:
    assert sum(CALVIN_MIXTURE.values()) == pytest.approx(1)
