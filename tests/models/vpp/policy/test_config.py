from typing import Any

import pytest
from pydantic import ValidationError

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.models.vpp.policy.config import (
    ActionPartConfig,
    ActionSamplingConfig,
    DenoiserConfig,
    NoiseDensityConfig,
    PolicyObjectiveConfig,
    VideoFormerConfig,
)

_PART = ActionPartConfig(name="xyz", ranges=((0, 3),), share=0.5)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (VideoFormerConfig, {"tokens": 20}, "frames=16"),
        (VideoFormerConfig, {"width": 100}, "heads=8"),
        (DenoiserConfig, {"width": 100}, "heads=8"),
        (DenoiserConfig, {"freeze_proprioception": True}, "no proprioception"),
        (NoiseDensityConfig, {"minimum": 80.0}, "not below"),
        (ActionPartConfig, {"name": "x", "ranges": [(3, 3)], "share": 1}, "holds no number"),
        (PolicyObjectiveConfig, {"parts": [_PART, _PART]}, "occurs twice"),
        (ActionSamplingConfig, {"sigma_min": 100.0}, "not below"),
        (ActionSamplingConfig, {"sampler": "dpm_adaptive"}, "sampler"),
    ],
)
def test_what_does_not_go_together_is_refused(
    kind: type[FrozenConfig], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        kind(**fields)


def test_sizes_that_are_not_used_need_not_fit() -> None:
    assert VideoFormerConfig(kind="linear", tokens=20).tokens == 20
    assert VideoFormerConfig(kind="2d", width=100).width == 100
