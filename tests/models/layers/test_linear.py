import pytest
import torch
from torch import nn

from vidrep_pipelines.models.layers.linear import ContinuingLinear, FastLinear, use_fast_linear_layers


@pytest.mark.parametrize("shape", [(2, 5, 8), (1, 1, 8), (6, 8), (2, 3, 4, 8)])
@pytest.mark.parametrize("bias", [True, False])
def test_equals_a_plain_linear_layer_forward_and_backward(shape: tuple[int, ...], bias: bool) -> None:
    plain, fast = nn.Linear(8, 12, bias), FastLinear(8, 12, bias)
    fast.load_state_dict(plain.state_dict())
    inputs = [torch.randn(shape).requires_grad_() for _ in range(1)]
    inputs.append(inputs[0].detach().clone().requires_grad_())
    weights = torch.randn(*shape[:-1], 12)
    for layer, tokens in zip((plain, fast), inputs, strict=True):
        (layer(tokens) * weights).sum().backward()
    torch.testing.assert_close(fast(inputs[1]), plain(inputs[1]))
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    for ours, theirs in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("shape", [(1, 8), (2, 8), (3, 1, 8), (1, 2, 8), (4, 8), (2, 3, 8)])
def test_any_number_of_rows_equals_a_plain_linear_layer(shape: tuple[int, ...]) -> None:
    plain, continuing = nn.Linear(8, 12), ContinuingLinear(8, 12)
    continuing.load_state_dict(plain.state_dict())
    tokens = torch.randn(shape)
    torch.testing.assert_close(continuing(tokens), plain(tokens))
    (plain(tokens).square().sum() + continuing(tokens).square().sum()).backward()
    torch.testing.assert_close(continuing.weight.grad, plain.weight.grad)
    torch.testing.assert_close(continuing.bias.grad, plain.bias.grad)
    with torch.autocast("cpu", torch.bfloat16):
        assert continuing(tokens).dtype == torch.bfloat16


def test_takes_tokens_that_are_not_contiguous() -> None:
    layer, tokens = FastLinear(8, 3), torch.randn(2, 6, 8)
    torch.testing.assert_close(layer(tokens[:, 1:]), layer(tokens)[:, 1:])
    torch.testing.assert_close(layer(tokens[:1].expand(4, -1, -1))[3], layer(tokens)[0])


def test_other_precisions_are_left_to_torch() -> None:
    layer, tokens = FastLinear(8, 3), torch.randn(2, 6, 8)
    assert layer.double()(tokens.double()).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.float()(tokens).dtype == torch.bfloat16


def test_replacement_keeps_the_parameters_themselves() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ModuleDict({"inner": nn.Linear(4, 2, bias=False)}))
    before = dict(model.named_parameters())
    use_fast_linear_layers(model)
    assert all(type(layer) is not nn.Linear for layer in model.modules())
    after = dict(model.named_parameters())
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)
