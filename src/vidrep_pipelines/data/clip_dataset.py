"""The one data set of clips: which clip, which of its frames, how they are cropped.

What a sample looks like depends on the seed, the epoch and its position only: not on the worker that makes
it, on how many processes there are, or on whether the run was resumed.
"""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from vidrep_pipelines.common.errors import InputError, VidrepError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.sampling import FrameSampler, Ranks
from vidrep_pipelines.data.video.decode import FrameReader

Sample = dict[str, Any]

_BAD_CLIP = (VidrepError, OSError, IndexError)

log = logging.getLogger(__name__)


class ReadFrames(Protocol):
    """Reads frames of one video."""

    def __call__(self, path: Path, ranks: Ranks) -> NDArray[np.uint8]:
        """Returns (N, H, W, 3) RGB for (N,) ranks, in their order; raises VidrepError for a bad file."""
        ...


class GroupTransform(Protocol):
    """Maps the frames of one group to what a model sees, with the same draw for all of them."""

    def __call__(self, frames: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
        """Maps (N, H, W, 3) uint8 to (N, 3, S, S) uint8."""
        ...


class PackedStrings:
    """Many strings in two tensors.

    A list of ten million strings is ten million objects, which every worker process would receive and hold
    on its own. Tensors are handed to worker processes as shared memory, so that all of them use one copy.
    """

    def __init__(self, strings: Iterable[str]) -> None:
        array = pa.array(strings, type=pa.large_string(), from_pandas=True)
        packed = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
        if packed.null_count:
            raise InputError(f"The clip table has {packed.null_count} empty entries among its ids or paths.")
        _, offsets, text = packed.buffers()
        self._offsets = torch.tensor(np.frombuffer(offsets, dtype=np.int64, count=len(packed) + 1))
        self._text = torch.tensor(np.frombuffer(text or b"", dtype=np.uint8))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is out of range for {len(self)} strings")
        start, stop = self._offsets[index : index + 2].tolist()
        return self._text[start:stop].numpy().tobytes().decode()


class ClipDataset(Dataset[Sample]):
    """Clips on disk as groups of cropped frames.

    A clip that cannot be read is replaced by another one that follows from (seed, epoch, index) alone. The
    sample says how often that happened.

    Args:
        clips: One row per clip: ``id`` (its name in messages), ``path`` (relative to ``folder``), ``frames``.
        folder: Where the clips are.
        sampler: Draws the (R, N) ranks of a sample.
        transform: Crops a group of N frames, all alike.
        seed: Seed of the run.
        make_reader: Makes the object that reads frames; called once in every process.
        max_replacements: How many other clips are tried in the place of a bad one.

    Raises:
        InputError: A column is missing, or there is no clip.
    """

    def __init__(
        self,
        clips: pd.DataFrame,
        folder: Path,
        sampler: FrameSampler,
        transform: GroupTransform,
        seed: int = 0,
        make_reader: Callable[[], ReadFrames] = FrameReader,
        max_replacements: int = 8,
    ) -> None:
        missing = {"id", "path", "frames"} - set(clips.columns)
        if missing or clips.empty:
            raise InputError(
                f"The clip table lacks {sorted(missing)}." if missing else "The clip table is empty."
            )
        self._ids, self._paths = PackedStrings(clips["id"]), PackedStrings(clips["path"])
        self._frames = torch.tensor(clips["frames"].to_numpy(dtype=np.int32))
        self._folder, self._sampler, self._transform, self._seed = Path(folder), sampler, transform, seed
        self._make_reader, self._max_replacements = make_reader, max_replacements
        self._reader: ReadFrames | None = None
        self._reader_process = 0

    def __len__(self) -> int:
        return len(self._frames)

    def names(self, indices: Iterable[int]) -> list[str]:
        """Ids of the clips at these positions, for messages."""
        return [self._ids[int(index)] for index in indices]

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Makes the sample at ``(epoch, index)``.

        Returns:
            ``frames`` (R, N, 3, S, S) uint8, channels last in memory; ``index`` of the clip they come from;
            ``seed`` (R,) int64, for whatever is random in the loss of each group; ``replaced``, the number of
            bad clips that were passed over.

        Raises:
            InputError: The clip and all its replacements are bad; the message lists them.
        """
        draw = (self._seed, *map(int, position))
        failures: list[str] = []
        for attempt in range(self._max_replacements + 1):
            index = seed_for(*draw, "replacement", attempt) % len(self) if attempt else draw[-1]
            rng = generator_for(*draw, attempt)
            try:
                ranks, frames = self._read(index, rng)
            except _BAD_CLIP as error:
                failures.append(f"{self._folder / self._paths[index]}: {error}")
                log.warning("Clip replaced by another one. %s", failures[-1])
                continue
            groups = [
                self._transform(group, rng) for group in frames.reshape(*ranks.shape, *frames.shape[1:])
            ]
            seeds = [seed_for(*draw, "loss", group) for group in range(len(groups))]
            return {
                "frames": _stack_channels_last(groups),
                "index": index,
                "seed": torch.tensor(seeds, dtype=torch.int64),
                "replaced": attempt,
            }
        raise InputError(
            f"{len(failures)} clips in a row could not be read. Remedy: run the label filter again.\n"
            + "\n".join(failures)
        )

    def _read(self, index: int, rng: np.random.Generator) -> tuple[Ranks, NDArray[np.uint8]]:
        """All frames of a sample by one call, so that what they share is decoded once."""
        ranks = self._sampler(int(self._frames[index]), rng)
        return ranks, self._reader_here()(self._folder / self._paths[index], ranks.reshape(-1))

    def _reader_here(self) -> ReadFrames:
        """The reader of this process: decoders must not cross a fork."""
        if self._reader is None or self._reader_process != os.getpid():
            self._reader, self._reader_process = self._make_reader(), os.getpid()
        return self._reader

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}


def _stack_channels_last(groups: Sequence[Tensor]) -> Tensor:
    """Stacks channels-last images without converting their layout: (..., C, H, W), stored as (..., H, W, C)."""
    return torch.stack([group.movedim(-3, -1) for group in groups]).movedim(-1, -3)


def collate_clips(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Makes a batch of samples.

    Returns:
        ``frames`` (B, R, N, 3, S, S) uint8, channels last in memory; ``index`` (B,), ``seed`` (B, R) and
        ``replaced`` (B,) int64.
    """
    stored = [{**sample, "frames": sample["frames"].movedim(-3, -1)} for sample in samples]
    # In a worker process default_collate writes straight into shared memory.
    batch: dict[str, Tensor] = default_collate(stored)
    return {**batch, "frames": batch["frames"].movedim(-1, -3)}
