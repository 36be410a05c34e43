"""Patch features of a vision transformer."""

import pytest
import torch

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder


def make(positions: str = "dino") -> TransformerEncoder:
    torch.manual_seed(0)
    transformer = VisionTransformerEncoder(
        image_size=32, patch_size=8, channels=3, dimension=32, depth=2, heads=4, mlp_ratio=2
    )
    return TransformerEncoder("tiny", transformer.eval(), stride=8, positions=positions)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 56), (8, 8), (64, 64)])
def test_shape_follows_the_image(height: int, width: int) -> None:
    features = make().patch_features(torch.randn(2, 3, height, width))
    assert features.shape == (2, 32, height // 8, width // 8)
    assert not features.requires_grad


def test_images_of_a_batch_do_not_see_each_other() -> None:
    encoder, images = make(), torch.randn(3, 3, 16, 24)
    alone = torch.cat([encoder.patch_features(image[None]) for image in images])
    torch.testing.assert_close(encoder.patch_features(images), alone, rtol=0, atol=1e-5)


def test_features_are_normalized_and_lie_at_their_place() -> None:
    encoder = make()
    images = torch.zeros(2, 3, 32, 32)
    images[1, :, 8:16, 24:32] = 5  # row 1, column 3
    features = encoder.patch_features(images)
    torch.testing.assert_close(features.mean(dim=1), torch.zeros(2, 4, 4), rtol=0, atol=1e-5)
    change = (features[1] - features[0]).norm(dim=0)
    assert divmod(int(change.argmax()), 4) == (1, 3)


def test_it_sees_what_training_does_to_the_weights() -> None:
    encoder, images = make(), torch.randn(1, 3, 32, 32)
    before = encoder.patch_features(images)
    encoder.transformer.get_parameter("norm.weight").data.mul_(2)
    assert (encoder.patch_features(images) - before).abs().max() > 0.1


def test_position_rules_differ_only_on_other_grids() -> None:
    square, wide = torch.randn(1, 3, 32, 32), torch.randn(1, 3, 32, 64)
    published, smoothed = make(), make("timm")
    torch.testing.assert_close(published.patch_features(square), smoothed.patch_features(square))
    assert (published.patch_features(wide) - smoothed.patch_features(wide)).abs().max() > 1e-4


def test_half_precision() -> None:
    features = make().bfloat16().patch_features(torch.randn(1, 3, 16, 24).bfloat16())
    assert features.dtype == torch.bfloat16


def test_image_that_is_no_multiple_of_the_patch() -> None:
    with pytest.raises(InputError, match="36x32 do not divide into cells of 8 pixels"):
        make().patch_features(torch.randn(1, 3, 32, 36))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_gives_the_same() -> None:
    encoder, images = make(), torch.randn(2, 3, 16, 24)
    expected = encoder.patch_features(images)
    features = encoder.cuda().patch_features(images.cuda())
    torch.testing.assert_close(features.cpu(), expected, rtol=0, atol=1e-3)
