"""Sizes of features are known without the network, and what it does not have is refused."""

from typing import Any

import pytest
import torch

from tests.models.vpp.video.tiny import SHAPE, UNET, make_latents, make_tokens, make_video_model
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.features import reduced_features
from vidrep_pipelines.models.vpp.policy.features_config import (
    FeatureNoiseConfig,
    FeatureStoreConfig,
    PolicyFeaturesConfig,
    ReductionConfig,
    features_shape,
)
from vidrep_pipelines.models.vpp.video.config import UnetConfig
from vidrep_pipelines.models.vpp.video.features import SvdFeatures

REDUCTIONS: list[dict[str, Any]] = [
    {"kind": "full"},
    {"kind": "frames", "frames": (2, 0)},
    {"kind": "pooled", "grid": 2},
    {"kind": "pooled", "grid": 3, "frames": (1,)},
]


def config(reduction: dict[str, Any] | None = None, **read: Any) -> PolicyFeaturesConfig:
    return PolicyFeaturesConfig.model_validate({"read": read, "reduction": reduction or {"kind": "full"}})


@torch.no_grad()
def test_sizes_are_those_of_the_network() -> None:
    model, latents = make_video_model(), make_latents()
    text = model.encode_text(*make_tokens())
    for read in ({"block": 0}, {"block": 1}, {"block": 1, "all_layers": False}):
        found = SvdFeatures(model, config(**read).read)(latents[:, 0], text, latents)
        for reduction in REDUCTIONS:
            wanted = config(reduction, **read)
            shape = features_shape(UNET, wanted, SHAPE[0], (SHAPE[2], SHAPE[3]))
            assert tuple(reduced_features(found, wanted.reduction).shape) == (len(found), *shape)


def test_published_sizes() -> None:
    """Tokens of the released policies: 2560 channels of 16 x 16 for CALVIN, 1280 for other robots."""
    unet = UnetConfig()
    assert features_shape(
        unet, PolicyFeaturesConfig(reduction=ReductionConfig(kind="full")), 16, (32, 32)
    ) == (
        16,
        2560,
        16,
        16,
    )
    assert features_shape(unet, config(all_layers=False), 16, (32, 32)) == (16, 1280, 16, 16)
    assert [features_shape(unet, config(block=block), 16, (32, 32))[1:] for block in (0, 2, 3)] == [
        (1280, 8, 8),
        (3200, 32, 32),
        (3520, 32, 32),
    ]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (config(block=4), r"read\.block is 4 of 0\.\.3"),
        (config(step=9, steps=3), r"read\.step 9 of 1\.\.3"),
        (config({"kind": "frames", "frames": (16,)}), r"names 16.*0\.\.15"),
        (config({"kind": "pooled", "grid": 17}), r"grid is 17.*16 x 16"),
    ],
)
def test_what_the_network_does_not_have(wanted: PolicyFeaturesConfig, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        features_shape(UnetConfig(), wanted, 16, (32, 32))


def test_settings_without_a_meaning() -> None:
    with pytest.raises(ValueError, match=r"reduction\.frames must name frames"):
        ReductionConfig(kind="frames")
    with pytest.raises(ValueError, match=r"reduction\.frames has no meaning"):
        ReductionConfig(kind="full", frames=(1,))
    with pytest.raises(ValueError, match=r"noise\.draws is 3"):
        FeatureNoiseConfig(kind="fixed", draws=3)


def test_what_decides_features_and_what_does_not() -> None:
    one = FeatureStoreConfig()
    for same in ({"batch_size": 3}, {"limit_gibibytes": 1.0}, {"splits": ("test",)}, {"from_frames": True}):
        assert one.model_copy(update=same).in_digests == one.in_digests
    for other in ({"weights": "float16"}, {"dtype": "float32"}, {"noise": FeatureNoiseConfig(seed=1)}):
        assert one.model_copy(update=other).in_digests != one.in_digests
