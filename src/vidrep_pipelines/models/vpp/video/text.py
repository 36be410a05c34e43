"""Instructions as tokens: the text models, their tokenizers, and the sines of positions.

Shapes: ids and mask (B, L); a text model's output (B, L, W); the tokens that the UNet attends to (B, L, D).
"""

import json
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.shared.trained import check_architecture
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.vpp.video.config import TextConfig, words_of

_log = logging.getLogger(__name__)

CLIP_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of CLIP's weights in transformers' layout, the preferred first."""

TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt")
"""What CLIP's tokenizer is read from: the first, or the other two."""


class TextTokenizer(Protocol):
    """Turns instructions into the numbers that a text model knows."""

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Numbers the tokens of instructions.

        Args:
            texts: The instructions.

        Returns:
            The numbers (B, L) and what of them is not padding, 1 or 0, (B, L); both int64.

        Raises:
            InputError: An instruction is empty, or cannot be told to the text model.
        """


class WordTokenizer:
    """The words of a vocabulary, numbered from 1; 0 is padding."""

    def __init__(self, vocabulary: Sequence[str], tokens: int) -> None:
        """Numbers the words.

        Args:
            vocabulary: The words, in lower case.
            tokens: L, the most words of an instruction.
        """
        self.numbers = {word: number for number, word in enumerate(vocabulary, start=1)}
        self.tokens = tokens

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See :class:`TextTokenizer`; unknown words and instructions that are too long are errors."""
        rows = [self._numbers_of(text) for text in texts]
        ids = torch.tensor([row + [0] * (self.tokens - len(row)) for row in rows], dtype=torch.int64)
        ids = ids.reshape(len(rows), self.tokens)
        return ids, (ids > 0).long()

    def _numbers_of(self, text: str) -> list[int]:
        words = words_of(text)
        if unknown := [word for word in words if word not in self.numbers]:
            raise InputError(
                f"The text model has no word {unknown[0]!r}, which is in the instruction {text!r}; it knows "
                f"{', '.join(self.numbers)}. Remedy: use these words, or train with text.vocabulary extended."
            )
        if not words:
            raise InputError(f"The instruction {text!r} has no words. Remedy: say what is to happen.")
        if len(words) > self.tokens:
            raise InputError(
                f"The instruction {text!r} has {len(words)} words, and the text model takes {self.tokens} "
                "(text.tokens). Remedy: say it in fewer words, or train with more tokens."
            )
        return [self.numbers[word] for word in words]


class ClipTokenizer:
    """CLIP's byte pairs, padded and cut to a length as published."""

    def __init__(self, folder: Path, tokens: int) -> None:
        """Reads the tokenizer's files.

        Args:
            folder: Holds them, in transformers' layout.
            tokens: L, the length of the rows.

        Raises:
            InputError: There are none, or they cannot be read.
        """
        from vidrep_pipelines.compat import transformers  # noqa: PLC0415 (takes seconds)

        present = {name for name in TOKENIZER_FILES if (folder / name).is_file()}
        if "tokenizer.json" not in present and len(present) < 2:
            raise InputError(
                f"{folder} holds no CLIP tokenizer: neither tokenizer.json nor vocab.json and merges.txt. "
                "Remedy: copy them beside the text model's weights."
            )
        try:
            self._tokenizer = transformers.CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        except Exception as error:  # damaged files raise nearly anything, also from compiled code
            raise InputError(f"{folder}: its CLIP tokenizer cannot be read ({error}).") from error
        self.tokens = tokens

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See :class:`TextTokenizer`; what is too long is cut, as published."""
        if empty := [text for text in texts if not text.strip()]:
            raise InputError(f"The instruction {empty[0]!r} has no words. Remedy: say what is to happen.")
        rows = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=self.tokens, return_tensors="pt"
        )
        return rows["input_ids"].long(), rows["attention_mask"].long()


def text_tokenizer(config: TextConfig) -> TextTokenizer:
    """The tokenizer of a text model.

    Raises:
        ConfigurationError: CLIP has no folder.
        InputError: The folder holds no tokenizer.
    """
    if config.kind == "own":
        return WordTokenizer(config.vocabulary, config.tokens)
    return ClipTokenizer(clip_folder(config), config.tokens)


def clip_folder(config: TextConfig) -> Path:
    """The folder of CLIP's text model.

    Raises:
        ConfigurationError: The configuration names none.
    """
    if config.folder is None:
        raise ConfigurationError(
            "text.folder is not set, and text.kind is clip. Remedy: name a folder in transformers' layout "
            "with the text model that the video model is trained with (clip-vit-base-patch32), or kind: own."
        )
    return config.folder


def text_files(config: TextConfig) -> dict[str, Path | None]:
    """The files on which a frozen text model's output depends, by what they are called in messages.

    A checkpoint holds no copy of a frozen text model but the digests of these files.
    """
    if config.kind == "own":
        return {}
    folder = clip_folder(config)
    weights = transformers_weights(folder, "text model", "text.folder")
    names = [weights.name, "config.json", *TOKENIZER_FILES]
    return {f"text.folder/{name}": folder / name for name in names if (folder / name).is_file()}


def transformers_weights(folder: Path, network: str, parameter: str) -> Path:
    """The file with a model's weights in a folder in transformers' layout.

    Args:
        folder: The folder.
        network: What is looked for, for the message.
        parameter: What names the folder, for the message.

    Raises:
        InputError: There is none.
    """
    for name in CLIP_WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{folder} holds no {network}: no {' or '.join(CLIP_WEIGHTS)}. Remedy: name a folder in "
        f"transformers' layout in {parameter}."
    )


class FrozenNetwork(nn.Module):
    """A network that is used as it was read, always in evaluation mode.

    It has no parameters and no state of its own as far as training, averaging, sharding and checkpoints are
    concerned: what it is lies in the folder that it was read from. It moves along with the module.
    """

    def __init__(self, network: nn.Module) -> None:
        """Takes the network over."""
        super().__init__()
        # In a tuple, torch does not see it.
        self._frozen: tuple[Any] = (network.eval().requires_grad_(False),)

    @property
    def network(self) -> Any:
        """The network itself, of whichever library."""
        return self._frozen[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves the frozen network along."""
        self.network._apply(fn)
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call,no-any-return]


