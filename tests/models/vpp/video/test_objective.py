import dataclasses

import pytest
import torch

from tests.models.vpp.video.tiny import (
    SHAPE,
    make_latents,
    make_tokens,
    make_video_model,
    make_video_randomness,
)
from vidrep_pipelines.models.vpp.video.config import VideoObjectiveConfig
from vidrep_pipelines.models.vpp.video.objective import (
    FirstFrame,
    VideoRandomness,
    draw_video_randomness,
    normal_of,
    sigma_of,
    video_objective,
    with_noise_on_picture,
)

OBJECTIVE = VideoObjectiveConfig()


def test_loss_is_the_weighted_error_of_the_denoised_clip() -> None:
    model, latents, randomness = make_video_model(), make_latents(), make_video_randomness()
    found = video_objective(model, latents, *make_tokens(), randomness, OBJECTIVE)
    sigma = torch.exp(1.6 * randomness.sigma_normal + 0.7)
    error = (found.denoised - latents) ** 2
    expected = ((sigma**2 + 1) / sigma**2)[:, None, None, None, None] * error
    torch.testing.assert_close(found.loss, expected.mean())
    torch.testing.assert_close(found.losses, expected.mean(dim=(1, 2, 3, 4)))
    torch.testing.assert_close(found.noisy, latents + sigma[:, None, None, None, None] * randomness.noise)
    torch.testing.assert_close(found.first, latents[:, 0])
    assert found.time_ids.tolist() == [[7.0, 127.0, 0.0]] * 3
    assert found.metrics()["error"].item() == pytest.approx(error.mean().item())


def test_dropped_instructions_are_zeros_and_change_nothing() -> None:
    model, latents = make_video_model(), make_latents()
    randomness = dataclasses.replace(make_video_randomness(), text_uniform=torch.tensor([0.049, 0.051, 0.05]))
    ids, mask = make_tokens()
    found = video_objective(model, latents, ids, mask, randomness, OBJECTIVE)
    assert found.keep.tolist() == [False, True, True]
    assert not found.text[0].any() and found.text[1].any()
    other = video_objective(model, latents, ids.roll(1, 0), mask.roll(1, 0), randomness, OBJECTIVE)
    assert torch.equal(found.losses[0], other.losses[0]) and not torch.equal(found.losses[1], other.losses[1])
    never = OBJECTIVE.model_copy(update={"text_dropout": 0.0})
    none = dataclasses.replace(randomness, text_uniform=torch.zeros(3))
    assert video_objective(model, latents, ids, mask, none, never).keep.all()


def test_samples_have_their_own_randomness_whatever_the_batch() -> None:
    together = draw_video_randomness(torch.tensor([3, 5]), SHAPE, "cpu", (3, 16, 16))
    alone = draw_video_randomness(torch.tensor([5]), SHAPE, "cpu", (3, 16, 16))
    for one, both in zip(dataclasses.astuple(alone), dataclasses.astuple(together), strict=True):
        assert torch.equal(one[0], both[1]) and not torch.equal(both[0], both[1])
    stored = draw_video_randomness(torch.tensor([5]), SHAPE, "cpu")
    assert stored.picture_noise is None and torch.equal(stored.noise, alone.noise)


def test_noise_levels_are_log_normal_and_can_be_asked_for() -> None:
    normal = torch.randn(20000, generator=torch.Generator().manual_seed(0))
    logarithm = sigma_of(normal, OBJECTIVE).log()
    assert logarithm.mean().item() == pytest.approx(0.7, abs=0.04)
    assert logarithm.std().item() == pytest.approx(1.6, abs=0.04)
    sigma = torch.tensor([0.01, 1.0, 100.0])
    torch.testing.assert_close(sigma_of(normal_of(sigma, OBJECTIVE), OBJECTIVE), sigma)


def _with_pictures(config: VideoObjectiveConfig) -> tuple[torch.Tensor, torch.Tensor, VideoRandomness]:
    randomness = draw_video_randomness(torch.arange(4), SHAPE, "cpu", (3, 8, 8))
    pictures, strength = with_noise_on_picture(torch.zeros(4, 3, 8, 8), randomness, config)
    return pictures, strength, randomness


def test_noise_on_the_first_picture_has_the_strength_that_is_told() -> None:
    pictures, strength, randomness = _with_pictures(OBJECTIVE)
    assert randomness.augmentation_normal is not None and randomness.picture_noise is not None
    torch.testing.assert_close(strength, torch.exp(-3 + 0.5 * randomness.augmentation_normal))
    torch.testing.assert_close(pictures, strength[:, None, None, None] * randomness.picture_noise)
    _, published, _ = _with_pictures(OBJECTIVE.model_copy(update={"pixel_augmentation": "batch"}))
    torch.testing.assert_close(published, strength[:1].expand(4))
    clean, told, _ = _with_pictures(OBJECTIVE.model_copy(update={"pixel_augmentation": "none"}))
    assert not clean.any() and not told.any()


def test_a_condition_from_pixels_is_used_and_told() -> None:
    model, latents, randomness = make_video_model(), make_latents(), make_video_randomness()
    first = FirstFrame(latents[:, 0] + 0.1, torch.tensor([0.1, 0.2, 0.3]))
    found = video_objective(model, latents, *make_tokens(), randomness, OBJECTIVE, first)
    torch.testing.assert_close(found.time_ids[:, 2], first.noise)
    torch.testing.assert_close(found.first, latents[:, 0] + 0.1)
    plain = video_objective(model, latents, *make_tokens(), randomness, OBJECTIVE)
    assert not torch.equal(found.loss, plain.loss)


def test_every_weight_gets_a_gradient_and_steps_lower_the_loss() -> None:
    model, latents, randomness = make_video_model().train(), make_latents(), make_video_randomness()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = video_objective(model, latents, *make_tokens(), randomness, OBJECTIVE).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
    assert losses[-1] < 0.9 * losses[0]
