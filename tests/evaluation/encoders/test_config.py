"""Configs of encoders."""

import pytest
from pydantic import ValidationError

from vidrep_pipelines.evaluation.encoders.config import (
    CheckpointEncoderConfig,
    EncodersConfig,
    PixelEncoderConfig,
    RandomEncoderConfig,
)


def test_kinds_are_told_apart_by_name() -> None:
    config = EncodersConfig.model_validate(
        {
            "known": {
                "ours": {"kind": "checkpoint", "dataset": "rsp_checkpoint"},
                "floor": {"kind": "random", "depth": 2},
                "pixels": {"kind": "pixels"},
            },
            "use": ["pixels", "ours"],
        }
    )
    assert config.selected(()) == {
        "pixels": PixelEncoderConfig(),
        "ours": CheckpointEncoderConfig(dataset="rsp_checkpoint"),
    }
    assert list(config.selected(())) == ["pixels", "ours"]
    assert config.known["floor"] == RandomEncoderConfig(depth=2)
    assert EncodersConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("known", "complaint"),
    [
        ({"x": {"kind": "resnet"}}, "kind"),
        ({"x": {"kind": "pixels", "patch": 8}}, "patch"),
        ({"x": {"kind": "pixels", "patch_size": 10}}, "not a multiple of squares=4"),
        ({"x": {"kind": "random", "patch_size": 15}}, "image_size=224 is not a multiple"),
        ({"x": {"kind": "random", "heads": 7}}, "dimension=384 is not a multiple"),
        ({"y": {"kind": "pixels"}}, "use names x, but known are y"),
    ],
)
def test_mistakes_are_named(known: dict[str, dict[str, object]], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        EncodersConfig.model_validate({"known": known, "use": ["x"]})
