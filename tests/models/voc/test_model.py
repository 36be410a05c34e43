import pytest
import torch

from tests.models.voc.tiny import CODE, VOCABULARY, make_config
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.voc.checkpoint_io import load_reward_into, published_reward_head
from vidrep_pipelines.models.voc.config import RewardConfig
from vidrep_pipelines.models.voc.model import RewardHead, VocModel, standardized, state_features


def test_both_orders_of_features() -> None:
    codebook = torch.arange(5 * 3.0).reshape(5, 3)
    states = torch.randint(5, (2, 4, 2 * 6))  # (..., two frames of 2x3 tokens)
    vectors = codebook[states].reshape(2, 4, 2, 2, 3, 3)
    by_token = state_features(states, codebook, (2, 3), 2, "token_major")
    torch.testing.assert_close(by_token, vectors.flatten(2))
    by_channel = state_features(states, codebook, (2, 3), 2, "channel_major")
    torch.testing.assert_close(by_channel, vectors.permute(0, 1, 2, 5, 3, 4).flatten(2))


def test_the_codebook_must_be_the_models() -> None:
    with pytest.raises(ConfigurationError, match=r"11 vectors of 4 numbers.*11 of 3.*codebook_dimension"):
        VocModel(make_config(), torch.zeros(VOCABULARY, CODE + 1))
    model = VocModel(make_config(reward=False), torch.zeros(VOCABULARY, CODE))
    assert model.codebook is None
    with pytest.raises(ConfigurationError, match=r"no reward head.*model\.reward"):
        model.rewards(torch.zeros(1, 4, dtype=torch.int64))


def test_the_target_network_follows() -> None:
    model = VocModel(make_config())
    before = model.target.norm.weight.clone()
    with torch.no_grad():
        model.gpt.norm.weight.add_(1.0)
    model.follow(0.9)
    torch.testing.assert_close(model.target.norm.weight, before + 0.1)
    model.synchronize_target()
    torch.testing.assert_close(model.target.norm.weight, before + 1)
    assert not any(parameter.requires_grad for parameter in model.target.parameters())


def test_standardized_inputs_do_not_depend_on_the_scale_of_the_codebook() -> None:
    reward = RewardConfig(codebook_dimension=CODE, width=8, units="standardized")
    torch.manual_seed(0)
    head = RewardHead(make_config().model_copy(update={"reward": reward}))
    codebook, states = torch.randn(VOCABULARY, CODE), torch.randint(VOCABULARY, (5, 4))
    expected = head(states, codebook)
    torch.testing.assert_close(head(states, 1e-3 * codebook + 7), expected, rtol=1e-3, atol=1e-4)
    units = standardized(codebook)
    torch.testing.assert_close(units.mean(dim=0), torch.zeros(CODE), rtol=0, atol=1e-6)
    torch.testing.assert_close(units.std(dim=0, correction=0), torch.ones(CODE))
    assert standardized(torch.ones(3, 2)).isfinite().all()


def place_head() -> tuple[RewardHead, torch.Tensor, torch.Tensor]:
    """A head on standardized places, the codebook and the states (n, T) that it was fitted to."""
    reward = RewardConfig(codebook_dimension=CODE, width=8, units="standardized_per_place")
    torch.manual_seed(0)
    head = RewardHead(make_config().model_copy(update={"reward": reward}))
    codebook, states = torch.randn(VOCABULARY, CODE), torch.randint(VOCABULARY, (50, 4))
    states[:, 0] = states[:, 1] % 2  # two codes only
    frequencies = torch.nn.functional.one_hot(states, VOCABULARY).double().mean(dim=0)
    head.fit_inputs(frequencies, codebook)
    return head, codebook, states


def test_inputs_are_standardized_at_every_place_over_the_episodes() -> None:
    head, codebook, states = place_head()
    config = make_config()
    raw = state_features(states, codebook, config.grid, config.frame_stack, "channel_major")
    inputs = (raw - head.center) / head.scale
    torch.testing.assert_close(inputs.mean(dim=0), torch.zeros(raw.shape[1]), rtol=0, atol=1e-5)
    torch.testing.assert_close(inputs.std(dim=0, correction=0), torch.ones(raw.shape[1]), rtol=0, atol=1e-4)
    torch.testing.assert_close(head(states, codebook), head.layers(inputs).squeeze(-1))


def test_an_exported_head_needs_no_statistics() -> None:
    head, codebook, states = place_head()
    state = {f"reward_head.{name}": value for name, value in head.state_dict().items()}
    exported = published_reward_head(state)
    plain = RewardHead(
        make_config().model_copy(update={"reward": RewardConfig(codebook_dimension=CODE, width=8)})
    )
    load_reward_into(plain, exported, "exported")
    torch.testing.assert_close(plain(states, codebook), head(states, codebook), rtol=1e-4, atol=1e-5)
    load_reward_into(head, exported, "exported")  # and back again
    torch.testing.assert_close(head(states, codebook), plain(states, codebook))
