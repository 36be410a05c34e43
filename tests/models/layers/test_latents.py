import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence
from torch.nn import functional as F

from vidrep_pipelines.models.layers.latents import CategoricalLatent, GaussianLatent


def test_categorical_sample_is_one_hot_of_the_largest() -> None:
    latent, logits, noise = CategoricalLatent(3, 4), torch.randn(5, 12), torch.randn(5, 3, 4)
    sample = latent.sample(logits, noise).reshape(5, 3, 4)
    torch.testing.assert_close(sample.sum(-1), torch.ones(5, 3))
    assert torch.equal(sample.argmax(-1), (logits.reshape(5, 3, 4) + noise).argmax(-1))


def test_injected_noise_decides_the_class() -> None:
    latent, index = CategoricalLatent(2, 3), torch.tensor([[2, 0]])
    noise = torch.zeros(1, 2, 3).masked_fill(~F.one_hot(index, 3).bool(), -math.inf)
    sample = latent.sample(torch.randn(1, 6) * 50, noise)
    assert torch.equal(sample.reshape(1, 2, 3).argmax(-1), index)


def test_straight_through_gradient_is_that_of_the_probabilities() -> None:
    latent, weights = CategoricalLatent(2, 3), torch.randn(4, 6)
    logits = torch.randn(4, 6, requires_grad=True)
    (latent.sample(logits, torch.randn(4, 2, 3)) * weights).sum().backward()  # type: ignore[no-untyped-call]
    again = logits.detach().clone().requires_grad_()
    (again.reshape(4, 2, 3).softmax(-1).flatten(1) * weights).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(logits.grad, again.grad)


def test_gumbel_noise_draws_with_the_softmax_frequencies() -> None:
    latent, logits = CategoricalLatent(4000, 3), torch.tensor([0.0, 1.0, 2.0]).repeat(4000)[None]
    noise = latent.draw_noise(torch.Generator().manual_seed(0))[None]
    frequencies = latent.sample(logits, noise).reshape(4000, 3).mean(0)
    torch.testing.assert_close(frequencies, torch.tensor([0.0, 1.0, 2.0]).softmax(0), rtol=0, atol=0.03)


def test_categorical_divergence_equals_torch() -> None:
    latent, first, second = CategoricalLatent(3, 4), torch.randn(5, 12), torch.randn(5, 12)
    expected = kl_divergence(
        Categorical(logits=first.reshape(5, 3, 4)), Categorical(logits=second.reshape(5, 3, 4))
    ).sum(1)
    torch.testing.assert_close(latent.divergence(first, second), expected)


@pytest.mark.parametrize("latent", [CategoricalLatent(8, 8), GaussianLatent(8)])
def test_divergence_is_float32_zero_for_equals_and_positive_otherwise(
    latent: CategoricalLatent | GaussianLatent,
) -> None:
    first = torch.randn(6, latent.parameter_count).bfloat16()
    second = torch.randn(6, latent.parameter_count).bfloat16()
    assert latent.divergence(first, second).dtype == torch.float32
    assert latent.divergence(first, first).abs().max() < 1e-6
    assert (latent.divergence(first, second) > 0).all()


def _normal(parameters: torch.Tensor) -> Normal:
    mean, raw = parameters.chunk(2, dim=-1)
    return Normal(mean, F.softplus(raw) + 0.1)


def test_gaussian_sample_and_divergence_equal_torch() -> None:
    latent, first, second = GaussianLatent(5), torch.randn(7, 10), torch.randn(7, 10)
    noise = torch.randn(7, 5)
    expected = _normal(first)
    torch.testing.assert_close(latent.sample(first, noise), expected.mean + expected.stddev * noise)
    divergence = kl_divergence(expected, _normal(second)).sum(1)
    torch.testing.assert_close(latent.divergence(first, second), divergence)
    assert latent.draw_noise(torch.Generator().manual_seed(0)).shape == (5,)


def test_gaussian_deviation_stays_positive() -> None:
    latent = GaussianLatent(1)
    sample = latent.sample(torch.tensor([[0.0, -1e4]]), torch.ones(1, 1))
    torch.testing.assert_close(sample, torch.tensor([[0.1]]))
