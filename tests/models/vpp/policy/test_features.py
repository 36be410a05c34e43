"""What a policy sees through a video model: which part of it, behind which noise."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tests.models.vpp.video.spoken import TEXTS
from tests.models.vpp.video.tiny import make_video_model, with_other_camera, write_clip_image_folder
from tests.models.vpp.video.trained import publish_video_model
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.policy.features import (
    FeatureReader,
    feature_noise,
    reduced_features,
    require_finite_features,
)
from vidrep_pipelines.models.vpp.policy.features_config import (
    FeatureNoiseConfig,
    PolicyFeaturesConfig,
    ReductionConfig,
)
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion

FULL = ReductionConfig(kind="full")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_video_model(tmp_path_factory.mktemp("model"))[1].directory


def first(moments: int, views: int) -> torch.Tensor:
    return torch.randn(moments, views, 6, 4, 4, generator=torch.Generator().manual_seed(0))


def test_pooling_is_the_mean_of_equal_parts() -> None:
    features = torch.randn(2, 3, 5, 8, 8)
    pooled = reduced_features(features, ReductionConfig(kind="pooled", grid=4, frames=(2, 1)))
    expected = F.avg_pool2d(features[:, [2, 1]].flatten(0, 1), 2).unflatten(0, (2, 2))
    torch.testing.assert_close(pooled, expected)
    assert reduced_features(features, FULL) is features


def test_fixed_noise_is_the_same_for_all_and_other_noise_for_nobody() -> None:
    shape = (2, 3, 4, 4)
    fixed = feature_noise(FeatureNoiseConfig(), [1, 2], shape, "cpu")
    assert torch.equal(fixed[0], fixed[1])
    assert torch.equal(fixed[0], feature_noise(FeatureNoiseConfig(), [9], shape, "cpu")[0])
    assert not torch.equal(fixed[0], feature_noise(FeatureNoiseConfig(seed=1), [1], shape, "cpu")[0])
    for kind in ("draws", "fresh"):
        drawn = feature_noise(FeatureNoiseConfig.model_validate({"kind": kind}), [1, 2, 1], shape, "cpu")
        assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


def test_every_camera_by_itself(checkpoint: Path) -> None:
    """Views of a moment, and moments of a batch, do not see one another; fresh noise follows from seeds."""
    config = PolicyFeaturesConfig.model_validate({"noise": {"kind": "fresh"}, "reduction": {"grid": 2}})
    reader, seen = FeatureReader.load(checkpoint, config), first(2, 2)
    both = reader.observe(seen, TEXTS, [4, 5])
    assert both.shape == (2, 2, reader.frames, 96, 2, 2)
    alone = reader.observe(seen[1:], TEXTS[1:], [5])
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)
    other = reader.observe(seen[1:], TEXTS[1:], [6])
    assert float((other - alone).abs().max()) > 1e-3
    said = reader.observe(seen[1:], TEXTS[:1], [5])
    assert float((said - alone).abs().max()) > 1e-6, "the instruction matters"


def test_with_fixed_noise_features_are_a_function_of_what_is_seen(checkpoint: Path) -> None:
    reader = FeatureReader.load(checkpoint, PolicyFeaturesConfig(reduction=FULL))
    one, two = (reader.observe(first(1, 1), TEXTS[:1], [seed]) for seed in (1, 2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_half_precision_is_close(checkpoint: Path) -> None:
    whole, half = (
        FeatureReader.load(checkpoint, PolicyFeaturesConfig(weights=weights)).observe(
            first(1, 1), TEXTS[:1], [0]
        )
        for weights in ("float32", "float16")
    )
    assert half.dtype == torch.float32
    assert 0 < float((whole - half).abs().max()) < 0.05 * float(whole.abs().max())


def test_a_model_that_looks_at_another_camera(tmp_path: Path) -> None:
    seeing = VideoDiffusion(
        with_other_camera(make_video_model().config, write_clip_image_folder(tmp_path / "image"))
    )
    with pytest.raises(ConfigurationError, match=r"text\.image"):
        FeatureReader(seeing, lambda texts: (torch.zeros(1), torch.zeros(1)), 4, PolicyFeaturesConfig())


def test_what_is_not_finite_is_not_stored() -> None:
    require_finite_features(torch.zeros(3), "here")
    with pytest.raises(InputError, match=r"shard 3: features are not finite.*float32"):
        require_finite_features(torch.tensor([1.0, torch.inf]), "shard 3")
