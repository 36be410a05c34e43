from typing import Any

import pytest
from pydantic import ValidationError

from vidrep_pipelines.models.vpp.video.config import (
    AdaptationConfig,
    TextConfig,
    UnetConfig,
    VideoModelConfig,
    VideoSamplingConfig,
    words_of,
)


@pytest.mark.parametrize(
    ("config", "values", "says"),
    [
        (UnetConfig, {"heads": (5, 10, 20)}, "one entry per level"),
        (UnetConfig, {"channels": (320, 640, 1280, 1270)}, "1270 is not a multiple of 32"),
        (UnetConfig, {"heads": (7, 10, 20, 20)}, "7 do not divide the 320"),
        (TextConfig, {"kind": "own"}, "vocabulary"),
        (TextConfig, {"kind": "own", "vocabulary": ("up", "up")}, "occurs twice"),
        (TextConfig, {"kind": "own", "vocabulary": ("Up",)}, "'Up' is not one word"),
        (TextConfig, {"kind": "own", "vocabulary": ("up",), "heads": 3}, "not a multiple of heads=3"),
        (VideoModelConfig, {"text": {"duplicate": False}}, "gives tokens of 512"),
        (VideoSamplingConfig, {"sigma_min": 1.0, "sigma_max": 1.0}, "not below"),
        (AdaptationConfig, {"lora": {}, "trainable": ("attn1",)}, "not both"),
        (AdaptationConfig, {"rank": 3}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_named(config: Any, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        config(**values)


def test_defaults_fit_together_and_sides_can_be_halved() -> None:
    config = VideoModelConfig()
    assert config.text.output_width == config.unet.cross_attention_dimension
    assert config.unet.smallest_side == 8


def test_words_lose_case_and_punctuation() -> None:
    assert words_of(" Push the (red) cup, left! ") == ["push", "the", "red", "cup", "left"]
    assert words_of(" ... ") == []
