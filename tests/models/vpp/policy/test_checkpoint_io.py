import argparse
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.models.vpp.policy.tiny import CONFIG, SEEING_STATE, make_policy, make_policy_batch
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.policy.checkpoint_io import (
    original_policy_checkpoint,
    policy_config_of,
    policy_of,
    read_policy,
    unused_tensors,
)
from vidrep_pipelines.models.vpp.policy.config import PolicyModelConfig

TWO_DIMENSIONAL = CONFIG.model_copy(update={"former": CONFIG.former.model_copy(update={"kind": "2d"})})
LINEAR = CONFIG.model_copy(update={"former": CONFIG.former.model_copy(update={"kind": "linear"})})
HEADS = {"former_heads": 2, "heads": 2}


def _published(config: PolicyModelConfig = CONFIG) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = original_policy_checkpoint(config, make_policy(config).state_dict())["model"]
    return weights


@pytest.mark.parametrize("config", [CONFIG, SEEING_STATE, TWO_DIMENSIONAL, LINEAR])
def test_what_is_exported_is_read_back_exactly(config: PolicyModelConfig) -> None:
    policy = policy_of(_published(config), "weights", config)
    expected = make_policy(config).state_dict()
    assert policy.state.keys() == expected.keys()
    assert all(torch.equal(policy.state[name], value) for name, value in expected.items())
    built = policy.build()
    assert not built.training and all(
        torch.equal(value, expected[name]) for name, value in built.state_dict().items()
    )


def test_unused_tensors_are_kept_and_written_back() -> None:
    weights = _published()
    for name in unused_tensors(CONFIG):
        assert not weights[name].any()
        weights[name] = torch.randn_like(weights[name])
    policy = policy_of(weights, "weights", CONFIG)
    assert policy.unused.keys() == unused_tensors(CONFIG).keys() and len(policy.unused) == 9
    again = original_policy_checkpoint(CONFIG, policy.state, policy.unused)["model"]
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_a_state_that_is_seen_is_no_unused_one() -> None:
    assert len(unused_tensors(SEEING_STATE)) == 5
    assert policy_of(_published(SEEING_STATE), "weights", SEEING_STATE).unused.keys() == set(
        unused_tensors(SEEING_STATE)
    )


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_are_read_and_frozen_models_in_them_are_counted(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    frozen = {"TVP_encoder.text_encoder.x": torch.ones(2), "language_goal.clip_rn50.a": torch.ones(1)}
    weights, path = {**_published(), **frozen, "language_goal.b": torch.ones(1)}, tmp_path / f"policy{suffix}"
    if suffix == ".pt":
        torch.save({"model": weights, "args": argparse.Namespace(batch=3)}, path)
    else:
        save_file(weights, path)
    with caplog.at_level(logging.INFO):
        policy = read_policy(path, CONFIG)
    assert policy.skipped == {"TVP_encoder.": 1, "language_goal.": 2}
    assert "1 of TVP_encoder.* not read, 2 of language_goal.* not read" in caplog.text
    batch = make_policy_batch()
    found = policy.build().context(batch.features, batch.goal).tokens
    assert torch.equal(found, make_policy().context(batch.features, batch.goal).tokens)


@pytest.mark.parametrize("config", [CONFIG, SEEING_STATE, TWO_DIMENSIONAL])
def test_sizes_show_in_the_weights(config: PolicyModelConfig) -> None:
    sees_state = config.denoiser.proprioception is not None
    found = policy_config_of(_published(config), "weights", sees_state=sees_state, **HEADS)
    causal = {"cross_causal": config.denoiser.cross_causal}  # does not show
    assert found.model_copy(update={"denoiser": found.denoiser.model_copy(update=causal)}) == config


@pytest.mark.parametrize("without", ["Video_Former.latents", "model.inner_model.pos_emb"])
def test_sizes_that_do_not_show_are_asked_for(without: str) -> None:
    weights = _published()
    del weights[without]
    with pytest.raises(InputError, match=r"x\.pt holds no policy whose sizes can be told.*Remedy"):
        policy_config_of(weights, "x.pt", sees_state=False, **HEADS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Video_Former.latents": None}, "Video_Former.latents is missing"),
        ({"Video_Former.other": torch.ones(1)}, "Video_Former.other is unknown"),
        ({"model.inner_model.action_emb.bias": torch.ones(3)}, "action_emb.bias is"),
        ({"model.inner_model.pos_emb": torch.ones(1, 3, 16)}, "pos_emb is"),
        ({"model.inner_model.goal_emb.0.bias": torch.ones(3)}, "goal_emb.0.bias is"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    weights = {name: value for name, value in {**_published(), **change}.items() if value is not None}
    with pytest.raises(InputError, match=rf"x\.pt.*{message}.*Remedy"):
        policy_of(weights, "x.pt", CONFIG)


def test_weights_of_another_model_are_not_exported() -> None:
    with pytest.raises(InputError, match="another architecture"):
        original_policy_checkpoint(SEEING_STATE, make_policy().state_dict())
    strange = {"model.inner_model.pos_emb": torch.ones(2)}
    with pytest.raises(InputError, match="pos_emb"):
        original_policy_checkpoint(CONFIG, make_policy().state_dict(), strange)


@pytest.mark.parametrize(
    "unknown",
    [{"former": {"places": 7}}, {"denoiser": {"action_positions": True}}],
    ids=["places", "actions"],
)
def test_encodings_are_unknown_to_the_original(unknown: dict[str, Any]) -> None:
    fields = CONFIG.model_dump()
    for part, values in unknown.items():
        fields[part] |= values
    config = PolicyModelConfig.model_validate(fields)
    with pytest.raises(ConfigurationError, match=r"no encodings of places and actions.*knows_places: false"):
        original_policy_checkpoint(config, make_policy(config).state_dict())
