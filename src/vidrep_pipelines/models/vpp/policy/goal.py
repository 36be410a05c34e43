"""What the policy is told: an instruction as one row of numbers, by a frozen text model or by its words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.vpp.policy.config import GoalConfig
from vidrep_pipelines.models.vpp.video.text import (
    TOKENIZER_FILES,
    ClipTokenizer,
    FrozenNetwork,
    WordTokenizer,
    read_clip_text_model,
    transformers_weights,
)

_PROJECTION = "text_projection.weight"


class GoalEncoder(Protocol):
    """Turns instructions into goals."""

    @property
    def width(self) -> int:
        """G, numbers of a goal."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Instructions to goals (N, 1, G) on the encoder's device.

        Raises:
            InputError: An instruction is empty, or cannot be told.
        """


def goal_encoder(config: GoalConfig, device: torch.device | str = "cpu") -> GoalEncoder:
    """The encoder that a configuration asks for.

    Raises:
        ConfigurationError: CLIP's folder is not named.
        InputError: The folder holds no text model with a projection, or no tokenizer.
    """
    if config.kind == "words":
        return WordGoals(config, device)
    if config.folder is None:
        raise ConfigurationError(
            "goal.folder is not set, and goal.kind is clip. Remedy: name a folder in transformers' layout "
            "with CLIP's text model and its projection (clip-vit-base-patch32), or kind: words."
        )
    return ClipGoals(config.folder, config.tokens, device)


def goal_files(config: GoalConfig) -> dict[str, Path | None]:
    """The files on which goals depend, by what they are called in messages.

    A checkpoint holds no copy of CLIP but the digests of these files.

    Raises:
        InputError: CLIP's folder holds no weights.
    """
    if config.kind == "words" or config.folder is None:
        return {}
    weights = transformers_weights(config.folder, "text model", "goal.folder")
    names = [weights.name, "config.json", *TOKENIZER_FILES]
    return {f"goal.folder/{name}": config.folder / name for name in names if (config.folder / name).is_file()}


class ProjectedText(FrozenNetwork):
    """CLIP's text model and its projection, frozen."""

    def __init__(self, folder: Path) -> None:
        """Reads config.json and the weights, strictly.

        Raises:
            InputError: The folder holds no such text model, or no projection of its output.
        """
        model = read_clip_text_model(folder)
        path = transformers_weights(folder, "text model", "goal.folder")
        weight = read_weights(path).get(_PROJECTION)
        if weight is None or weight.ndim != 2 or weight.shape[1] != model.config.hidden_size:
            raise InputError(
                f"{path} holds no projection of the text model's output ({_PROJECTION}). Remedy: name the "
                "folder of a whole CLIP, or of its text model with projection, in goal.folder."
            )
        projection = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        projection.load_state_dict({"weight": weight})
        super().__init__(nn.ModuleDict({"model": model, "projection": projection}))

    @property
    def width(self) -> int:
        """G, numbers of the projection."""
        return int(self.network["projection"].out_features)

    @torch.no_grad()
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Numbers and mask (B, L) to (B, 1, G): the end token's projection, not normalized, as published."""
        states = self.network["model"](input_ids=ids, attention_mask=mask).pooler_output
        goals: Tensor = self.network["projection"](states).unsqueeze(1)
        return goals


class ClipGoals:
    """Goals by CLIP's text model, 512 numbers of ViT-B/32, as published for all robots."""

    def __init__(self, folder: Path, tokens: int, device: torch.device | str) -> None:
        """Reads model and tokenizer.

        Args:
            folder: In transformers' layout.
            tokens: Length that instructions are padded or cut to.
            device: Where to compute.

        Raises:
            InputError: The folder holds no such text model, or no tokenizer.
        """
        self._network = ProjectedText(folder).to(device)
        self._tokenizer, self._device = ClipTokenizer(folder, tokens), torch.device(device)

    @property
    def width(self) -> int:
        """See :class:`GoalEncoder`."""
        return self._network.width

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """See :class:`GoalEncoder`."""
        ids, mask = self._tokenizer(texts)
        goals: Tensor = self._network(ids.to(self._device), mask.to(self._device))
        return goals


class WordGoals:
    """Goals without a text model: for each place in an instruction, which word of a vocabulary is there."""

    def __init__(self, config: GoalConfig, device: torch.device | str) -> None:
        """Numbers the words."""
        self._tokenizer, self._device = WordTokenizer(config.vocabulary, config.tokens), torch.device(device)
        self._words, self._tokens = len(config.vocabulary), config.tokens

    @property
    def width(self) -> int:
        """See :class:`GoalEncoder`."""
        return self._words * self._tokens

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """See :class:`GoalEncoder`; unknown words are errors."""
        ids, _ = self._tokenizer(texts)
        places = F.one_hot(ids.to(self._device), self._words + 1)[..., 1:]
        return places.flatten(1).unsqueeze(1).to(torch.get_default_dtype())
