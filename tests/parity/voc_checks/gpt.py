"""What a recorded case of the occupancy GPT, its targets and its values must show."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity.discovery import at_precision
from tests.parity.precision import tolerance
from vidrep_pipelines.evaluation.occupancy.published_metrics import (
    density_values,
    density_weights,
    discounted_sum,
    mean_squared_error,
)
from vidrep_pipelines.models.voc.checkpoint_io import (
    infer_gpt_config,
    load_gpt_into,
    load_into,
    load_original,
    load_reward_into,
    original_name,
    reward_to_original,
    to_original,
)
from vidrep_pipelines.models.voc.config import (
    FeatureLayout,
    RewardConfig,
    TargetConfig,
    VocModelConfig,
    VocObjectiveConfig,
)
from vidrep_pipelines.models.voc.dataset import bootstrapped_offset
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.objective import (
    OccupancyBatch,
    OccupancyLosses,
    draw_targets,
    occupancy_objective,
)
from vidrep_pipelines.models.voc.sampling import future_log_probabilities, values_of
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.training.config import OptimizerConfig
from vidrep_pipelines.training.optimizer import build_optimizer, set_learning_rate
from vidrep_pipelines.training.schedule import learning_rate

TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
WEIGHT_TOLERANCE = 1e-4
WARMUP, LENGTH = 5000, 100_000
TOP_K = 50


@dataclass(frozen=True)
class Replay:
    """A case loaded into our model."""

    folder: Path
    settings: dict[str, Any]
    model: VocModel
    arrays: dict[str, Tensor]

    def batch(self, bootstrap: Tensor) -> OccupancyBatch:
        context, following = self.arrays["y_context"], self.arrays["y_target"]
        reward = torch.zeros(len(context))
        return OccupancyBatch(context, following, reward, following, bootstrap)

    def objective(self, **target: Any) -> VocObjectiveConfig:
        fields = TargetConfig(gamma=self.settings["gamma"], **target)
        return VocObjectiveConfig(target=fields, ema_decay=self.settings["ema_beta"])

    def task(self) -> VocTask:
        return VocTask(tokens=(Path("unused.h5"),), model=self.model.config, objective=self.objective())


def replay(folder: Path, layout: FeatureLayout = "channel_major") -> Replay:
    settings = json.loads((folder / "config.json").read_text())["gpt"]
    online = load_original(folder / "gpt.safetensors")
    with np.load(folder / "gpt.npz", allow_pickle=False) as file:
        arrays = {name: at_precision(torch.from_numpy(np.asarray(file[name]))) for name in file.files}
    config = VocModelConfig(
        gpt=infer_gpt_config(online, heads=settings["n_head"]),
        frame_stack=settings["frame_stack"],
        grid=tuple(settings["grid"]),
        reward=RewardConfig(codebook_dimension=arrays["codebook"].shape[1], layout=layout),
    )
    model = VocModel(config, arrays["codebook"])
    load_into(model, online, str(folder))
    load_gpt_into(model.target, load_original(folder / "gpt_target.safetensors"), str(folder))
    assert model.reward_head is not None
    load_reward_into(model.reward_head, load_original(folder / "reward_predictor.safetensors"), str(folder))
    return Replay(folder, settings, model, arrays)


def _one_step(folder: Path) -> tuple[Replay, OccupancyLosses]:
    return _computed(folder, torch.get_default_dtype())


@lru_cache(maxsize=4)
def _computed(folder: Path, dtype: torch.dtype) -> tuple[Replay, OccupancyLosses]:
    """The dtype is that of the replay; here it keeps the two apart."""
    replayed = replay(folder)
    arrays = replayed.arrays
    losses = occupancy_objective(
        replayed.model, replayed.batch(arrays["bootstrap_mask"]), arrays["sample_u"], replayed.objective()
    )
    losses.occupancy.backward()  # type: ignore[no-untyped-call]
    return replayed, losses


def check_both_ways(folder: Path) -> None:
    """Loading and exporting gives the same tensors back."""
    model = replay(folder).model
    assert model.reward_head is not None
    for file, exported in (
        ("gpt", to_original(model.gpt.state_dict())),
        ("gpt_target", to_original(model.target.state_dict())),
        ("reward_predictor", reward_to_original(model.reward_head.state_dict())),
    ):
        original = load_original(folder / f"{file}.safetensors")
        assert exported.keys() == original.keys()
        for name, value in original.items():
            torch.testing.assert_close(exported[name], at_precision(value), rtol=0, atol=0)


def check_target_samples(folder: Path) -> None:
    replayed = replay(folder)
    everything = replayed.batch(torch.ones(len(replayed.arrays["y_context"]), dtype=torch.bool))
    for name, target in (
        ("target_sampled_full", {}),
        ("target_sampled_top50", {"top_k": TOP_K}),
        ("target_greedy", {"top_k": 1}),
    ):
        config = replayed.objective(**target).target
        drawn = draw_targets(replayed.model.target, everything, replayed.arrays["sample_u"], config)
        torch.testing.assert_close(drawn, replayed.arrays[name], rtol=0, atol=0)


def check_targets(folder: Path) -> None:
    replayed, losses = _one_step(folder)
    gamma = replayed.settings["gamma"]
    chosen = [bootstrapped_offset(u, gamma, 1) for u in replayed.arrays["bernoulli_u"].tolist()]
    assert chosen == [(1, bool(taken)) for taken in replayed.arrays["bootstrap_mask"]]
    torch.testing.assert_close(losses.target, replayed.arrays["p_target"], rtol=0, atol=0)


def check_losses(folder: Path) -> None:
    replayed, losses = _one_step(folder)
    expected = replayed.arrays
    logits = torch.cat([losses.logits, replayed.model.gpt(_sequence(expected))[:, -1:]], dim=1)
    _assert_close(logits, expected["logits"], "logits")
    _assert_close(losses.token_losses, expected["nll"], "nll")
    _assert_close(losses.occupancy, expected["loss_all"], "loss_all")
    target_only = replayed.objective().model_copy(update={"loss_on": "target"})
    again = occupancy_objective(
        replayed.model, replayed.batch(expected["bootstrap_mask"]), expected["sample_u"], target_only
    )
    _assert_close(again.occupancy, expected["loss_target_only"], "loss_target_only")


def check_gradients(folder: Path) -> None:
    replayed, _ = _one_step(folder)
    norms = {
        original_name(name): 0.0 if parameter.grad is None else float(parameter.grad.double().norm())
        for name, parameter in replayed.model.gpt.named_parameters()
    }
    found = [norms[name] for name in replayed.settings["grad_param_names"]]
    expected = replayed.arrays["grad_norms"].clamp_min(0).numpy()  # -1: no gradient at all
    np.testing.assert_allclose(found, expected, rtol=tolerance(GRADIENT_TOLERANCE), atol=1e-7)
    total = float(np.sqrt(np.sum(np.square(list(norms.values())))))
    np.testing.assert_allclose(
        total, float(replayed.arrays["total_grad_norm"]), rtol=tolerance(GRADIENT_TOLERANCE)
    )
    assert all(parameter.grad is None for parameter in replayed.model.target.parameters())


def check_decayed_parameters(folder: Path) -> None:
    replayed = replay(folder)
    names = {id(value): original_name(name) for name, value in replayed.model.gpt.named_parameters()}
    decay = replayed.settings["adamw"]["wd"]
    groups = replayed.task().parameter_groups(replayed.model, decay)
    found = [{names[id(value)] for value in group["params"]} for group in groups[:2]]
    assert found == [set(replayed.settings["no_decay_params"]), set(replayed.settings["decay_params"])]
    assert [group["weight_decay"] for group in groups[:2]] == [0.0, decay]


def check_update(folder: Path) -> None:
    """One step of AdamW on the published loss, and the target network after it."""
    replayed = replay(folder)
    arrays, settings, model = replayed.arrays, replayed.settings, replayed.model
    before = _by_original_name(model.gpt)
    adamw = settings["adamw"]
    optimizer = build_optimizer(
        replayed.task().parameter_groups(model, adamw["wd"]),
        OptimizerConfig(betas=tuple(adamw["betas"]), eps=adamw["eps"]),
        torch.device("cpu"),
    )
    set_learning_rate(optimizer, settings["lr"])
    batch = replayed.batch(arrays["bootstrap_mask"])
    losses = occupancy_objective(model, batch, arrays["sample_u"], replayed.objective())
    losses.occupancy.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    model.follow(settings["ema_beta"])
    after, target = _by_original_name(model.gpt), _by_original_name(model.target)
    names = settings["param_names"]
    noise = torch.tensor([_key_bias_noise(key, before[key], settings["lr"]) for key in names])
    for name, values in (
        ("param_after_sum", [after[key].sum() for key in names]),
        ("param_after_absdelta_sum", [(after[key] - before[key]).abs().sum() for key in names]),
        ("target_after_ema_sum", [target[key].sum() for key in names]),
        ("target_after_ema_sqsum", [target[key].square().sum() for key in names]),
        ("wte_after", after["transformer.wte.weight"]),
        ("target_wte_after", target["transformer.wte.weight"]),
    ):
        found = values if isinstance(values, Tensor) else torch.stack(values)
        permitted = tolerance(WEIGHT_TOLERANCE) + (noise if found.ndim == 1 else 0.0)
        excess = (found - arrays[name].double()).abs() - tolerance(TOLERANCE) * arrays[name].double().abs()
        assert (excess <= permitted).all(), f"{name}: {excess.max()}"


def check_learning_rates(folder: Path) -> None:
    replayed = replay(folder)
    found = [
        learning_rate(step, base=replayed.settings["lr"], minimum=0.0, epochs=LENGTH, warmup_epochs=WARMUP)
        for step in replayed.arrays["lr_steps"].tolist()
    ]
    np.testing.assert_allclose(found, replayed.arrays["lr_values"].numpy(), rtol=1e-9, atol=1e-15)


def check_values(folder: Path) -> None:
    layouts: tuple[tuple[str, FeatureLayout], ...] = (("vae", "channel_major"), ("dino", "token_major"))
    for name, layout in layouts:
        replayed = replay(folder, layout)
        arrays = replayed.arrays
        rewards = replayed.model.rewards(arrays["value_samples"])
        _assert_close(rewards, arrays[f"reward_{name}_layout"], f"reward_{name}_layout")
        values = values_of(rewards.T, replayed.settings["gamma"])
        _assert_close(values, arrays[f"value_{name}_layout"], f"value_{name}_layout")


def check_density_metric(folder: Path) -> None:
    replayed = replay(folder)
    arrays, gamma = replayed.arrays, replayed.settings["gamma"]
    context, *futures = arrays["traj_tokens"]
    scored = [future_log_probabilities(replayed.model.gpt, context, future) for future in futures]
    likely, raw = (torch.stack(column).double().numpy() for column in zip(*scored, strict=True))
    weights = density_weights(likely, raw)
    rewards = replayed.model.rewards(torch.stack(futures)).detach().double().numpy()
    predicted, actual = density_values(weights, rewards), discounted_sum(rewards, gamma)
    for name, found in (
        ("seq_logprob", likely.sum(axis=-1)),
        ("density_prob", weights),
        ("density_value_pred", predicted),
        ("density_value_actual", actual),
        ("density_value_loss", np.array(mean_squared_error(predicted, actual))),
    ):
        _assert_close(torch.from_numpy(found), arrays[name], name)


def _key_bias_noise(name: str, before: Tensor, rate: float) -> float:
    """Attention is blind to a bias of all keys, whose gradient is 0 but for rounding: noise, which AdamW
    blows up to a step of the learning rate on either side. No more can be asked of their sum.
    """
    return 2 * rate * (len(before) // 3) if name.endswith("attn.c_attn.bias") else 0.0


def _sequence(arrays: dict[str, Tensor]) -> Tensor:
    return torch.cat([arrays["y_context"], arrays["p_target"]], dim=1)


def _by_original_name(module: nn.Module) -> dict[str, Tensor]:
    return {original_name(name): value.detach().double().clone() for name, value in module.named_parameters()}


def _assert_close(found: Tensor, expected: Tensor, name: str, stated: float = TOLERANCE) -> None:
    torch.testing.assert_close(
        found.detach().double(),
        expected.double(),
        rtol=tolerance(TOLERANCE),
        atol=tolerance(stated),
        msg=lambda text: f"{name}: {text}",
    )


CHECKS: tuple[Callable[[Path], None], ...] = (
    check_both_ways,
    check_target_samples,
    check_targets,
    check_losses,
    check_gradients,
    check_decayed_parameters,
    check_update,
    check_learning_rates,
    check_values,
    check_density_metric,
)


def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    for part in CHECKS:
        part(folder)
