"""What another camera of the same episode saw, for models that look at it."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.store import FrameStore


class OtherViews:
    """For every view of some data sets, the views of the same episode by other cameras.

    All cameras in the store count, also those that clips are never taken from (``mixture.cameras``).

    Args:
        store: The views that may be used.
        data_sets: Names of the data sets, which the store calls robots.

    Raises:
        ConfigurationError: An episode of one of them has one camera only.
    """

    def __init__(self, store: FrameStore, data_sets: Iterable[str]) -> None:
        self._store = store
        table = store.table
        used = table["robot"].isin(set(data_sets)).to_numpy()
        episodes = table.groupby(["robot", "trajectory"], sort=False).ngroup().to_numpy()
        order = np.lexsort((table["camera"].to_numpy(), episodes))
        counts = np.bincount(episodes, minlength=1)
        alone = used & (counts[episodes] < 2)
        if alone.any():
            first = table[alone].sort_values(["robot", "trajectory"]).iloc[0]
            others = f" and {int(alone.sum()) - 1} more" if alone.sum() > 1 else ""
            raise ConfigurationError(
                f"{first['robot']} in {store.folder} was filmed by one camera only in the episode "
                f"{first['trajectory']!r}{others}, and model.text.image asks for the first frame of another "
                "camera. Remedy: leave the data set out of mixture.datasets, or set model.text.image to null "
                "and model.text.duplicate to true."
            )
        self._episodes, self._order = episodes, order
        self._ends = np.cumsum(counts)
        self._frames = table["frames"].to_numpy(np.int64)

    def draw(self, view: int, random: np.random.Generator) -> int:
        """One of the other views of a view's episode, all equally likely.

        Args:
            view: Position of the view in the store.
            random: Decides.
        """
        episode = self._episodes[view]
        start = self._ends[episode - 1] if episode else 0
        views = self._order[start : self._ends[episode]]
        return int(random.choice(views[views != view]))

    def picture(self, view: int, frame: int, random: np.random.Generator) -> Tensor:
        """What another camera saw at a frame of a view, (3, H, W) uint8; its last frame if it ended before.

        Args:
            view: Position of the view in the store.
            frame: Number of the frame.
            random: Decides which camera.
        """
        other = self.draw(view, random)
        seen = min(frame, int(self._frames[other]) - 1)
        return torch.tensor(self._store.frames_at(other, slice(seen, seen + 1))[0]).permute(2, 0, 1)
