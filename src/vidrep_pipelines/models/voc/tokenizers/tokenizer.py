"""What the rest of the system asks of a tokenizer."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.pixels import prepare_frames, to_unit_range


class Tokenizer(Protocol):
    """Turns frames into codes, one by one.

    A module: it has a device, a mode and a state dict.
    """

    @property
    def pixels(self) -> PixelConfig:
        """How frames are prepared for it."""

    @property
    def vocabulary(self) -> int:
        """Number of codes K."""

    @property
    def grid(self) -> int:
        """Codes along one side of a frame; a frame is ``grid * grid`` tokens, row by row."""

    @property
    def codebook(self) -> Tensor:
        """(K, D) what the codes stand for: the features of the reward head."""

    def encode(self, images: Tensor) -> Tensor:
        """Prepared pictures (N, 3, S, S) to codes (N, grid, grid) int64."""


@runtime_checkable
class DecodingTokenizer(Tokenizer, Protocol):
    """A tokenizer with a way back."""

    def decode_codes(self, codes: Tensor) -> Tensor:
        """Codes (N, grid, grid) to pictures (N, 3, S, S) in the units of ``pixels``."""


@torch.no_grad()
def tokenize(tokenizer: Tokenizer, frames: Tensor) -> Tensor:
    """Frames (N, 3, H, W) uint8 to codes (N, grid, grid) int64, without shift and without autograd.

    The result is on the device of the tokenizer.

    Raises:
        InputError: The frames are not square.
    """
    return tokenizer.encode(prepare_frames(frames.to(tokenizer.codebook.device), tokenizer.pixels))


@torch.no_grad()
def depict(tokenizer: DecodingTokenizer, codes: Tensor) -> Tensor:
    """Codes (N, grid, grid) to pictures (N, 3, S, S) float32 in 0..1."""
    pictures = tokenizer.decode_codes(codes.to(tokenizer.codebook.device))
    return to_unit_range(pictures, tokenizer.pixels).clamp(0, 1)
