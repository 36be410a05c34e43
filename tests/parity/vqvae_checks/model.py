"""What a recorded VQ-VAE case must show."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tests.parity.discovery import at_precision
from tests.parity.precision import tolerance
from tests.parity.vqvae_checks.near_ties import undecided
from tests.parity.vqvae_checks.stand_ins import action_features, perceptual
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import (
    peak_signal_to_noise_ratio,
    structural_similarity,
)
from vidrep_pipelines.models.layers.vector_quantizer import codebook_loss
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity
from vidrep_pipelines.models.shared.units import to_standardized, to_unit_range
from vidrep_pipelines.models.vqvae.checkpoint_io import (
    infer_model_config,
    load_into,
    load_original,
    original_name,
    to_original,
)
from vidrep_pipelines.models.vqvae.config import (
    CodebookConfig,
    VqvaeDataConfig,
    VqvaeModelConfig,
    VqvaeObjectiveConfig,
)
from vidrep_pipelines.models.vqvae.model import VqvaeModel, VqvaeOutputs
from vidrep_pipelines.models.vqvae.objective import (
    LossNetworks,
    VqvaeLosses,
    perceptual_loss,
    quantization_loss,
    vqvae_objective,
)

VALUE_TOLERANCE = 2e-5
LOSS_TOLERANCE = 1e-5
NORM_TOLERANCE, NORM_FLOOR = 1e-4, 1e-6
STEP_TOLERANCE = 1e-3
EVALUATION_TOLERANCES = {"PSNR": 1e-4, "SSIM": 1e-5, "LPIPS": 1e-5, "FVD": 1e-2}
DATA = VqvaeDataConfig()


def model_config(original: dict[str, Any]) -> VqvaeModelConfig:
    """Reads the recorded constructor values."""
    network = original["ddconfig"]
    return VqvaeModelConfig(
        image_size=network["resolution"],
        channels=network["in_channels"],
        width=network["ch"],
        width_multipliers=tuple(network["ch_mult"]),
        residual_blocks=network["num_res_blocks"],
        attention_resolutions=tuple(network["attn_resolutions"]),
        latent_channels=network["z_channels"],
        dropout=network["dropout"],
        codebook=CodebookConfig(size=original["n_embed"], dimension=original["embed_dim"]),
        decoder=original["key"],
    )


def objective_config(original: dict[str, Any], weights: dict[str, float]) -> VqvaeObjectiveConfig:
    return VqvaeObjectiveConfig(
        pixel_weight=weights["pixelloss_weight"],
        perceptual_weight=weights["perceptual_weight_2d"],
        perceptual_input="normalized",
        codebook_weight=weights["codebook_weight"],
        codebook_beta=original["beta"],
        codebook_loss_weighting="legacy" if original["legacy"] else "corrected",
        fvd_mean_weight=weights["fvd_mu_weight"],
        fvd_covariance_weight=weights["fvd_cov_weight"],
    )


@dataclass(frozen=True)
class Replay:
    """A case loaded into our model."""

    folder: Path
    config: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    networks: LossNetworks

    def model(self) -> VqvaeModel:
        model = VqvaeModel(model_config(self.config["model"])).train()
        path = self.folder / "weights.safetensors"
        load_into(model, load_original(path), str(path))
        return model

    def tensor(self, name: str) -> Tensor:
        return at_precision(torch.from_numpy(self.arrays[name]))

    @property
    def variants(self) -> dict[str, VqvaeObjectiveConfig]:
        return {
            name: objective_config(self.config["model"], weights)
            for name, weights in self.config["loss_variants"].items()
        }

    def losses(self, model: VqvaeModel, variant: str) -> VqvaeLosses:
        return vqvae_objective(model, self.tensor("x"), self.variants[variant], DATA, self.networks)


def replay(folder: Path) -> Replay:
    return _loaded(folder, torch.get_default_dtype())


@lru_cache(maxsize=2)
def _loaded(folder: Path, dtype: torch.dtype) -> Replay:
    """The dtype is that of the networks; here it keeps them apart."""
    config = json.loads((folder / "config.json").read_text())
    with np.load(folder / "data.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    seeds = config["seeds"]
    with TemporaryDirectory() as temporary:
        networks = LossNetworks(
            perceptual=perceptual(seeds["vgg"], seeds["lins"], Path(temporary)),
            action_features=action_features(seeds["i3d"]),
        )
    return Replay(folder, config, arrays, networks)


def _forward(folder: Path) -> tuple[VqvaeModel, VqvaeOutputs, dict[str, Tensor]]:
    return _computed(folder, torch.get_default_dtype())


@lru_cache(maxsize=2)
def _computed(folder: Path, dtype: torch.dtype) -> tuple[VqvaeModel, VqvaeOutputs, dict[str, Tensor]]:
    """The outputs, and what single layers gave."""
    replayed = replay(folder)
    model = replayed.model()
    seen: dict[str, Tensor] = {}
    layers = {
        "encoder_out": model.encoder,
        "enc_mid": model.encoder.middle.after,
        "dec_mid": model.decoder.frames.middle.after,
        "dec2d_out": model.decoder.frames,
    }
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output, name=name: seen.update({name: output}))
        for name, layer in layers.items()
    ]
    with torch.no_grad():
        outputs = model(replayed.tensor("x"))
    for hook in hooks:
        hook.remove()
    return model, outputs, seen


def _frames(tensor: Tensor, dimensions: int = 4) -> Tensor:
    """Folds time into the batch."""
    return tensor if tensor.ndim == dimensions else tensor.flatten(0, 1)


def check_features(folder: Path) -> None:
    """Layers, latents, quantized latents, codes, reconstruction."""
    replayed = replay(folder)
    model, outputs, seen = _forward(folder)
    with torch.no_grad():
        seen["ze"] = _frames(model.latents(replayed.tensor("x")))
    seen["zq"] = _frames(outputs.quantized.entries)
    seen["recon"] = outputs.reconstruction
    compared = [name for name in seen if name in replayed.arrays]
    assert {"encoder_out", "ze", "zq", "recon"} <= set(compared)  # the other layers are not always recorded
    for name in compared:
        _close(seen[name], replayed.tensor(name), name)
    codes = replayed.tensor("codes")
    assert torch.equal(outputs.quantized.codes, codes)
    assert torch.equal(model.encode(replayed.tensor("x")), codes)
    with torch.no_grad():
        assert torch.equal(model.decode_codes(codes), outputs.reconstruction)
    counts = code_counts(codes, model.quantizer.size)
    assert int((counts > 0).sum()) == replayed.config["codes_used"]
    assert float(perplexity(counts)) == _relative(replayed.arrays["perplexity"])


def check_architecture(folder: Path) -> None:
    """The config read off the weights is the recorded one, and names survive both ways."""
    replayed = replay(folder)
    weights = load_original(folder / "weights.safetensors")
    config = model_config(replayed.config["model"])
    inferred = infer_model_config(weights, image_size=config.image_size)
    assert VqvaeModel(inferred).state_dict().keys() == VqvaeModel(config).state_dict().keys()
    unseen = {"attention_resolutions": (), "dropout": 0.0}  # sides that do not occur; what has no weights
    assert inferred.model_copy(update=unseen) == config.model_copy(update=unseen)
    back = to_original(replayed.model().state_dict())
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], at_precision(value)) for name, value in weights.items())


def check_quantizer_losses(folder: Path) -> None:
    """Both weightings of the codebook loss: one value, two gradients."""
    replayed = replay(folder)
    beta = replayed.config["model"]["beta"]
    weightings = {"quant_legacy": (1.0, beta), "quant_nonlegacy": (beta, 1.0)}
    for name, (commitment, codebook) in weightings.items():
        model = replayed.model()
        vectors = replayed.tensor("ze").clone().requires_grad_()
        _, codes, prepared = model.quantizer(vectors.movedim(1, -1))
        loss = codebook_loss(
            prepared,
            model.quantizer.lookup(codes),
            commitment_weight=commitment,
            codebook_weight=codebook,
        )
        loss.backward()
        assert loss.item() == _relative(replayed.arrays[f"{name}/loss"])
        _close(vectors.grad, replayed.tensor(f"{name}/grad_ze"), f"{name}/grad_ze")
        _close(model.quantizer.codebook.grad, replayed.tensor(f"{name}/grad_codebook"), f"{name} codebook")
    model, outputs, _ = _forward(folder)
    objective = next(iter(replayed.variants.values()))
    loss = quantization_loss(model, outputs.quantized, objective)
    assert loss.item() == _relative(replayed.arrays["quant_loss"])


def check_losses_and_gradients(folder: Path) -> None:
    """Every variant: logged losses and the gradient of every parameter."""
    replayed = replay(folder)
    for variant in replayed.variants:
        model = replayed.model()
        losses = replayed.losses(model, variant)
        losses.loss.backward()
        logged = {
            "total_loss": losses.loss,
            "rec_loss": losses.reconstruction,
            "pixel_loss": losses.pixel,
            "perc_2d_loss": losses.perceptual,
            "quant_loss": losses.codebook,
            "fvd_loss": losses.fvd,
            "fvd_mu_loss": losses.fvd_mean,
            "fvd_cov_loss": losses.fvd_covariance,
        }
        for name, value in logged.items():
            assert value.item() == _relative(replayed.arrays[f"{variant}/{name}"]), f"{variant}/{name}"
        _compare_gradients(replayed, model, variant)


def _compare_gradients(replayed: Replay, model: VqvaeModel, variant: str) -> None:
    gradients = _by_original_name(model, lambda parameter: parameter.grad)
    names = replayed.arrays[f"{variant}/grad_names"].tolist()
    norms = [float(gradients[name].double().norm()) if name in gradients else 0.0 for name in names]
    expected = replayed.arrays[f"{variant}/grad_norms"].clip(min=0)  # -1: no gradient at all
    relative, floor = tolerance(NORM_TOLERANCE), tolerance(NORM_FLOOR)
    np.testing.assert_allclose(norms, expected, rtol=relative, atol=floor, err_msg=variant)
    assert {name for name, value in gradients.items() if value.any()} <= set(names)
    total = np.sqrt(np.square(norms).sum())
    assert total == _relative(replayed.arrays[f"{variant}/grad_total_norm"], NORM_TOLERANCE)
    prefix = f"{variant}/grad/"
    full = [name.removeprefix(prefix) for name in replayed.arrays if name.startswith(prefix)]
    assert full
    for name in full:
        wanted = replayed.tensor(prefix + name)
        difference = float((gradients[name] - wanted).double().norm())
        assert difference <= relative * float(wanted.norm()) + floor, f"{variant} {name}: {difference}"


def check_optimization(folder: Path) -> None:
    """Losses along a few steps of Adam, and the weights after them, as far as rounding decides no code."""
    replayed = replay(folder)
    settings = replayed.config["optimizer"]
    for variant in replayed.variants:
        model = replayed.model()
        optimizer = torch.optim.AdamW(
            [parameter for parameter in model.parameters() if parameter.requires_grad],
            lr=settings["lr"],
            betas=tuple(settings["betas"]),
            eps=settings["eps"],
            weight_decay=settings["weight_decay"],
        )
        expected = replayed.arrays[f"{variant}/adam_losses"]
        for step, recorded in enumerate(expected):
            loss = replayed.losses(model, variant).loss
            if loss.item() != pytest.approx(float(recorded), rel=STEP_TOLERANCE):
                ties = undecided(model, replayed.tensor("x"), settings["lr"] * step)
                assert ties, (
                    f"{variant}, step {step}: {loss.item()} for {recorded}, and no code was near a tie"
                )
                break  # the recording took another code, and goes another way from here
            if step < len(expected) - 1:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        else:
            _compare_weights(replayed, model, variant)


def _compare_weights(replayed: Replay, model: VqvaeModel, variant: str) -> None:
    weights = _by_original_name(model, lambda parameter: parameter.detach())
    norms = [float(weights[n].double().norm()) for n in replayed.arrays[f"{variant}/adam_weight_names"]]
    np.testing.assert_allclose(
        norms, replayed.arrays[f"{variant}/adam_weight_norms"], rtol=STEP_TOLERANCE, err_msg=variant
    )


def check_corrected_perceptual_loss(folder: Path) -> None:
    """LPIPS of pixels in 0..1, with and without clamping."""
    replayed = replay(folder)
    _, outputs, _ = _forward(folder)
    images, rebuilt = replayed.tensor("x"), outputs.reconstruction
    objective = VqvaeObjectiveConfig(perceptual_weight=1.0)
    found = perceptual_loss(images, rebuilt, objective, DATA, replayed.networks)
    assert found.item() == _relative(replayed.arrays["perc_2d_loss_on_01"])
    clamped = [to_standardized(to_unit_range(pair, DATA).clamp(0, 1), DATA) for pair in (images, rebuilt)]
    found = perceptual_loss(clamped[0], clamped[1], objective, DATA, replayed.networks)
    assert found.item() == _relative(replayed.arrays["perc_2d_loss_on_01_clamped"])


@torch.no_grad()
def check_evaluation(folder: Path) -> None:
    """Metrics of whole clips, as published and with clamped pixels."""
    replayed = replay(folder)
    model, outputs, _ = _forward(folder)
    real = replayed.tensor("video01") if "video01" in replayed.arrays else None
    standardized = replayed.tensor("x") if real is None else to_standardized(real, DATA)
    rebuilt = outputs.reconstruction if real is None else model(standardized).reconstruction
    if "recon_video" in replayed.arrays:
        _close(rebuilt, replayed.tensor("recon_video"), "recon_video")
    real = to_unit_range(standardized, DATA) if real is None else real
    videos = (real, to_unit_range(rebuilt, DATA))
    _compare_metrics(replayed, videos, "eval_as_original")
    _compare_metrics(replayed, (videos[0].clamp(0, 1), videos[1].clamp(0, 1)), "eval_clamped")


def _compare_metrics(replayed: Replay, videos: tuple[Tensor, Tensor], prefix: str) -> None:
    perceptual_distance, features = replayed.networks.perceptual, replayed.networks.action_features
    assert perceptual_distance is not None and features is not None
    found = {
        "PSNR": float(peak_signal_to_noise_ratio(*videos).mean()),
        "SSIM": float(structural_similarity(*videos).mean()),
        "LPIPS": float(perceptual_distance(_frames(videos[0]), _frames(videos[1])).mean()),
        "FVD": float(frechet_distance(*(features(video).double().numpy() for video in videos))),
    }
    for name, stated in EVALUATION_TOLERANCES.items():
        expected = float(replayed.arrays[f"{prefix}/{name}"])
        assert abs(found[name] - expected) <= tolerance(stated), (
            f"{prefix}/{name}: {found[name]} for {expected}"
        )


def _by_original_name(model: VqvaeModel, value: Callable[[nn.Parameter], Tensor | None]) -> dict[str, Tensor]:
    has_head = model.config.decoder == "3d"
    found = {
        original_name(name, has_head=has_head): value(parameter)
        for name, parameter in model.named_parameters()
    }
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _relative(expected: NDArray[Any], stated: float = LOSS_TOLERANCE) -> Any:
    return pytest.approx(float(expected), rel=tolerance(stated), abs=1e-12)


def _close(found: Tensor | None, expected: Tensor, what: str) -> None:
    assert found is not None, what
    torch.testing.assert_close(
        found.float(), expected, rtol=0, atol=tolerance(VALUE_TOLERANCE), msg=lambda text: f"{what}: {text}"
    )


CHECKS = (
    check_features,
    check_architecture,
    check_quantizer_losses,
    check_losses_and_gradients,
    check_optimization,
    check_corrected_perceptual_loss,
    check_evaluation,
)
