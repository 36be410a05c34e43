"""Features are what hooks on a whole pass see, and later blocks are not computed."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.vpp.video.tiny import SHAPE, make_latents, make_tokens, make_video_model
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.features import SvdFeatures
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.sampling import noise_levels, sample_video

SIZES = {0: (64, 8), 1: (32, 8)}
"""Channels and side of each up-block's output: two levels, of which the last does not enlarge."""


@pytest.fixture(scope="module")
def model() -> VideoDiffusion:
    return make_video_model()


def inputs(model: VideoDiffusion) -> tuple[Tensor, Tensor, Tensor]:
    with torch.no_grad():
        return make_latents()[:, 0], model.encode_text(*make_tokens()), make_latents(seed=1)


def seen_by_hooks(model: VideoDiffusion, noisy: Tensor, level: float) -> list[Tensor]:
    first, text, _ = inputs(model)
    outputs: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
        for block in model.unet.up_blocks
    ]
    with torch.inference_mode():
        model.denoise(noisy, torch.full((3,), level), first, text, torch.tensor([[4.0, 127.0, 0.0]] * 3))
    for hook in hooks:
        hook.remove()
    return [output.unflatten(0, (3, SHAPE[0])) for output in outputs]


@pytest.mark.parametrize("block", [0, 1])
def test_the_output_of_a_block(model: VideoDiffusion, block: int) -> None:
    features = SvdFeatures(model, FeaturesConfig(block=block, all_layers=False))(*inputs(model))
    expected = seen_by_hooks(model, inputs(model)[2] * (700**2 + 1) ** 0.5, 700.0)[block]
    assert features.shape == (3, SHAPE[0], SIZES[block][0], SIZES[block][1], SIZES[block][1])
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-5)


def test_blocks_are_enlarged_and_joined_in_order(model: VideoDiffusion) -> None:
    features = SvdFeatures(model, FeaturesConfig(block=1))(*inputs(model))
    first, second = seen_by_hooks(model, inputs(model)[2] * (700**2 + 1) ** 0.5, 700.0)
    enlarged = F.interpolate(first.flatten(0, 1), (8, 8), mode="nearest").unflatten(0, first.shape[:2])
    torch.testing.assert_close(features, torch.cat([enlarged, second], dim=2), atol=1e-5, rtol=1e-5)


def test_a_later_step_comes_after_whole_steps(model: VideoDiffusion) -> None:
    """Two Euler steps, stopped short of the end, are what the third reads."""
    config = FeaturesConfig(block=0, step=3, steps=6)
    features = SvdFeatures(model, config)(*inputs(model))
    levels = noise_levels(6, 0.002, 700)
    first, text, noise = inputs(model)
    noisy = noise * (levels[0] ** 2 + 1).sqrt()
    ids = torch.tensor([[4.0, 127.0, 0.0]] * 3)
    with torch.inference_mode():
        for level, following in pairwise(levels[:3]):
            denoised = model.denoise(noisy, level.expand(3), first, text, ids)
            noisy = noisy + (noisy - denoised) / level * (following - level)
    expected = seen_by_hooks(model, noisy, float(levels[2]))[0]
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=1e-3)


def test_later_blocks_are_not_computed(model: VideoDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object, **_names: object) -> None:
        raise AssertionError("computed")

    for part in (model.unet.up_blocks[1], model.unet.conv_norm_out, model.unet.conv_out):
        monkeypatch.setattr(part, "forward", refused)
    assert SvdFeatures(model, FeaturesConfig(block=0))(*inputs(model)).shape[2] == 64


def test_the_network_is_left_as_it_was(model: VideoDiffusion) -> None:
    """No hook stays: a video sampled after is the same as before."""
    first, text, noise = inputs(model)
    config = VideoSamplingConfig(steps=1, guidance=1.0)
    with torch.inference_mode():
        before = sample_video(model, first, text, noise, config)
        SvdFeatures(model, FeaturesConfig(block=0))(first, text, noise)
        after = sample_video(model, first, text, noise, config)
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert not any(block._forward_hooks for block in model.unet.up_blocks)


def test_an_error_inside_the_network_is_not_swallowed(model: VideoDiffusion) -> None:
    first, text, noise = inputs(model)
    with pytest.raises(RuntimeError):
        SvdFeatures(model, FeaturesConfig(block=0))(first, text[..., :5], noise)
    assert not any(block._forward_hooks for block in model.unet.up_blocks)


def test_frames_and_sizes_are_those_of_the_input(model: VideoDiffusion) -> None:
    first, text, _ = inputs(model)
    features = SvdFeatures(model, FeaturesConfig(block=0))(
        torch.randn(3, 4, 4, 6), text, torch.randn(3, 7, 4, 4, 6)
    )
    assert features.shape == (3, 7, 64, 4, 6) and first.shape[-1] == 8


def test_blocks_and_steps_that_are_not_there(model: VideoDiffusion) -> None:
    with pytest.raises(ConfigurationError, match=r"features\.block is 2, the network has 2 up-blocks"):
        SvdFeatures(model, FeaturesConfig(block=2))
    with pytest.raises(ConfigurationError, match=r"features\.step is 21, there are 20 steps"):
        SvdFeatures(model, FeaturesConfig(step=21))
