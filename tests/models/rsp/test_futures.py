import pytest
import torch
from torch import Tensor

from tests.models.rsp.tiny import OBJECTIVE, make_frames, make_model
from vidrep_pipelines.models.layers.tokens import normalize_patches, patchify
from vidrep_pipelines.models.rsp.futures import (
    PRIOR_SAMPLES,
    PredictedFutures,
    future_errors,
    in_pixels,
    predicted_futures,
    rebuilt_in_pixels,
    with_contrast_of,
)
from vidrep_pipelines.models.rsp.model import RspModel

SEEDS = torch.tensor([3, 4])


def blind(model: RspModel) -> RspModel:
    """The model with a posterior that is the same whatever it sees."""
    for parameter in model.to_posterior.parameters():
        torch.nn.init.zeros_(parameter)
    return model


@pytest.mark.parametrize("normalize", [True, False])
def test_nothing_of_the_target_is_in_a_prediction_but_through_the_posterior(normalize: bool) -> None:
    config = OBJECTIVE.model_copy(update={"normalize_patches": normalize})
    model, (source, target) = make_model(), make_frames(2)
    other = 3 * target + 1
    seeing = [predicted_futures(model, source, frame, config, SEEDS) for frame in (target, other)]
    assert torch.equal(seeing[0].priors, seeing[1].priors)
    assert not torch.equal(seeing[0].kl, seeing[1].kl)
    unseeing = [predicted_futures(blind(model), source, frame, config, SEEDS) for frame in (target, other)]
    assert torch.equal(unseeing[0].posterior, unseeing[1].posterior)


def test_prior_samples_differ_from_each_other_and_are_repeatable() -> None:
    model, (source, target) = make_model(), make_frames(2)
    first, again = (predicted_futures(model, source, target, OBJECTIVE, SEEDS) for _ in range(2))
    assert first.priors.shape == (2, PRIOR_SAMPLES, 3, 32, 32)
    assert torch.equal(first.priors, again.priors)
    assert not torch.equal(first.priors[:, 0], first.priors[:, 1])


def test_normalized_patches_get_the_contrast_of_the_reference() -> None:
    model, (source, target) = make_model(), make_frames(2)
    pattern = normalize_patches(patchify(source, model.config.patch_size))
    image = in_pixels(model, pattern, source, OBJECTIVE)
    torch.testing.assert_close(image, source)
    borrowed = with_contrast_of(model, image, source, target)
    torch.testing.assert_close(borrowed, in_pixels(model, pattern, target, OBJECTIVE))


def test_a_reconstruction_knows_the_visible_patches_only() -> None:
    model, (_, target) = make_model(), make_frames(2)
    keep = torch.tensor([[0, 5, 9], [2, 3, 15]])
    patches = patchify(target, model.config.patch_size)
    hidden = torch.ones(2, 16, 1).scatter(1, keep.unsqueeze(-1), 0.0).bool()
    prediction = torch.randn(patches.shape)
    changed = in_pixels(
        model,
        torch.where(hidden, 5 * patches + 2, patches),
        target,
        OBJECTIVE.model_copy(update={"normalize_patches": False}),
    )
    first, second = (
        rebuilt_in_pixels(model, prediction, frame, keep, OBJECTIVE) for frame in (target, changed)
    )
    torch.testing.assert_close(first, second)


def hand_made() -> tuple[Tensor, Tensor, PredictedFutures]:
    """A pair whose left half moves, a perfect posterior, priors that differ on the left only."""
    source = torch.zeros(1, 3, 32, 32)
    target = source.clone()
    target[..., :16] = 1.0
    priors = source.expand(1, PRIOR_SAMPLES, 3, 32, 32).clone()
    priors[:, 0, ..., :16] = 3.0
    return source, target, PredictedFutures(target.clone(), priors, torch.tensor([0.7]))


def test_errors_of_a_pair_by_hand() -> None:
    source, target, futures = hand_made()
    errors = future_errors(futures, source, target)
    deviation = float(torch.tensor([0.229, 0.224, 0.225]).square().mean().sqrt())
    copied = deviation * 0.5**0.5
    assert errors.posterior.item() == pytest.approx(0.0)
    assert errors.copied.item() == pytest.approx(copied)
    assert errors.prior.item() == pytest.approx(copied * (2 + 1 + 1) / 3)
    # Samples of 3, 0 and 0 have a variance of 3.
    assert errors.moving.item() == pytest.approx(deviation * 3**0.5)
    assert errors.still.item() == 0.0
    assert errors.kl.item() == pytest.approx(0.7)


def test_where_nothing_moves_there_is_no_number() -> None:
    source, _, futures = hand_made()
    errors = future_errors(futures, source, source)
    assert errors.moving.isnan().all()
    assert errors.still.isfinite().all()
