import pytest
import torch
from benchmarks.reference import rsp_published as published
from torch import Tensor, nn

from vidrep_pipelines.models.layers.transformer import CrossAttention, CrossBlock, Mlp, SelfAttention, attend


def test_fused_attention_equals_the_written_out_sum() -> None:
    query, key, value = torch.randn(2, 5, 12), torch.randn(2, 7, 12), torch.randn(2, 7, 12)
    torch.testing.assert_close(attend(query, key, value, 3), published.attend(query, key, value, 3))


def test_bfloat16_attention_is_close_to_float32() -> None:
    query, key, value = torch.randn(2, 5, 12), torch.randn(2, 7, 12), torch.randn(2, 7, 12)
    expected = published.attend(query, key, value, 3)
    output = attend(query.bfloat16(), key.bfloat16(), value.bfloat16(), 3)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0.03, atol=0.03)


def test_one_query_serves_every_sample() -> None:
    query, key, value = torch.randn(1, 5, 12), torch.randn(3, 7, 12), torch.randn(3, 7, 12)
    repeated = attend(query.expand(3, -1, -1), key, value, 2)
    torch.testing.assert_close(attend(query, key, value, 2), repeated)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_causal_attention_sees_as_many_keys_as_queries_so_far(dtype: torch.dtype) -> None:
    query, key, value = (torch.randn(2, tokens, 12).to(dtype) for tokens in (3, 7, 7))
    causal = attend(query, key, value, 3, causal=True)
    for index in range(3):
        seen = slice(index + 1)
        alone = attend(query[:, index : index + 1], key[:, seen], value[:, seen], 3)
        torch.testing.assert_close(causal[:, index : index + 1], alone, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropped_weights_are_left_out_and_made_up_for(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, 400, 4).to(dtype), torch.zeros(1, 8, 4).to(dtype)
    value = torch.ones(1, 8, 4).to(dtype)
    outputs = attend(query, key, value, 1, dropout=0.25)[0, :, 0].float()
    # Of eight equal weights some are left; each counts 1 / (8 * 0.75).
    kept = outputs * 6
    torch.testing.assert_close(kept, kept.round(), atol=0.05, rtol=0)
    assert outputs.unique().numel() > 2 and outputs.mean().item() == pytest.approx(1.0, abs=0.05)


def test_self_attention_does_not_depend_on_the_order_of_tokens() -> None:
    layer, tokens, order = SelfAttention(8, 2), torch.randn(2, 6, 8), torch.randperm(6)
    torch.testing.assert_close(layer(tokens[:, order]), layer(tokens)[:, order])


def test_self_attention_equals_torch() -> None:
    layer, tokens = SelfAttention(8, 2), torch.randn(2, 6, 8)
    reference = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    reference.in_proj_weight = nn.Parameter(layer.qkv.weight)
    reference.in_proj_bias = nn.Parameter(layer.qkv.bias)
    reference.out_proj.load_state_dict(layer.proj.state_dict())
    torch.testing.assert_close(layer(tokens), reference(tokens, tokens, tokens)[0])


def test_cross_attention_ignores_nothing_of_the_context() -> None:
    layer, tokens = CrossAttention(8, 2), torch.randn(2, 3, 8)
    context = torch.randn(2, 4, 8, requires_grad=True)
    layer(tokens, context).square().sum().backward()
    assert context.grad is not None
    assert (context.grad.abs().sum(-1) > 0).all()


@pytest.mark.parametrize("batch", [1, 3])
def test_cross_block_expands_shared_tokens(batch: int) -> None:
    block, context = CrossBlock(8, 2, 4.0), torch.randn(3, 5, 8)
    tokens = torch.randn(batch, 4, 8)
    output: Tensor = block(tokens, context)
    torch.testing.assert_close(output, block(tokens.expand(3, -1, -1), context))


def test_mlp_uses_the_exact_gelu() -> None:
    mlp, tokens = Mlp(4, 8), torch.randn(2, 3, 4)
    hidden = mlp.fc1(tokens)
    exact = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    torch.testing.assert_close(mlp(tokens), mlp.fc2(exact))
