"""Published weights of the occupancy GPT and the reward head: read, checked, written, in both directions."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.weight_file import check_architecture, read_weights
from vidrep_pipelines.models.voc.config import VocModelConfig
from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.original_names import (
    is_transposed,
    original_name,
    original_reward_name,
    our_name,
    our_reward_name,
)
from vidrep_pipelines.models.voc.reward_head import RewardHead

_TIED, _EMBEDDING = "lm_head.weight", "transformer.wte.weight"
_MASKS = (".attn.bias", ".attn.masked_bias")


def load_original(path: Path) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint under the names that it uses. Nothing in the file is executed.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    return read_weights(path)


def from_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames a GPT's published weights to ours; constant masks of old files are left out.

    Raises:
        InputError: A name is not GPT-2's, or the head is not tied to the embeddings.
    """
    head = state.get(_TIED)
    if head is not None and not torch.equal(head, state.get(_EMBEDDING, head.new_empty(0))):
        raise InputError(f"{_TIED} differs from {_EMBEDDING}: the weights are not those of a tied GPT-2.")
    return {
        our_name(name): (value.T if is_transposed(name) else value).float().contiguous()
        for name, value in state.items()
        if name != _TIED and not name.endswith(_MASKS)
    }


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the weights of a :class:`Gpt` to the published names, the tied head included.

    Raises:
        InputError: The model has parts that the published one lacks, such as actions.
    """
    renamed = {original_name(name): value for name, value in state.items()}
    laid_out = {
        name: (value.T if is_transposed(name) else value).contiguous() for name, value in renamed.items()
    }
    return {**laid_out, _TIED: laid_out[_EMBEDDING].clone()}


def load_gpt_into(gpt: Gpt, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights; every tensor must be there and fit.

    Args:
        gpt: Receives the weights.
        state: Weights under the published names.
        origin: What to call them in an error, for example the file's name.

    Raises:
        InputError: Another architecture.
    """
    _load(gpt, from_original(state), origin)


def load_into(model: VocModel, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads a published GPT into the trained network and, as published, its copy into the target network.

    Raises:
        InputError: Another architecture.
    """
    load_gpt_into(model.gpt, state, origin)
    model.synchronize_target()


def load_reward_into(head: RewardHead, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights of a reward head.

    Raises:
        InputError: Another architecture.
    """
    _load(head, {our_reward_name(name): value.float() for name, value in state.items()}, origin)


def reward_to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the weights of a :class:`RewardHead` to the published names."""
    return {original_reward_name(name): value for name, value in state.items()}


def published_gpt(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The GPT of a :class:`VocModel`'s weights under the published names.

    Raises:
        InputError: The model has parts that the published one lacks, such as actions.
    """
    return to_original(_part(state, "gpt."))


def published_reward_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reward head of a :class:`VocModel`'s weights under the published names; empty without a head."""
    return reward_to_original(_part(state, "reward_head."))


def trained_model(config: VocModelConfig, state: Mapping[str, Tensor]) -> VocModel:
    """The model of a checkpoint of ours, for use: in evaluation mode.

    Args:
        config: The model that was trained.
        state: Weights under our names.

    Raises:
        InputError: They are of another architecture.
    """
    model = VocModel(config)
    _load(model, state, "The checkpoint")
    return model.eval()


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value.clone() for name, value in state.items() if name.startswith(prefix)
    }


def _load(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    check_architecture(state, module.state_dict(), origin)
    module.load_state_dict(dict(state))
