"""Sampling videos: levels, closed forms, guidance, seeds."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.models.vpp.video.tiny import SHAPE, make_latents, make_tokens, make_video_model
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.sampling import (
    draw_video_noise,
    guidance_weights,
    noise_levels,
    sample_video,
)


class Oracle:
    """Stands in for the network: knows the answer, which depends on the text; keeps what it was asked."""

    def __init__(self, spread: float = 0.0) -> None:
        self.spread = spread
        self.asked: list[tuple[int, float, list[float]]] = []

    def denoise(self, noisy: Tensor, sigma: Tensor, first: Tensor, text: Tensor, time_ids: Tensor) -> Tensor:
        self.asked.append((len(noisy), float(sigma[0]), time_ids[0].tolist()))
        answer = first.unsqueeze(1) + text.mean(dim=(1, 2))[:, None, None, None, None]
        answer = answer.expand_as(noisy)
        if not self.spread:
            return answer
        variance = self.spread**2  # the best guess where answers are normal around it
        level = sigma.square()[:, None, None, None, None]
        return (variance * noisy + level * answer) / (variance + level)


def sampled(model: Any, text: float, **config: Any) -> Tensor:
    first, noise = make_latents()[:, 0], make_latents(seed=1)
    tokens = torch.full((3, 8, 32), text)
    return sample_video(model, first, tokens, noise, VideoSamplingConfig(**config))


@given(steps=st.integers(1, 40), lowest=st.floats(1e-3, 0.1), ratio=st.floats(2, 1e6), rho=st.floats(1, 9))
@settings(max_examples=40, deadline=None)
def test_levels_fall_from_the_highest_to_zero(steps: int, lowest: float, ratio: float, rho: float) -> None:
    levels = noise_levels(steps, lowest, lowest * ratio, rho)
    assert len(levels) == steps + 1 and levels[-1] == 0
    assert float(levels[0]) == pytest.approx(lowest * ratio, rel=1e-5)
    assert bool((levels.diff() < 0).all())
    if steps > 1:
        assert float(levels[-2]) == pytest.approx(lowest, rel=1e-4)


def test_a_known_answer_is_reached_in_any_number_of_steps() -> None:
    expected = make_latents()[:, :1].expand(3, *SHAPE) + 0.5
    for steps in (1, 2, 7):
        torch.testing.assert_close(sampled(Oracle(), 0.5, steps=steps, guidance=1.0), expected)


def test_the_spread_of_the_answers_is_met() -> None:
    """Where the best guess is known in closed form, the flow turns noise into samples of that spread."""
    videos = sampled(Oracle(spread=0.3), 0.0, steps=200, guidance=1.0)
    centered = (videos - make_latents()[:, :1]) / make_latents(seed=1)
    torch.testing.assert_close(centered.median(), torch.tensor(0.3), atol=0.02, rtol=0)


def test_guidance_grows_along_the_frames() -> None:
    """The text moves frame k by its weight; the network is asked both ways at once."""
    model = Oracle()
    videos = sampled(model, 0.5, steps=3, guidance=4.0, guidance_min=1.0)
    moved = (videos - make_latents()[:, :1]).mean(dim=(0, 2, 3, 4))
    torch.testing.assert_close(moved, 0.5 * torch.linspace(1, 4, SHAPE[0]), atol=1e-4, rtol=0)
    assert [count for count, _, _ in model.asked] == [6, 6, 6]


@pytest.mark.parametrize("guidance", [0.0, 0.9, 1.0])
def test_without_guidance_half_the_work_is_left_out(guidance: float) -> None:
    model = Oracle()
    sampled(model, 0.5, steps=4, guidance=guidance)
    assert [count for count, _, _ in model.asked] == [3, 3, 3, 3]


def test_what_the_network_is_told() -> None:
    model = Oracle()
    sampled(model, 0.0, steps=1, frames_per_second=5, motion_bucket=90, noise_augmentation=0.25)
    assert model.asked == [(6, 700.0, [5.0, 90.0, 0.25])]


def test_one_step_is_what_the_network_sees_behind_pure_noise() -> None:
    model, first, noise = make_video_model(), make_latents()[:, 0], make_latents(seed=1)
    text, ids = model.encode_text(*make_tokens()), torch.tensor([[7.0, 127.0, 0.02]] * 3)
    with torch.inference_mode():
        seen = model.denoise(noise * (700**2 + 1) ** 0.5, torch.full((3,), 700.0), first, text, ids)
        videos = sample_video(model, first, text, noise, VideoSamplingConfig(steps=1, guidance=1.0))
    torch.testing.assert_close(videos, seen)


@torch.inference_mode()
def test_a_video_does_not_depend_on_those_sampled_with_it() -> None:
    model: VideoDiffusion = make_video_model()
    first, text = make_latents()[:, 0], model.encode_text(*make_tokens())
    config, seeds = VideoSamplingConfig(steps=3, guidance=3.0), [5, 6, 7]
    together = sample_video(model, first, text, draw_video_noise(seeds, SHAPE, "cpu"), config)
    for row in range(3):
        noise = draw_video_noise(seeds[row : row + 1], SHAPE, "cpu")
        alone = sample_video(model, first[row : row + 1], text[row : row + 1], noise, config)
        torch.testing.assert_close(alone[0], together[row], atol=1e-3, rtol=1e-3)


def test_another_text_may_stand_for_none() -> None:
    first, noise = make_latents()[:, 0], make_latents(seed=1)
    text, other = torch.full((3, 8, 32), 0.5), torch.full((3, 8, 32), 0.5)
    config = VideoSamplingConfig(steps=2, guidance=4.0)
    videos = sample_video(Oracle(), first, text, noise, config, other)  # type: ignore[arg-type]
    torch.testing.assert_close(videos, first.unsqueeze(1).expand_as(videos) + 0.5)
    assert guidance_weights(config, 3).tolist() == [1.0, 2.5, 4.0]
