import pytest
import torch
from benchmarks.reference.voc_published import published_logits

from tests.models.voc.tiny import ACTIONS, VOCABULARY, make_config
from vidrep_pipelines.models.voc.checkpoint_io import to_original
from vidrep_pipelines.models.voc.gpt import Gpt, KeyValueCache


def make_gpt(*, actions: bool = False) -> Gpt:
    config = make_config(actions=actions)
    torch.manual_seed(1)
    gpt = Gpt(config.gpt, config.state_tokens).eval()
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return gpt


def test_equals_a_plain_gpt_2() -> None:
    gpt, tokens = make_gpt(), torch.randint(VOCABULARY, (3, 7))
    expected, _ = published_logits(to_original(gpt.state_dict()), gpt.config.heads, tokens)
    torch.testing.assert_close(gpt(tokens), expected, rtol=1e-5, atol=1e-5)


def test_no_token_sees_those_after_it() -> None:
    gpt, tokens = make_gpt(), torch.randint(VOCABULARY, (1, 7))
    changed = tokens.clone()
    changed[:, 4] = (tokens[:, 4] + 1) % VOCABULARY
    differs = (gpt(tokens) - gpt(changed)).abs().amax(dim=(0, 2)) > 1e-6
    assert differs.tolist() == [False] * 4 + [True] * 3


@pytest.mark.parametrize("actions", [False, True])
def test_the_cache_changes_nothing(actions: bool) -> None:
    gpt, samples = make_gpt(actions=actions), 3
    prompts, futures = torch.randint(VOCABULARY, (2, 4)), torch.randint(VOCABULARY, (2, samples, 4))
    action = torch.randn(2, ACTIONS) if actions else None
    cache = KeyValueCache.empty(2, samples, 3)
    with torch.no_grad():
        found = [gpt.start(prompts, action, cache)[:, None].expand(-1, samples, -1)]
        found += [gpt.advance(futures[..., step], action, cache) for step in range(3)]
        for sample in range(samples):
            whole = gpt(torch.cat([prompts, futures[:, sample, :3]], dim=1), action)
            torch.testing.assert_close(
                torch.stack([logits[:, sample] for logits in found], dim=1),
                whole[:, 3:],
                rtol=1e-5,
                atol=1e-5,
            )


def test_an_action_acts_on_the_future_and_on_nothing_else() -> None:
    gpt, tokens = make_gpt(actions=True), torch.randint(VOCABULARY, (1, 7))
    one, other = gpt(tokens, torch.ones(1, ACTIONS)), gpt(tokens, torch.zeros(1, ACTIONS))
    differs = (one - other).abs().amax(dim=(0, 2)) > 1e-6
    assert differs.tolist() == [False] * 3 + [True] * 4  # the last context token predicts the first new one


def test_initial_weights_are_gpt_2s() -> None:
    config = make_config().gpt.model_copy(update={"width": 128})
    torch.manual_seed(0)
    gpt = Gpt(config, 4)
    weights = gpt.state_dict()
    assert float(weights["token_embedding.weight"].std()) == pytest.approx(0.02, rel=0.1)
    residual = weights["blocks.0.attention.proj.weight"]
    assert float(residual.std()) == pytest.approx(0.01, rel=0.1)  # over the root of 2 * 2 layers
    assert not weights["blocks.0.attention.qkv.bias"].any()
