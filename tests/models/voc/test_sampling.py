import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.voc.test_gpt import make_gpt
from tests.models.voc.tiny import ACTIONS, VOCABULARY
from vidrep_pipelines.models.voc.sampling import draw_tokens, draw_uniforms, sample_states


@given(st.integers(0, 10_000), st.integers(2, 40))
@settings(max_examples=40, deadline=None)
def test_tokens_follow_the_cumulative_distribution(seed: int, vocabulary: int) -> None:
    rng = np.random.default_rng(seed)
    logits, uniforms = rng.standard_normal((5, vocabulary)) * 3, rng.random(5)
    share = np.exp(logits - logits.max(1, keepdims=True))
    cumulative = np.cumsum(share / share.sum(1, keepdims=True), axis=1)
    expected = [int(np.argmax(row > u)) for row, u in zip(cumulative, uniforms, strict=True)]
    found = draw_tokens(torch.from_numpy(logits), torch.from_numpy(uniforms))
    assert found.tolist() == expected


def test_only_the_likeliest_tokens_are_drawn_if_so_wanted() -> None:
    logits, uniforms = torch.randn(1, 9).expand(500, -1), torch.rand(500, dtype=torch.float64)
    best = set(logits[0].topk(3).indices.tolist())
    assert set(draw_tokens(logits, uniforms, top_k=3).tolist()) == best
    assert set(draw_tokens(logits, uniforms, top_k=1).tolist()) == {int(logits[0].argmax())}
    assert torch.equal(draw_tokens(logits, uniforms, top_k=9), draw_tokens(logits, uniforms))


def test_the_last_uniform_number_still_gives_a_possible_token() -> None:
    logits = torch.tensor([[0.0, 0.0, float("-inf")]])
    assert draw_tokens(logits, torch.tensor([1 - 2**-53], dtype=torch.float64)).tolist() == [1]


@pytest.mark.parametrize("actions", [False, True])
def test_samples_do_not_depend_on_what_else_is_in_the_batch(actions: bool) -> None:
    gpt, contexts = make_gpt(actions=actions), torch.randint(VOCABULARY, (3, 4))
    action = torch.randn(3, ACTIONS) if actions else None
    uniforms = draw_uniforms(torch.arange(3), 5, 4, contexts.device)
    together = sample_states(gpt, contexts, uniforms, action=action)
    for row in range(3):
        for sample in range(5):
            own = None if action is None else action[row : row + 1]
            alone = sample_states(
                gpt, contexts[row : row + 1], uniforms[row : row + 1, sample : sample + 1], action=own
            )
            assert torch.equal(alone[0, 0], together[row, sample])


def test_samples_are_drawn_from_the_models_distribution() -> None:
    gpt, context = make_gpt(), torch.randint(VOCABULARY, (1, 4))
    uniforms = draw_uniforms(torch.tensor([7]), 4000, 4, context.device)
    drawn = sample_states(gpt, context, uniforms)[0]
    first = torch.bincount(drawn[:, 0], minlength=VOCABULARY) / len(drawn)
    torch.testing.assert_close(first, gpt(context)[0, -1].softmax(0), rtol=0, atol=0.03)
    likeliest = int(first.argmax())
    follows = drawn[drawn[:, 0] == likeliest, 1]
    second = torch.bincount(follows, minlength=VOCABULARY) / len(follows)
    longer = torch.cat([context, torch.tensor([[likeliest]])], dim=1)
    torch.testing.assert_close(second, gpt(longer)[0, -1].softmax(0), rtol=0, atol=0.08)


def test_nothing_is_drawn_for_no_context() -> None:
    uniforms = draw_uniforms(torch.empty(0, dtype=torch.int64), 1, 4, torch.device("cpu"))
    assert sample_states(make_gpt(), torch.empty(0, 4, dtype=torch.int64), uniforms).shape == (0, 1, 4)
