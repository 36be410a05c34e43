"""Where a trained tokenizer comes from."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

import torch
from pydantic import Field, ValidationError
from torch import nn

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.shared.strict_loading import load_strictly
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.voc.tokenizers.dino import checkpoint_io as vqkd_io
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik import checkpoint_io as musik_io
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.tokenizer import Tokenizer
from vidrep_pipelines.models.voc.tokenizers.vae import checkpoint_io as vae_io
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer

TokenizerKind = Literal["vae", "dino", "musik"]

_MODELS: dict[str, tuple[type[FrozenConfig], Any, Any]] = {
    "vae": (VaeConfig, VaeTokenizer, vae_io),
    "dino": (VqkdConfig, VqkdTokenizer, vqkd_io),
    "musik": (MusikConfig, MusikTokenizer, musik_io),
}


class TokenizerSource(FrozenConfig):
    """A tokenizer as a file of weights and its sizes."""

    kind: TokenizerKind
    """Which tokenizer."""

    weights: Path
    """A checkpoint of ours (``model.safetensors``), or a file in the published layout."""

    layout: Literal["ours", "published"] = "ours"
    """What the file's tensors are called."""

    model: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``VaeConfig``, ``VqkdConfig`` or ``MusikConfig``."""

    @property
    def digest(self) -> str:
        """Of the weights, the layout and the sizes; the path does not count.

        Raises:
            InputError: The file cannot be read.
        """
        try:
            return digest_of(digest_of_file(self.weights), self.kind, self.layout, self.config())
        except OSError as error:
            raise InputError(
                f"There is no tokenizer at {self.weights} ({error.strerror}). Remedy: train it first, or "
                "correct the path."
            ) from error

    def config(self) -> FrozenConfig:
        """The sizes.

        Raises:
            ConfigurationError: The fields do not fit.
        """
        try:
            return _MODELS[self.kind][0].model_validate(self.model)
        except ValidationError as error:
            raise ConfigurationError(
                f"The fields of the tokenizer {self.kind} do not fit: {error}"
            ) from error

    def load(self, device: torch.device | str = "cpu") -> Tokenizer:
        """The tokenizer in evaluation mode.

        Raises:
            InputError: The file is absent, damaged, or of another architecture.
            ConfigurationError: The fields do not fit.
        """
        _, build, layout = _MODELS[self.kind]
        model: nn.Module = build(self.config())
        if self.layout == "published":
            layout.load_into(model, layout.load_original(self.weights), str(self.weights))
        else:
            load_strictly(model, read_weights(self.weights), str(self.weights))
        return cast(Tokenizer, model.to(device).eval().requires_grad_(requires_grad=False))


def checkpoint_source(config: Mapping[str, Any], weights: Path) -> TokenizerSource:
    """The tokenizer of a checkpoint that a pipeline published.

    Args:
        config: Of the checkpoint: ``kind`` and ``model``.
        weights: Its ``model.safetensors``.

    Raises:
        InputError: It is the checkpoint of something else.
    """
    try:
        return TokenizerSource.model_validate({**config, "weights": weights})
    except ValidationError as error:
        raise InputError(
            f"{weights.parent} holds no tokenizer. Remedy: run pretrain_voc_tokenizer_vae, _dino or _musik."
        ) from error


@lru_cache(maxsize=1)
def loaded_tokenizer(source: str, device: str) -> Tokenizer:
    """The tokenizer of a source given as JSON; a worker process loads it once for all its items."""
    return TokenizerSource.model_validate_json(source).load(device)
