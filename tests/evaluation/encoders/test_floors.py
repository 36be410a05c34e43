"""Random weights and raw pixels: what a trained encoder must beat."""

import pytest
import torch

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.encoders.config import PixelEncoderConfig, RandomEncoderConfig
from vidrep_pipelines.evaluation.encoders.floors import PixelEncoder, random_encoder

TINY = RandomEncoderConfig(image_size=32, patch_size=8, dimension=32, depth=2, heads=4)


def test_random_weights_follow_from_the_seed_alone() -> None:
    images = torch.randn(1, 3, 16, 24)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = random_encoder("a", TINY).patch_features(images)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    torch.testing.assert_close(random_encoder("b", TINY).patch_features(images), first, rtol=0, atol=0)
    other = random_encoder("c", TINY.model_copy(update={"seed": 1})).patch_features(images)
    assert (other - first).abs().max() > 0.1
    assert first.shape == (1, 32, 2, 3)


def test_pixels_are_means_of_squares_by_color() -> None:
    images = torch.arange(2 * 3 * 8 * 16, dtype=torch.float32).reshape(2, 3, 8, 16)
    encoder = PixelEncoder("pixels", PixelEncoderConfig(patch_size=8, squares=2))
    features = encoder.patch_features(images)
    assert features.shape == (2, 12, 1, 2)
    for color in range(3):
        for y in range(2):
            for x in range(2):
                square = images[1, color, 4 * y : 4 * y + 4, 8 + 4 * x : 12 + 4 * x]
                value = features[1, color * 4 + y * 2 + x, 0, 1]
                torch.testing.assert_close(value, square.mean())
    with pytest.raises(InputError, match="do not divide"):
        encoder.patch_features(images[..., :12])