class ClipTextEncoder(FrozenNetwork):
    """CLIP's text model, frozen."""

    def __init__(self, folder: Path, width: int) -> None:
        """Reads config.json and the weights, strictly.

        Args:
            folder: In transformers' layout; of a whole CLIP, the text half is read.
            width: What its output must have.

        Raises:
            InputError: The folder holds no such text model.
        """
        model = read_clip_text_model(folder)
        if (found := model.config.hidden_size) != width:
            raise InputError(
                f"{folder} holds a text model of {found} numbers a token, and text.width is {width}. Remedy: "
                "correct either."
            )
        super().__init__(model)

    @torch.no_grad()
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Numbers and mask (B, L) to the last hidden states (B, L, W), after the final layer norm."""
        states: Tensor = self.network(input_ids=ids, attention_mask=mask).last_hidden_state
        return states


def read_clip_text_model(folder: Path) -> Any:
    """CLIP's text model from a folder in transformers' layout, strictly and in the default precision.

    Raises:
        InputError: A file is missing or damaged, or the weights do not fit the configuration.
    """
    from vidrep_pipelines.compat import transformers  # noqa: PLC0415 (takes seconds)

    state = _text_half(read_weights(transformers_weights(folder, "text model", "text.folder")))
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = transformers.CLIPTextConfig.from_dict(content.get("text_config") or content)
        with torch.device("meta"):
            outline = transformers.CLIPTextModel(config)
    except Exception as error:  # a foreign configuration can fail anywhere
        raise InputError(f"{folder / 'config.json'} describes no CLIP text model ({error}).") from error
    check_architecture(state, outline.state_dict(), str(folder))
    model = transformers.CLIPTextModel(config)
    model.load_state_dict(state)
    return model.to(torch.get_default_dtype())


def _text_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The text model's own weights, under transformers' present names."""
    if any(name.startswith("text_model.") for name in state):
        state = {
            name.removeprefix("text_model."): value
            for name, value in state.items()
            if name.startswith("text_model.")
        }
    skipped = {"text_projection.weight", "embeddings.position_ids"}  # not used here; a counting buffer
    return {name: value for name, value in state.items() if name not in skipped}


class OwnTextEncoder(nn.Module):
    """A small transformer over the words of an instruction, which sees all of them at every place."""

    def __init__(self, config: TextConfig) -> None:
        """Starts with random weights."""
        super().__init__()
        self.words = nn.Embedding(len(config.vocabulary) + 1, config.width, padding_idx=0)
        self.positions = nn.Parameter(torch.randn(config.tokens, config.width) * 0.1)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, 4 * config.width, dropout=0.0, activation="gelu",
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, config.depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Numbers and mask (B, L) to (B, L, W); padding gives zeros."""
        words = self.words(ids) + self.positions
        states: Tensor = self.norm(self.layers(words, src_key_padding_mask=mask == 0))
        return states * mask.unsqueeze(-1)


def build_text_encoder(config: TextConfig) -> nn.Module:
    """The text model: numbers and mask (B, L) to (B, L, W).

    Raises:
        ConfigurationError: CLIP has no folder.
        InputError: The folder holds no such text model.
    """
    if config.kind == "own":
        return OwnTextEncoder(config)
    return ClipTextEncoder(clip_folder(config), config.width)


def sine_positions(tokens: int, width: int) -> Tensor:
    """What is added to the text model's output: all sines, then all cosines, of each position.

    Args:
        tokens: L, positions from 0 on.
        width: W, an even number.

    Returns:
        (L, W) with sin and cos of position * 10000 ** (-2 j / W), computed in float64, in the default
        precision.
    """
    rates = torch.exp(torch.arange(width // 2, dtype=torch.float64) * (-math.log(10000.0) / (width // 2)))
    angles = torch.arange(tokens, dtype=torch.float64)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1).to(torch.get_default_dtype())
