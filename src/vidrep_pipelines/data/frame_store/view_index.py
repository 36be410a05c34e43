"""Where each view lies, as a few tensors that all processes of a loader share."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.dataset import PackedStrings

StoredRows = tuple[str, int, int]
"""A file below the store, the first row in its array, and the number of rows."""

_PLACES = {
    "frames": "start",
    "states": "state_start",
    "actions": "action_start",
    "outcomes": "outcome_start",
    "masks": "mask_start",
}


class ViewIndex:
    """Places of V views, sorted by id. The worker processes of a loader share one copy of it.

    Args:
        table: Rows of a manifest, sorted by id.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        shards = pd.Categorical(table["shard"])
        self._shards: list[str] = shards.categories.tolist()
        self._ids = PackedStrings(table["id"])
        if "masks" not in table:  # nothing in the store has any
            table = table.assign(masks=0, mask_start=0)
        columns = {name: (shards.codes, table[start], table[name]) for name, start in _PLACES.items()}
        self._set_places([np.column_stack(columns[name]).astype(np.int64) for name in _PLACES])
        self._shared: list[torch.Tensor] = []

    def _set_places(self, places: list[NDArray[np.int64]]) -> None:
        self._frames, self._states, self._actions, self._outcomes, self._masks = places
        self._length = len(self._frames)

    def __len__(self) -> int:
        return self._length

    @property
    def ids(self) -> Sequence[str]:
        """Names of the views, unpacked one by one."""
        return self._ids  # type: ignore[return-value]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(V,) int64, frames of every view."""
        return self._frames[:, 2]

    def position(self, view: str) -> int:
        """The position of a view, by bisection.

        Raises:
            InputError: There is no such view.
        """
        place = bisect_left(self.ids, view, 0, self._length)
        if place == self._length or self._ids[place] != view:
            example = f", such as {self._ids[0]!r}" if self._length else ""
            raise InputError(f"There is no view {view!r} among {self._length}{example}.")
        return place

    def frames(self, position: int) -> StoredRows:
        """Where the frames of the view at a position in 0..V-1 are.

        Raises:
            IndexError: There is no such position.
        """
        return self._rows(self._frames, position)

    def states(self, position: int) -> StoredRows:
        """Where its states are."""
        return self._rows(self._states, position)

    def actions(self, position: int) -> StoredRows:
        """Where its actions are."""
        return self._rows(self._actions, position)

    def outcomes(self, position: int) -> StoredRows:
        """Where its rewards and discounts are."""
        return self._rows(self._outcomes, position)

    def masks(self, position: int) -> StoredRows:
        """Where its masks are; no rows if it has none."""
        return self._rows(self._masks, position)

    def _rows(self, places: NDArray[np.int64], position: int) -> StoredRows:
        if not 0 <= position < self._length:
            raise IndexError(f"{position} is out of range for {self._length} views")
        number = places.item  # a third of the time that a row of the array takes to make
        return self._shards[number(position, 0)], number(position, 1), number(position, 2)

    def __getstate__(self) -> dict[str, Any]:
        if not self._shared:
            # Copies: a tensor on its way to another process moves to shared memory, and away from the array.
            every = (self._frames, self._states, self._actions, self._outcomes, self._masks)
            self._shared = [torch.tensor(places) for places in every]
        return {"shards": self._shards, "ids": self._ids, "shared": self._shared}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._shards, self._ids, self._shared = state["shards"], state["ids"], state["shared"]
        self._set_places([places.numpy() for places in self._shared])
