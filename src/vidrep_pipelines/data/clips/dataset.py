"""The one data set of clips: which clip, which of its frames, how they are cropped.

What a sample looks like depends on the seed, the epoch and its position only: not on the worker that makes
it, on how many processes there are, or on whether the run was resumed.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vidrep_pipelines.common.arrays import Ranks
from vidrep_pipelines.common.errors import InputError, VidrepError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.clips.sampling import FrameSampler
from vidrep_pipelines.data.clips.table import ClipRows
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_store import PacketStore

Sample = dict[str, Any]

MOST_REPLACEMENTS = 8
"""How many other clips are tried in the place of a bad one."""
_BAD_CLIP = (VidrepError, OSError, IndexError)

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Reads frames of videos. It is pickled into worker processes and must survive a fork."""

    def read(self, path: Path, ranks: Ranks, index: PacketIndex | Path | None = None) -> NDArray[np.uint8]:
        """Returns (N, H, W, 3) RGB for (N,) ranks in their order; raises VidrepError for a bad file."""
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
        # A slice of a longer array shares its buffers.
        ends = np.frombuffer(offsets, dtype=np.int64)[packed.offset : packed.offset + len(packed) + 1]
        self._offsets = torch.tensor(ends - ends[0])
        self._text = torch.tensor(np.frombuffer(text or b"", dtype=np.uint8)[ends[0] : ends[-1]])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is out of range for {len(self)} strings")
        start, stop = self._offsets[index : index + 2].tolist()
        return self._text[start:stop].numpy().tobytes().decode()


class PackedClips:
    """A short table of clips in memory, with the interface of :class:`ClipRows`.

    Args:
        clips: One row per clip: ``id``, ``path``, ``frames``.

    Raises:
        InputError: A column is missing, or an entry is empty.
    """

    def __init__(self, clips: pd.DataFrame) -> None:
        if missing := {"id", "path", "frames"} - set(clips.columns):
            raise InputError(f"The clip table lacks {sorted(missing)}.")
        self._ids, self._paths = PackedStrings(clips["id"]), PackedStrings(clips["path"])
        self._frames = torch.tensor(clips["frames"].to_numpy(dtype=np.int32))

    def __len__(self) -> int:
        return len(self._frames)

    def id(self, index: int) -> str:
        """Name of the clip at this position."""
        return self._ids[index]

    def file(self, index: int) -> str:
        """Path of the clip, relative to the folder of clips."""
        return self._paths[index]

    def frames(self, index: int) -> int:
        """Number of frames of the clip."""
        return int(self._frames[index])


class ClipDataset(Dataset[Sample]):
    """Clips on disk as groups of cropped frames.

    A clip that cannot be read is replaced by another one that follows from (seed, epoch, index) alone. The
    sample says how often that happened. Torch's default collation makes batches of samples: frames
    (B, R, N, 3, S, S), seed (B, R), index and replaced (B,).

    Args:
        clips: One row per clip: ``id`` (its name in messages), ``path`` (relative to ``folder``), ``frames``;
            a data frame, or a snapshot, which all processes share.
        folder: Where the clips are.
        sampler: Draws the (R, N) ranks of a sample.
        transform: Crops a group of N frames, all alike.
        seed: Seed of the run.
        reader: Reads the frames; :class:`FrameReader` unless given.
        index_suffix: Ending of the packet index beside each clip, in place of the clip's own; None without.
        packet_store: Where packet indices are looked for first, by the clip's ``id``.

    Raises:
        InputError: A column is missing, or there is no clip.
    """

    def __init__(
        self,
        clips: pd.DataFrame | ClipRows,
        folder: Path,
        sampler: FrameSampler,
        transform: GroupTransform,
        *,
        seed: int = 0,
        reader: Reader | None = None,
        index_suffix: str | None = None,
        packet_store: PacketStore | None = None,
    ) -> None:
        if not len(clips):
            raise InputError("The clip table is empty.")
        self._clips = PackedClips(clips) if isinstance(clips, pd.DataFrame) else clips
        self._folder, self._sampler, self._transform, self._seed = Path(folder), sampler, transform, seed
        self._reader: Reader = FrameReader() if reader is None else reader
        self._index_suffix, self._packet_store = index_suffix, packet_store

    def __len__(self) -> int:
        return len(self._clips)

    def names(self, indices: Iterable[int]) -> list[str]:
        """Ids of the clips at these positions, for messages."""
        return [self._clips.id(int(index)) for index in indices]

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Makes the sample at ``(epoch, index)``.

        Returns:
            ``frames`` (R, N, 3, S, S) uint8; ``index`` of the clip they come from;
            ``seed`` (R,) int64, for whatever is random in the loss of each group; ``replaced``, the number of
            bad clips that were passed over.

        Raises:
            IndexError: There is no such clip.
            InputError: The clip and all its replacements are bad; the message lists them.
        """
        epoch, index = map(int, position)
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is out of range for {len(self)} clips")
        groups, used, replaced = self._first_good((self._seed, epoch, index))
        seeds = [seed_for(self._seed, epoch, index, "loss", group) for group in range(len(groups))]
        seed = torch.tensor(seeds, dtype=torch.int64)
        return {"frames": torch.stack(groups), "index": used, "seed": seed, "replaced": replaced}

    def _first_good(self, draw: tuple[int, int, int]) -> tuple[list[Tensor], int, int]:
        """The groups of the first clip that can be read, its index, and how many were tried before."""
        failures: list[str] = []
        for attempt in range(MOST_REPLACEMENTS + 1):
            index = seed_for(*draw, "replacement", attempt) % len(self) if attempt else draw[-1]
            try:
                return self._groups(index, generator_for(*draw, attempt)), index, attempt
            except _BAD_CLIP as error:
                failures.append(f"{self._path(index)}: {error}")
                log.warning("A clip is replaced by another one. %s", failures[-1])
        raise InputError(
            f"{len(failures)} clips in a row could not be read. Remedy: run resize and the label filter "
            "again.\n" + "\n".join(failures)
        )

    def _groups(self, index: int, rng: np.random.Generator) -> list[Tensor]:
        ranks = self._sampler(self._clips.frames(index), rng)
        path = self._path(index)
        # All frames of a sample by one call, so that what they share is decoded once.
        frames = self._reader.read(path, ranks.reshape(-1), self._packets(index, path))
        return [self._transform(group, rng) for group in frames.reshape(*ranks.shape, *frames.shape[1:])]

    def _packets(self, index: int, path: Path) -> PacketIndex | Path | None:
        stored = self._packet_store.find(self._clips.id(index)) if self._packet_store else None
        if stored is None and self._index_suffix:
            return path.with_suffix(self._index_suffix)
        return stored

    def _path(self, index: int) -> Path:
        return self._folder / self._clips.file(index)
