"""Checkpoints of the toy system's (invented) original: read, checked, written, in both directions."""

from collections.abc import Mapping

from torch import Tensor

from tests.architecture.toy_system.config import NextColorModelConfig
from tests.architecture.toy_system.model import NextColorModel
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared import trained

_NAMES = {
    "fc1.weight": "hidden.weight",
    "fc1.bias": "hidden.bias",
    "fc2.weight": "change.weight",
    "fc2.bias": "change.bias",
}
_NAMES_BACK = {name: original for original, name in _NAMES.items()}


def from_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames published weights; InputError if the original has no such parameter."""
    if strangers := sorted(set(state) - set(_NAMES)):
        raise InputError(f"{strangers[0]!r} is no parameter of the toy system.")
    return {_NAMES[name]: value for name, value in state.items()}


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`from_original`."""
    return {_NAMES_BACK[name]: value for name, value in state.items()}


def infer_model_config(state: Mapping[str, Tensor]) -> NextColorModelConfig:
    """Derives the architecture from published weights; InputError if they are another model's."""
    if "fc1.bias" not in state:
        raise InputError("These weights are not those of the toy system: fc1.bias is missing.")
    return NextColorModelConfig(width=len(state["fc1.bias"]))


def trained_model(config: NextColorModelConfig, state: Mapping[str, Tensor]) -> NextColorModel:
    """The model in evaluation mode; InputError if the weights are of another architecture."""
    return trained.trained_model(NextColorModel(config), state)
