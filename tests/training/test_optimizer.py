import copy
import sys
from typing import Any

import pytest
import torch
from torch import nn

from vidrep_pipelines.common.errors import ConfigurationError, MissingExtraError
from vidrep_pipelines.training import optimizer as optimizer_module
from vidrep_pipelines.training.config import OptimizerConfig
from vidrep_pipelines.training.optimizer import build_optimizer, set_learning_rate, weight_decay_groups


class _Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 4))
        self.frozen = nn.Parameter(torch.zeros(4, 4), requires_grad=False)
        self.linear, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.matrix = nn.ParameterDict({"x": nn.Parameter(torch.zeros(2, 2))})
        self.matrix.register_parameter("bias", nn.Parameter(torch.zeros(2, 2)))


def test_vectors_and_biases_are_not_decayed() -> None:
    model = _Model()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    kept, decayed = weight_decay_groups(model, 0.05)
    assert (kept["weight_decay"], decayed["weight_decay"]) == (0.0, 0.05)
    assert {names[id(p)] for p in kept["params"]} == {
        "linear.bias",
        "norm.weight",
        "norm.bias",
        "matrix.bias",
    }
    assert {names[id(p)] for p in decayed["params"]} == {"token", "linear.weight", "matrix.x"}


def test_groups_without_parameters_are_left_out() -> None:
    groups = weight_decay_groups(nn.Linear(2, 2, bias=False), 0.1)
    assert [group["weight_decay"] for group in groups] == [0.1]


def test_fused_and_plain_agree_and_rates_are_scaled() -> None:
    results = []
    for fused in (True, False):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        groups = weight_decay_groups(model, 0.1)
        groups[0]["lr_scale"] = 0.0
        optimizer = build_optimizer(groups, OptimizerConfig(fused=fused), torch.device("cpu"))
        bias = model.bias.detach().clone()
        set_learning_rate(optimizer, 0.1)
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        assert torch.equal(model.bias, bias)
        assert optimizer.defaults["betas"] == (0.9, 0.95)
        results.append(model.weight.detach().clone())
    torch.testing.assert_close(results[0], results[1])


def test_a_group_may_keep_the_peak() -> None:
    groups = [{"params": [nn.Parameter(torch.ones(1))]} for _ in range(3)]
    groups[1] |= {"constant_rate": True}
    groups[2] |= {"constant_rate": True, "lr_scale": 0.5}
    optimizer = build_optimizer(groups, OptimizerConfig(), torch.device("cpu"))
    set_learning_rate(optimizer, 0.1, peak=0.4)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.4, 0.2]


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_kinds_of_optimizer(name: Any, kind: type[torch.optim.Optimizer]) -> None:
    layer = nn.Linear(2, 2)
    groups = [{"params": list(layer.parameters()), "weight_decay": 0.5}]
    optimizer = build_optimizer(groups, OptimizerConfig(name=name, betas=(0.8, 0.99)), torch.device("cpu"))
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["weight_decay"] == 0.5
    first = optimizer.defaults["momentum"] if name == "sgd" else optimizer.defaults["betas"][0]
    assert first == 0.8


def test_decay_is_decoupled_in_adamw_only() -> None:
    """Without a gradient, AdamW shrinks weights by rate times decay; Adam takes a step of its rate."""
    results = {}
    for name in ("adamw", "adam"):
        weight = nn.Parameter(torch.ones(1))
        config = OptimizerConfig.model_validate({"name": name})
        optimizer = build_optimizer([{"params": [weight], "weight_decay": 0.1}], config, torch.device("cpu"))
        set_learning_rate(optimizer, 0.01)
        weight.grad = torch.zeros(1)
        optimizer.step()
        results[name] = weight.item()
    assert results["adamw"] == pytest.approx(1 - 0.01 * 0.1)
    assert results["adam"] == pytest.approx(1 - 0.01, abs=1e-5)


def test_moments_of_8_bits_lead_to_nearly_the_same_weights() -> None:
    pytest.importorskip("bitsandbytes", reason="needs bitsandbytes")
    torch.manual_seed(0)
    layer = nn.Linear(128, 64)
    twin = copy.deepcopy(layer)
    for module, name in ((layer, "adamw"), (twin, "adamw_8bit")):
        config = OptimizerConfig.model_validate({"name": name, "weight_decay": 0.01})
        optimizer = build_optimizer(weight_decay_groups(module, 0.01), config, torch.device("cpu"))
        set_learning_rate(optimizer, 1e-2)
        generator = torch.Generator().manual_seed(1)
        for _ in range(5):
            optimizer.zero_grad()
            module(torch.randn(8, 128, generator=generator)).square().mean().backward()
            optimizer.step()
    moved = (layer.weight - twin.weight).detach().abs()
    assert 0 < float(moved.max()) < 0.02 and float(moved.mean()) < 2e-3


def test_8_bits_need_their_library_and_a_whole_model(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = weight_decay_groups(nn.Linear(2, 2), 0.0)
    config, device = OptimizerConfig(name="adamw_8bit"), torch.device("cpu")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "bitsandbytes", None)
        with pytest.raises(MissingExtraError, match=r"\[vpp\]"):
            build_optimizer(groups, config, device)
    monkeypatch.setattr(optimizer_module, "DTensor", nn.Parameter)
    with pytest.raises(ConfigurationError, match=r"adamw_8bit.*fsdp"):
        build_optimizer(groups, config, device)
