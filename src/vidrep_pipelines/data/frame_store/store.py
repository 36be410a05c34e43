"""The handle on a store: frames, states and actions of a view, by its name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.clips.dataset import PackedStrings
from vidrep_pipelines.data.frame_store.config import SelectionConfig
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray, OpenArrays, StoredRows
from vidrep_pipelines.data.frame_store.episode import NO_ANNOTATIONS, EpisodeAnnotations
from vidrep_pipelines.data.frame_store.film_frames import open_frames
from vidrep_pipelines.data.frame_store.manifest import (
    ANNOTATIONS,
    StoreFacts,
    read_store_manifest,
    segment_table,
)
from vidrep_pipelines.data.frame_store.plan import select_views
from vidrep_pipelines.data.frame_store.shard import FRAMES, MASK, VERSION_STAMP
from vidrep_pipelines.data.frame_store.view_index import ViewIndex

FrameSelection = slice | Sequence[int] | NDArray[np.integer[Any]]


class FrameStore:
    """Random access to the frames of many views.

    Files are opened when something of them is first asked for. The handle may be pickled and may cross a
    fork; worker processes of a loader share its index.

    Args:
        folder: The store.

    Attributes:
        folder: The store.
        facts: Size of the frames, statistics of the training pixels, digests.
        index: Where every view lies.

    Raises:
        InputError: There is no finished store in the folder.
    """

    def __init__(self, folder: Path) -> None:
        table, facts = read_store_manifest(Path(folder))
        self._set_up(Path(folder), facts, table)

    def _set_up(self, folder: Path, facts: StoreFacts, table: pd.DataFrame) -> None:
        self.folder, self.facts, self.index = folder, facts, ViewIndex(table)
        self._annotations = PackedStrings(table[ANNOTATIONS]) if ANNOTATIONS in table else None
        self._frames = OpenArrays(folder, FRAMES, VERSION_STAMP, facts.shards, open_frames)
        self._states, self._actions, self._outcomes, self._masks = (
            OpenArrays(folder, name, VERSION_STAMP, facts.shards)
            for name in ("state", "action", "outcome", MASK)
        )

    def select(self, split: str | None = None, selection: SelectionConfig | None = None) -> Self:
        """The same store with the views of one split, of some robots or cameras only.

        Raises:
            ConfigurationError: That leaves nothing; the message says what there is.
        """
        table = self.table
        if split is not None:
            present = sorted(set(table["split"]))
            table = table[table["split"] == split]
            if table.empty:
                raise ConfigurationError(
                    f"{self.folder}: there is no view in the split {split!r}, only in {present}."
                )
        table = select_views(table, selection or SelectionConfig())
        store = type(self).__new__(type(self))
        store._set_up(self.folder, self.facts, table)
        return store

    @property
    def table(self) -> pd.DataFrame:
        """One row per view of this handle, read anew from the manifest; see ``read_store_manifest``."""
        table, _ = read_store_manifest(self.folder)
        return table[table["id"].isin(set(self.ids))].reset_index(drop=True)

    @property
    def ids(self) -> Sequence[str]:
        """Names of the views, sorted."""
        return self.index.ids

    @property
    def content_digest(self) -> str:
        """Changes with any stored byte, and with the selection of views."""
        return digest_of(self.facts.content_digest, list(self.ids))

    def __len__(self) -> int:
        return len(self.index)

    def length(self, view: str) -> int:
        """Number of frames of a view."""
        return self.index.frames(self.index.position(view))[2]

    def size(self, view: str) -> tuple[int, int]:
        """Height and width of a view's frames: that of the store, unless its data sets differ in it.

        Raises:
            InputError: There is no such view, or its file is damaged.
        """
        shard, _, _ = self.index.frames(self.index.position(view))
        height, width = self._frames[shard].shape[1:3]
        return height, width

    def frames(self, view: str, selection: FrameSelection = slice(None)) -> NDArray[np.uint8]:
        """Reads frames of a view.

        Args:
            view: One of ``ids``.
            selection: A slice, or frame numbers in any order, with repetitions.

        Returns:
            (T, H, W, 3) uint8 RGB.

        Raises:
            InputError: There is no such view, or its file is damaged.
            IndexError: A frame number is out of range.
        """
        return self.frames_at(self.index.position(view), selection)

    def frames_at(self, position: int, selection: FrameSelection = slice(None)) -> NDArray[np.uint8]:
        """Like :meth:`frames`, for the view at a position in 0..len-1: faster, as no name is looked up."""
        shard, start, frames = self.index.frames(position)
        return read_selection(self._frames[shard], start, frames, selection)

    def picture_into(self, out: NDArray[np.uint8], position: int, frame: int) -> None:
        """Reads one frame of the view at a position into (H, W, 3) uint8, contiguous: no copy in between.

        Raises:
            InputError: The view's file is damaged, or its frames are of another size.
            IndexError: There is no such view or frame.
        """
        shard, start, frames = self.index.frames(position)
        if not 0 <= frame < frames:
            raise IndexError(f"frame numbers must be in 0..{frames - 1}, not {frame}")
        stored = self._frames[shard]
        if stored.shape[1:] != out.shape:
            raise InputError(
                f"{self.folder}: {self.ids[position]!r} has frames {stored.shape[1:]}, expected are "
                f"{out.shape}. Remedy: store all views in one size, or use those of one size alone."
            )
        if isinstance(stored, ContiguousArray):
            stored.read_into(out[None], start + frame)
        else:
            out[:] = stored.read(start + frame, start + frame + 1)[0]

    def states(self, view: str) -> NDArray[np.float32]:
        """(T, S) float32 states of a view; T = 0 if none are known."""
        return self.states_at(self.index.position(view))

    def states_at(self, position: int, selection: FrameSelection = slice(None)) -> NDArray[np.float32]:
        """States of some frames of the view at a position in 0..len-1."""
        shard, start, rows = self.index.states(position)
        return read_selection(self._states[shard], start, rows, selection)

    def actions(self, view: str) -> NDArray[np.float32]:
        """(T - 1, A) float32 actions between the frames of a view; no rows if none are known."""
        return self.actions_at(self.index.position(view))

    def actions_at(self, position: int, selection: FrameSelection = slice(None)) -> NDArray[np.float32]:
        """Actions after some frames of the view at a position in 0..len-1."""
        shard, start, rows = self.index.actions(position)
        return read_selection(self._actions[shard], start, rows, selection)

    def outcomes(self, view: str) -> NDArray[np.float32]:
        """(T - 1, 2) float32 reward of each action and the discount with it; no rows if none are known."""
        shard, start, rows = self.index.outcomes(self.index.position(view))
        return self._outcomes[shard].read(start, start + rows)

    def episode(self, view: str) -> EpisodeAnnotations:
        """What is said about a view: its segments and phases, rate, success and names in masks.

        Raises:
            InputError: There is no such view.
        """
        return self.episode_at(self.index.position(view))

    def episode_at(self, position: int) -> EpisodeAnnotations:
        """Like :meth:`episode`, for the view at a position in 0..len-1."""
        self.index.frames(position)  # out of range, in the same words
        return (
            NO_ANNOTATIONS
            if self._annotations is None
            else EpisodeAnnotations.from_text(self._annotations[position])
        )

    @property
    def segments(self) -> pd.DataFrame:
        """One row per segment of every view: id, first, end (exclusive), text, task (may be missing), split.

        In the order of the views, then of their segments. The manifest is read anew.
        """
        return segment_table(self.table)

    def has_masks(self, view: str) -> bool:
        """Whether masks of a view are stored."""
        return self.index.masks(self.index.position(view))[2] > 0

    def masks(self, view: str, selection: FrameSelection = slice(None)) -> NDArray[np.uint8]:
        """Reads masks of a view.

        Args:
            view: One of ``ids``.
            selection: A slice, or frame numbers in any order, with repetitions.

        Returns:
            (T, H, W) uint8; 0 is the background, ``episode(view).mask_names`` names the rest.

        Raises:
            InputError: There is no such view, it has no masks, or its file is damaged.
            IndexError: A frame number is out of range.
        """
        shard, start, frames = self.index.masks(self.index.position(view))
        if not frames:
            raise InputError(f"{self.folder}: no masks of {view!r} are stored.")
        return read_selection(self._masks[shard], start, frames, selection)

    def close(self) -> None:
        """Closes all files."""
        for arrays in (self._frames, self._states, self._actions, self._outcomes, self._masks):
            arrays.close()


def read_selection(array: StoredRows, start: int, frames: int, selection: FrameSelection) -> NDArray[Any]:
    """Reads rows of a view out of an array with one row per frame.

    Args:
        array: The array of a whole shard.
        start: First row of the view.
        frames: Number of its rows.
        selection: Which of its rows are read, counted from its first.

    Raises:
        IndexError: A number is negative or beyond the last frame.
    """
    if isinstance(selection, slice):
        first, last, step = selection.indices(frames)
        if step == 1:
            return array.read(start + first, start + max(first, last))
        selection = range(first, last, step)
    rows = np.asarray(selection, np.int64)
    if rows.size and not 0 <= rows.min() <= rows.max() < frames:
        raise IndexError(f"frame numbers must be in 0..{frames - 1}, not {rows.min()}..{rows.max()}")
    return array.read_rows(rows + start)
