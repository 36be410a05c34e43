"""``policy_loss.npz``: tokens, noise levels, what the policy sees and gives, its losses and gradients."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.parity.precision import tolerance
from tests.parity.vpp_checks.case_model import case_arrays, case_config, near
from tests.parity.vpp_checks.policy_case import case_features, case_goal, case_policy
from vidrep_pipelines.models.vpp.policy.checkpoint_io import published_policy_name
from vidrep_pipelines.models.vpp.policy.config import ActionPartConfig, PolicyObjectiveConfig
from vidrep_pipelines.models.vpp.policy.goal import ProjectedText
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.objective import PolicyOutputs, PolicyRandomness, policy_objective
from vidrep_pipelines.models.vpp.policy.presets import XBOT_PARTS, xhand_parts

NORM_TOLERANCE, NORM_FLOOR = 1e-4, 1e-6
"""Of the norms of gradients, as the fixtures' README states it; some are zero but for rounding."""

_PART_NAMES = {"loss_xyz": "xyz", "loss_rot": "rotation", "loss_hand": "hand"}
_STATE = "model.inner_model.proprio_emb."


def _parts(folder: Path) -> tuple[ActionPartConfig, ...]:
    policy = case_config(folder)["policy"]
    if policy["kind"] == "xhand":
        return xhand_parts(policy["adim"])
    return {"calvin": (), "xbot": XBOT_PARTS}[policy["kind"]]


def _gradient_norms(folder: Path) -> dict[str, float]:
    """Recorded norms by the original's names; -1 where there is no gradient."""
    with np.load(folder / "policy_loss.npz", allow_pickle=False) as file:
        names, norms = file["grad_names"], file["grad_norms"]
        return dict(zip(names.tolist(), norms.tolist(), strict=True))


def _step(folder: Path) -> tuple[PolicyModel, PolicyOutputs]:
    arrays = case_arrays(folder, "policy_loss")
    frozen = any(norm < 0 for name, norm in _gradient_norms(folder).items() if name.startswith(_STATE))
    model = case_policy(folder, frozen_state=frozen)
    randomness = PolicyRandomness(torch.ones(len(arrays["u"])), arrays["u"], arrays["noise"])
    outputs = policy_objective(
        model,
        case_features(folder),
        case_goal(arrays),
        arrays["actions"],
        randomness,
        PolicyObjectiveConfig(parts=_parts(folder)),
        arrays.get("state_obs"),
    )
    return model, outputs


@cache
def _computed(folder: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    del dtype  # the default one: what is kept for single precision is not right for double
    with torch.no_grad():
        model, outputs = _step(folder)
        denoised = model.denoise(outputs.noisy, outputs.sigma, outputs.context)
        former_out = model.video_former(case_features(folder))
    parts = {name: outputs.parts[ours].mean() for name, ours in _PART_NAMES.items() if ours in outputs.parts}
    return {
        "former_in_b0_f01": case_features(folder)[:1, :2],
        "former_out": former_out,
        "sigma": outputs.sigma,
        "target": outputs.target,
        "context": outputs.context.tokens,
        "model_output": outputs.output,
        "denoised": denoised,
        "loss": outputs.errors.mean(),
        **parts,
    }


def _compare(folder: Path, *names: str) -> None:
    """Recorded values, where the case has them."""
    recorded = case_arrays(folder, "policy_loss")
    computed = _computed(folder, torch.get_default_dtype())
    for name in names:
        if name in recorded:
            near(computed[name], recorded[name], name)


def check_tokens(folder: Path) -> None:
    _compare(folder, "former_in_b0_f01", "former_out")


@torch.inference_mode()
def check_goal(folder: Path) -> None:
    """The text model's projection of the instructions' numbers."""
    arrays = case_arrays(folder, "policy_loss")
    if "goal_input_ids" in arrays:
        encoder = ProjectedText(folder / "clip_text")
        goal = encoder(arrays["goal_input_ids"], arrays["goal_attention_mask"])
        near(goal, case_goal(arrays), "goal")


def check_noise(folder: Path) -> None:
    _compare(folder, "sigma", "target")


def check_outputs(folder: Path) -> None:
    _compare(folder, "context", "model_output", "denoised")


def check_losses(folder: Path) -> None:
    """The plain mean, which was differentiated in the recording, and the parts where there are some."""
    _compare(folder, "loss", *_PART_NAMES)
    recorded = case_arrays(folder, "policy_loss")
    assert all(name in recorded for name in _PART_NAMES) or not _parts(folder)


def check_gradients(folder: Path) -> None:
    """The norm of every parameter's gradient: which have one, and how large it is."""
    recorded = _gradient_norms(folder)
    model, outputs = _step(folder)
    outputs.errors.mean().backward()  # type: ignore[no-untyped-call]
    found = {
        published_policy_name(name, model.config.former): value.grad
        for name, value in model.named_parameters()
    }
    for name, norm in recorded.items():
        gradient = found.pop(name, None)
        assert (norm < 0) == (gradient is None), name
        if gradient is not None:
            difference = abs(float(gradient.double().norm()) - norm)
            allowed = tolerance(NORM_TOLERANCE * norm + NORM_FLOOR)
            assert difference <= allowed, f"{name} differs by {difference:.2e} from {norm}"
    assert not found, sorted(found)


POLICY_LOSS_CHECKS: tuple[Callable[[Path], None], ...] = (
    check_tokens,
    check_goal,
    check_noise,
    check_outputs,
    check_losses,
    check_gradients,
)
