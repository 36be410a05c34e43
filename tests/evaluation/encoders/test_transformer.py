"""Position tables on other grids."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder, resample_positions
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder

TABLE = torch.randn(1, 17, 8, generator=torch.Generator().manual_seed(0))


def cubic(distance: float) -> float:
    """The kernel of Keys (1981) with a = -0.75."""
    x = abs(distance)
    if x <= 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def direct(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """The rule written out for every entry of a table without prefix (N, N, E)."""
    side = len(table)
    result = torch.zeros(*grid, table.shape[-1], dtype=torch.float64)
    for row in range(grid[0]):
        for column in range(grid[1]):
            center = [
                (place + 0.5) / ((length + 0.1) / side) - 0.5
                for place, length in zip((row, column), grid, strict=True)
            ]
            start = [int(torch.tensor(value).floor()) for value in center]
            for y in range(start[0] - 1, start[0] + 3):
                for x in range(start[1] - 1, start[1] + 3):
                    entry = table[min(max(y, 0), side - 1), min(max(x, 0), side - 1)].double()
                    result[row, column] += cubic(center[0] - y) * cubic(center[1] - x) * entry
    return result


@settings(max_examples=15, deadline=None)
@given(grid=st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda grid: grid != (4, 4)))
def test_default_is_the_published_rule(grid: tuple[int, int]) -> None:
    resampled = resample_positions(TABLE, grid)
    torch.testing.assert_close(resampled[:, :1], TABLE[:, :1], rtol=0, atol=0)
    expected = direct(TABLE[0, 1:].unflatten(0, (4, 4)), grid).flatten(0, 1)
    torch.testing.assert_close(resampled[0, 1:].double(), expected, rtol=0, atol=1e-5)


def test_own_grid_is_left_alone() -> None:
    assert resample_positions(TABLE, (4, 4)) is TABLE


def test_timm_rule_is_timms() -> None:
    expected = timm.layers.resample_abs_pos_embed(TABLE, new_size=[3, 7], num_prefix_tokens=1)
    resampled = resample_positions(TABLE, (3, 7), rule="timm")
    torch.testing.assert_close(resampled, expected, rtol=0, atol=0)
    assert (resampled - resample_positions(TABLE, (3, 7))).abs().max() > 0.01


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_prefix_is_kept(prefix: int) -> None:
    table = torch.randn(1, prefix + 9, 4)
    resampled = resample_positions(table, (2, 5), prefix)
    assert resampled.shape == (1, prefix + 10, 4)
    torch.testing.assert_close(resampled[:, :prefix], table[:, :prefix], rtol=0, atol=0)


def test_table_of_another_precision_keeps_it() -> None:
    assert resample_positions(TABLE.bfloat16(), (3, 7)).dtype == torch.bfloat16


def test_table_of_no_square_grid() -> None:
    with pytest.raises(InputError, match="no square grid"):
        resample_positions(TABLE, (2, 2), prefix=0)


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
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_gives_the_same() -> None:
    encoder, images = make(), torch.randn(2, 3, 16, 24)
    expected = encoder.patch_features(images)
    features = encoder.cuda().patch_features(images.cuda())
    torch.testing.assert_close(features.cpu(), expected, rtol=0, atol=1e-3)
