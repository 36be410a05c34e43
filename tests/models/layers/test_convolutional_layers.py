import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vidrep_pipelines.models.layers.causal_convolution import CausalConvolution, CausalRefinement
from vidrep_pipelines.models.layers.patch_discriminator import PatchDiscriminator, hinge_loss
from vidrep_pipelines.models.layers.vqgan import Downsample, ResidualBlock, SpatialAttention, Upsample


def test_residual_block_adds_to_its_shortcut() -> None:
    features = torch.randn(2, 8, 6, 6)
    block = ResidualBlock(8, 8, groups=4)
    nn.init.zeros_(block.convolution2.weight)
    nn.init.zeros_(block.convolution2.get_parameter("bias"))
    assert torch.equal(block(features), features)
    assert ResidualBlock(8, 12, groups=4)(features).shape == (2, 12, 6, 6)


def test_dropout_acts_in_training_only() -> None:
    features = torch.randn(2, 8, 6, 6)
    block = ResidualBlock(8, 8, groups=4, dropout=0.5)
    assert not torch.equal(block(features), block(features))
    block.eval()
    assert torch.equal(block(features), block(features))


def test_spatial_attention_is_one_head_of_softmax_attention() -> None:
    torch.manual_seed(0)
    layer, features = SpatialAttention(8, groups=4), torch.randn(2, 8, 3, 5)
    normal = layer.norm(features)
    query, key, value = (part(normal).flatten(2) for part in (layer.query, layer.key, layer.value))
    weights = torch.softmax(query.transpose(1, 2) @ key / 8**0.5, dim=-1)
    attended = (value @ weights.transpose(1, 2)).reshape_as(features)
    torch.testing.assert_close(layer(features), features + layer.output(attended))
    strided = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(strided), layer(features))


def test_downsampling_pads_on_the_right_and_at_the_bottom() -> None:
    layer = Downsample(1)
    nn.init.zeros_(layer.convolution.weight)
    nn.init.zeros_(layer.convolution.get_parameter("bias"))
    layer.convolution.weight.data[0, 0, 0, 0] = 1
    features = torch.arange(16.0).view(1, 1, 4, 4)
    assert layer(features).flatten().tolist() == [0, 2, 8, 10]


def test_upsampling_repeats_every_position() -> None:
    layer = Upsample(1)
    nn.init.zeros_(layer.convolution.weight)
    nn.init.zeros_(layer.convolution.get_parameter("bias"))
    layer.convolution.weight.data[0, 0, 1, 1] = 1
    assert layer(torch.tensor([[[[1.0, 2.0]]]]))[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("frame", [0, 2, 4])
def test_causal_layers_never_look_ahead(kernel: int, frame: int) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(CausalConvolution(3, 4, kernel), CausalConvolution(4, 3, kernel))
    video = torch.randn(2, 3, 6, 8, 8)
    changed = video.clone()
    changed[:, :, frame + 1 :] += 1
    assert torch.equal(layers(video)[:, :, : frame + 1], layers(changed)[:, :, : frame + 1])
    changed = video.clone()
    changed[:, :, frame] += 1
    assert not torch.equal(layers(video)[:, :, frame], layers(changed)[:, :, frame])
    assert not torch.equal(layers(video)[:, :, frame + 1], layers(changed)[:, :, frame + 1])


def test_a_standing_picture_stays_one_also_at_its_start() -> None:
    torch.manual_seed(0)
    layer = CausalConvolution(3, 4)
    video = torch.randn(1, 3, 1, 8, 8).expand(1, 3, 5, 8, 8)
    output = layer(video)
    torch.testing.assert_close(output, output[:, :, :1].expand_as(output))
    torch.testing.assert_close(layer(video[:, :, :1]), output[:, :, :1])


def test_refinement_begins_as_the_identity_and_can_learn() -> None:
    layer, video = CausalRefinement(3, 8), torch.randn(1, 3, 4, 8, 8)
    assert torch.equal(layer(video), video)
    layer(video).square().sum().backward()
    assert layer.convolution3.convolution.weight.grad is not None
    assert layer.convolution3.convolution.weight.grad.any()


@pytest.mark.parametrize(("layers", "span"), [(1, 16), (2, 34), (3, 70)])
def test_a_score_sees_a_patch_of_the_picture(layers: int, span: int) -> None:
    judge = PatchDiscriminator(width=8, layers=layers)
    for module in judge.modules():  # the normalization alone would see everything
        if isinstance(module, nn.Sequential):
            judge.network = nn.Sequential(*(part for part in module if not isinstance(part, nn.GroupNorm)))
    picture = torch.randn(1, 3, 96, 96, requires_grad=True)
    scores = judge(picture)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    assert picture.grad is not None
    rows = picture.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert int(rows[-1] - rows[0]) + 1 == span


def test_scores_do_not_depend_on_the_rest_of_the_batch() -> None:
    torch.manual_seed(0)
    judge, pictures = PatchDiscriminator(width=8), torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(judge(pictures)[:1], judge(pictures[:1]))


def test_hinge_loss_is_zero_for_safe_scores_only() -> None:
    assert hinge_loss(torch.tensor([1.5, 1.0]), torch.tensor([-1.0, -2.0])).item() == 0
    assert hinge_loss(torch.tensor([0.0]), torch.tensor([0.5])).item() == pytest.approx(0.5 * (1 + 1.5))
    scores = torch.randn(10)
    expected = 0.5 * (F.relu(1 - scores).mean() + F.relu(1 + scores).mean())
    assert hinge_loss(scores, scores).item() == pytest.approx(expected.item())
