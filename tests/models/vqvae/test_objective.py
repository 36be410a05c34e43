import math
from typing import Any

import pytest
import torch

from tests.models.vqvae.tiny import DATA, make_config, make_images, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.patch_discriminator import PatchDiscriminator
from vidrep_pipelines.models.layers.perceptual_distance import PerceptualDistance
from vidrep_pipelines.models.shared.units import to_standardized, to_unit_range
from vidrep_pipelines.models.vqvae.adversarial import adversarial_losses
from vidrep_pipelines.models.vqvae.config import AdversarialConfig, VqvaeObjectiveConfig
from vidrep_pipelines.models.vqvae.objective import LossNetworks, mean_psnr, vqvae_objective

PERCEPTUAL = LossNetworks(perceptual=PerceptualDistance.random(0, (4, 4, 4, 4, 4)))


class FlatFeatures(torch.nn.Module):
    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return clips.mean(dim=1).flatten(1)[:, ::50]


def test_units_are_inverse() -> None:
    images = make_images(2)
    torch.testing.assert_close(to_standardized(to_unit_range(images, DATA), DATA), images)
    black = to_standardized(torch.zeros(1, 3, 1, 1), DATA).flatten()
    torch.testing.assert_close(black, -torch.tensor(DATA.mean) / torch.tensor(DATA.std))


def test_the_loss_is_the_weighted_sum_of_its_parts() -> None:
    config = VqvaeObjectiveConfig(
        pixel_weight=0.5,
        perceptual_weight=2.0,
        codebook_weight=3.0,
        fvd_mean_weight=4.0,
        fvd_covariance_weight=5.0,
    )
    networks = LossNetworks(PERCEPTUAL.perceptual, FlatFeatures())
    losses = vqvae_objective(make_model(), make_images(3, 2), config, DATA, networks)
    parts = (losses.pixel, losses.perceptual, losses.fvd_mean, losses.fvd_covariance, losses.codebook)
    assert all(part > 0 for part in parts)
    expected = sum(w * p for w, p in zip((0.5, 2.0, 4.0, 5.0, 3.0), parts, strict=True))
    torch.testing.assert_close(losses.loss, expected)
    torch.testing.assert_close(losses.reconstruction, losses.loss - 3.0 * losses.codebook)
    assert all(value.ndim == 0 and not value.requires_grad for value in losses.metrics().values())


def test_parts_without_weight_are_zero_and_give_no_gradient() -> None:
    model = make_model()
    config = VqvaeObjectiveConfig(codebook_weight=0.0)
    losses = vqvae_objective(model, make_images(2), config, DATA)
    losses.loss.backward()  # type: ignore[no-untyped-call]
    assert not (losses.codebook or losses.perceptual or losses.fvd)
    assert model.quantizer.codebook.grad is None and model.to_latents.weight.grad is not None


def test_an_averaged_codebook_only_has_the_commitment_term() -> None:
    model = make_model(make_config({"update": "ema"}))
    values = [
        vqvae_objective(
            model, make_images(2), VqvaeObjectiveConfig(codebook_loss_weighting=weighting), DATA
        ).codebook.item()
        for weighting in ("legacy", "corrected")
    ]
    assert values[1] == pytest.approx(0.25 * values[0])


def test_perceptual_input_changes_the_units() -> None:
    values = [
        vqvae_objective(
            make_model(),
            make_images(2),
            VqvaeObjectiveConfig(perceptual_weight=1.0, perceptual_input=units),
            DATA,
            PERCEPTUAL,
        ).perceptual.item()
        for units in ("unit", "normalized")
    ]
    assert values[0] != pytest.approx(values[1], rel=1e-3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"perceptual_weight": 1.0}, "perceptual_weight"), ({"fvd_mean_weight": 1.0}, "action features")],
)
def test_missing_networks_are_named(weights: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        vqvae_objective(make_model(), make_images(2, 2), VqvaeObjectiveConfig(**weights), DATA)


def test_clip_statistics_need_several_clips() -> None:
    config, networks = VqvaeObjectiveConfig(fvd_mean_weight=1.0), LossNetworks(None, FlatFeatures())
    for shape in [(1, 3), (4,)]:
        with pytest.raises(InputError, match="two clips"):
            vqvae_objective(make_model(), make_images(*shape), config, DATA, networks)


def test_psnr_of_a_known_error() -> None:
    gray = torch.full((2, 3, 4, 4), 0.5)
    pair = [to_standardized(frames, DATA) for frames in (gray, gray + 0.1)]
    assert mean_psnr(*pair, DATA).item() == pytest.approx(20, abs=1e-4)
    assert math.isfinite(mean_psnr(pair[0], pair[0], DATA).item())


def play(config: AdversarialConfig, step: int = 0) -> tuple[Any, Any, Any]:
    model = make_model()
    torch.manual_seed(3)
    judge, images = PatchDiscriminator(width=8, layers=1), make_images(2)
    losses = vqvae_objective(model, images, VqvaeObjectiveConfig(), DATA)
    game = adversarial_losses(
        judge, images, losses.outputs.reconstruction, losses.reconstruction, model.decoder.last_layer, config,
        step=step, mean_across_ranks=lambda value: value,
    )  # fmt: skip
    return model, judge, game


def test_the_players_gradients_are_kept_apart() -> None:
    model, judge, game = play(AdversarialConfig(weight=0.5))
    game.loss.backward()
    combined = {name: p.grad.clone() for name, p in judge.named_parameters()}
    model, judge, game = play(AdversarialConfig(weight=0.5))
    game.discriminator.backward()
    assert all(torch.equal(combined[name], p.grad) for name, p in judge.named_parameters())
    assert all(p.grad is None for p in model.parameters())
    model, judge, game = play(AdversarialConfig(weight=0.5))
    game.generator.backward()
    assert all(p.grad is None for p in judge.parameters())
    assert model.encoder.convolution_in.weight.grad.any()


def test_the_adaptive_weight_equalizes_the_gradients_at_the_last_layer() -> None:
    model, _, game = play(AdversarialConfig(weight=1.0))
    game.generator.backward()
    adversarial = model.decoder.last_layer.grad.norm()
    model.zero_grad()
    vqvae_objective(model, make_images(2), VqvaeObjectiveConfig(), DATA).reconstruction.backward()
    wanted = model.decoder.last_layer.grad.norm()
    assert game.weight.item() == pytest.approx((wanted / (adversarial + 1e-4)).item(), rel=1e-4)
    assert play(AdversarialConfig(weight=0.3, adaptive=False))[2].weight.item() == pytest.approx(0.3)
    bounded = play(AdversarialConfig(weight=1.0, largest_adaptive_weight=1e-3))[2]
    assert bounded.weight.item() == pytest.approx(1e-3)


def test_before_its_start_the_game_is_still() -> None:
    _, judge, game = play(AdversarialConfig(weight=1.0, start_step=5), step=4)
    game.loss.backward()
    assert game.loss.item() == 0 and not game.metrics()["loss_discriminator"]
    assert all(p.grad is not None and not p.grad.any() for p in judge.parameters())
    assert play(AdversarialConfig(weight=1.0, start_step=5), step=5)[2].loss.item() != 0
