"""What a recorded RSP pre-training case must show."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.discovery import Case
from tests.parity.precision import tolerance
from vidrep_pipelines.models.rsp.checkpoint_io import load_into, load_original, original_name, to_original
from vidrep_pipelines.models.rsp.config import RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import RspOutputs, RspRandomness, rsp_objective
from vidrep_pipelines.training.optimizer import weight_decay_groups

VALUE_TOLERANCE = 2e-5
LOSS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
GRADIENT_FLOOR = 1e-7
WEIGHT_TOLERANCE = 2e-3


def model_config(original: dict[str, Any]) -> RspModelConfig:
    return RspModelConfig(
        image_size=original["img_size"],
        patch_size=original["patch_size"],
        channels=original.get("in_chans", 3),
        embedding_dimension=original["embed_dim"],
        depth=original["depth"],
        heads=original["num_heads"],
        decoder_dimension=original["decoder_embed_dim"],
        decoder_depth=original["decoder_depth"],
        decoder_heads=original["decoder_num_heads"],
        mlp_ratio=original.get("mlp_ratio", 4.0),
        latent_variables=original["stoch"],
        latent_classes=original["discrete"],
    )


def objective_config(original: dict[str, Any]) -> RspObjectiveConfig:
    return RspObjectiveConfig(
        mask_ratio=original["mask_ratio"],
        noise_scale=original["noise_scale"],
        kl_scale=original["kl_scale"],
        kl_balance=original["kl_balance"],
        kl_free_bits=original["kl_freebit"],
        normalize_patches=original["norm_pix_loss"],
        prior_decode_every=1,
    )


def noise_that_picks(index: Tensor, classes: int) -> Tensor:
    """Gumbel noise (B, S, C) under which exactly the classes ``index`` (B, S) are drawn."""
    chosen = F.one_hot(index, classes).bool()
    return torch.zeros(chosen.shape).masked_fill(~chosen, float("-inf"))


@dataclass(frozen=True)
class Replay:
    """A case loaded into our model."""

    case: Case
    model: RspModel
    objective: RspObjectiveConfig
    expected: dict[str, Tensor]

    def run(self) -> RspOutputs:
        classes = self.model.config.latent_classes
        values = self.expected
        randomness = RspRandomness(
            target_noise=values["noise_tgt"],
            mask_noise=values["mask_noise"],
            posterior_noise=noise_that_picks(values["post_index"], classes),
            prior_noise=noise_that_picks(values["prior_index"], classes),
        )
        return rsp_objective(self.model, values["src"], values["tgt"], randomness, self.objective)

    def gradients(self) -> dict[str, Tensor | None]:
        return {original_name(name): parameter.grad for name, parameter in self.model.named_parameters()}


def replay(case: Case) -> Replay:
    model = RspModel(model_config(case.config["cfg"])).train()
    path = case.folder / "weights.safetensors"
    load_into(model, load_original(path), str(path))
    return Replay(case, model, objective_config(case.config["cfg"]), case.tensors())


def _one_step(folder: Path) -> tuple[Replay, RspOutputs]:
    return _computed(folder, torch.get_default_dtype())


@lru_cache(maxsize=4)
def _computed(folder: Path, dtype: torch.dtype) -> tuple[Replay, RspOutputs]:
    """The dtype is that of the replay; here it keeps the two apart."""
    replayed = replay(Case(folder))
    outputs = replayed.run()
    outputs.loss.backward()  # type: ignore[no-untyped-call]
    return replayed, outputs


def check_features(case: Case) -> None:
    replayed, outputs = _one_step(case.folder)
    expected = replayed.expected
    for ours, theirs in (
        (outputs.source_tokens, "src_h"),
        (outputs.target_tokens, "tgt_h"),
        (outputs.masked_tokens, "img_h"),
        (outputs.posterior, "post_logits"),
        (outputs.prior, "prior_logits"),
        (outputs.target_patches, "target_patches"),
    ):
        _assert_close(ours, expected[theirs], theirs)


def check_predictions(case: Case) -> None:
    replayed, outputs = _one_step(case.folder)
    assert outputs.prior_prediction is not None
    for ours, theirs in (
        (outputs.posterior_prediction, "pred_post"),
        (outputs.prior_prediction, "pred_prior"),
        (outputs.masked_prediction, "pred_mae"),
    ):
        _assert_close(ours, replayed.expected[theirs], theirs)


def check_masking(case: Case) -> None:
    replayed, outputs = _one_step(case.folder)
    torch.testing.assert_close(outputs.masking.mask, replayed.expected["mask"], rtol=0, atol=0)
    torch.testing.assert_close(outputs.masking.restore, replayed.expected["ids_restore"], rtol=0, atol=0)


def check_losses(case: Case) -> None:
    replayed, outputs = _one_step(case.folder)
    assert outputs.prior_loss is not None
    for ours, theirs in (
        (outputs.loss, "loss"),
        (outputs.posterior_loss, "loss_post"),
        (outputs.prior_loss, "loss_prior"),
        (outputs.kl_loss, "kl_loss"),
        (outputs.kl, "kl_value"),
        (outputs.masked_loss, "mae_loss"),
    ):
        expected = float(replayed.expected[theirs])
        assert float(ours.detach()) == _about(expected, LOSS_TOLERANCE), theirs


def check_gradient_norms(case: Case) -> None:
    replayed, _ = _one_step(case.folder)
    names = case.arrays()["grad_names"]
    norms = replayed.expected["grad_norms"].clamp_min(0)  # -1: no gradient at all
    gradients = replayed.gradients()
    assert set(names) <= set(gradients)
    for name, expected in zip(names, norms.tolist(), strict=True):
        gradient = gradients[str(name)]
        norm = 0.0 if gradient is None else float(gradient.double().norm())
        assert abs(norm - expected) <= tolerance(GRADIENT_TOLERANCE) * expected + GRADIENT_FLOOR, name
        if expected == 0:
            assert norm == 0, name
    total = sum(float(g.double().square().sum()) for g in gradients.values() if g is not None) ** 0.5
    assert total == _about(float(replayed.expected["grad_norm_total"]), GRADIENT_TOLERANCE)


def check_full_gradients(case: Case) -> None:
    replayed, _ = _one_step(case.folder)
    gradients = replayed.gradients()
    recorded = {name: value for name, value in replayed.expected.items() if name.startswith("grad/")}
    assert recorded
    for name, expected in recorded.items():
        gradient = gradients[name.removeprefix("grad/")]
        assert gradient is not None, name
        difference = float((gradient - expected).norm())
        assert difference <= tolerance(GRADIENT_TOLERANCE) * float(expected.norm()) + GRADIENT_FLOOR, name


def check_parameters_without_gradient(case: Case) -> None:
    replayed, _ = _one_step(case.folder)
    expected = {str(name) for name in case.arrays()["params_without_grad"].ravel() if name}
    assert {name for name, gradient in replayed.gradients().items() if gradient is None} == expected


def check_weight_decay(case: Case) -> None:
    model = replay(case).model
    names = {id(parameter): original_name(name) for name, parameter in model.named_parameters()}
    decay = case.config["optimizer"]["weight_decay"]
    groups = weight_decay_groups(model, decay)
    assert [group["weight_decay"] for group in groups] == [0.0, decay]
    plain, decayed = ({names[id(parameter)] for parameter in group["params"]} for group in groups)
    assert decayed == {str(name) for name in case.arrays()["decay_names"]}
    assert plain | decayed == set(names.values())
    assert not plain & decayed


def check_optimization(case: Case) -> None:
    replayed = replay(case)
    settings = case.config["optimizer"]
    optimizer = torch.optim.AdamW(
        weight_decay_groups(replayed.model, settings["weight_decay"]),
        lr=float(replayed.expected.get("adamw_lr", torch.tensor(settings["lr"]))),
        betas=tuple(settings["betas"]),
        eps=settings["eps"],
        fused=True,
    )
    losses = []
    for _ in range(case.config["steps"]):
        optimizer.zero_grad()
        loss = replayed.run().loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    np.testing.assert_allclose(
        losses, replayed.expected["adamw_losses"].numpy(), rtol=tolerance(LOSS_TOLERANCE)
    )
    _check_weights_after(replayed.model, case)


def _check_weights_after(model: nn.Module, case: Case) -> None:
    arrays = case.arrays()
    norms = {name: float(value.double().norm()) for name, value in to_original(model.state_dict()).items()}
    assert set(norms) == {str(name) for name in arrays["param_names"]}
    for name, expected in zip(arrays["param_names"], arrays["param_norms_after"].tolist(), strict=True):
        assert norms[str(name)] == _about(expected, WEIGHT_TOLERANCE), name


def _about(expected: float, stated: float) -> Any:
    import pytest

    return pytest.approx(expected, rel=tolerance(stated), abs=0)


def _assert_close(ours: Tensor, expected: Tensor, name: str) -> None:
    torch.testing.assert_close(
        ours.detach(), expected, rtol=0, atol=tolerance(VALUE_TOLERANCE), msg=lambda text: f"{name}: {text}"
    )


CHECKS = (
    check_features,
    check_predictions,
    check_masking,
    check_losses,
    check_gradient_norms,
    check_full_gradients,
    check_parameters_without_gradient,
    check_weight_decay,
    check_optimization,
)
