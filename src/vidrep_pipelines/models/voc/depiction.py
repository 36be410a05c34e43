"""States as pictures: decoded, or by the most similar frames that were really seen."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.voc.nearest_states import NearestStates
from vidrep_pipelines.models.voc.tokenizers.tokenizer import DecodingTokenizer, depict

_FRAMES_AT_ONCE = 64

IntArray = NDArray[np.int64]
Pixels = NDArray[np.uint8]


class Depiction(Protocol):
    """A way to see tokens."""

    @property
    def title(self) -> str:
        """What is seen."""

    def frames(self, states: IntArray) -> Pixels:
        """States (n, T) of S frames to pictures (n, S, H, W, 3)."""

    def captions(self, states: IntArray) -> list[str]:
        """How far to trust each of these pictures, (n,); none if there is nothing to say."""


class DecodedStates:
    """What the tokenizer's decoder makes of the tokens.

    Args:
        tokenizer: That made them.
        frame_stack: Frames S of a state.
    """

    title = "decoded samples"

    def __init__(self, tokenizer: DecodingTokenizer, frame_stack: int) -> None:
        self._tokenizer, self._frame_stack = tokenizer, frame_stack

    def frames(self, states: IntArray) -> Pixels:
        """States (n, T) of S frames to pictures (n, S, H, W, 3)."""
        side = self._tokenizer.grid
        codes = torch.from_numpy(np.ascontiguousarray(states)).reshape(-1, side, side)
        decoded = torch.cat([depict(self._tokenizer, part) for part in torch.split(codes, _FRAMES_AT_ONCE)])
        pixels: Pixels = (decoded * 255).round().to(torch.uint8).movedim(1, -1).cpu().numpy()
        return pixels.reshape(len(states), self._frame_stack, *pixels.shape[1:])

    def captions(self, states: IntArray) -> list[str]:
        """None: these are the samples themselves."""
        return []


class RetrievedStates:
    """The real frames of the state with the most tokens in common.

    Args:
        nearest: States to choose from.
        store: Their frames.
        frame_stack: Frames S of a state.
    """

    title = "real frames with the most tokens of a sample"

    def __init__(self, nearest: NearestStates, store: FrameStore, frame_stack: int) -> None:
        self._nearest, self._store, self._frame_stack = nearest, store, frame_stack

    def frames(self, states: IntArray) -> Pixels:
        """States (n, T) of S frames to pictures (n, S, H, W, 3)."""
        back = np.arange(self._frame_stack - 1, -1, -1)
        found = self._nearest.find(states).tolist()
        return np.stack([
            self._store.frames(self._nearest.name(row), np.maximum(self._nearest.step[row] - back, 0))
            for row in found
        ])  # fmt: skip

    def captions(self, states: IntArray) -> list[str]:
        """The share of the tokens that the real state has too."""
        agreement = self._nearest.agreement(states, self._nearest.find(states))
        return [f"{share:.0%} alike" for share in agreement]
