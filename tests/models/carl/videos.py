"""Long videos in memory whose frames show their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos, typed_table

HEIGHT, WIDTH = 40, 48


def label_index(*videos: tuple[str, str, Sequence[int]]) -> LabelledVideos:
    """Name, action and labels of each video, as ingestion lists them."""
    labels = tuple(np.asarray(values, np.int16) for _, _, values in videos)
    rows: list[dict[str, object]] = [
        {
            "id": name,
            "split": "train",
            "action": action,
            "action_label": -1,
            "classes": 300,
            "frames": len(values),
            "labelled_frames": int(np.sum(np.asarray(values) >= 0)),
            "absent_phases": "",
            "problems": "",
        }
        for name, action, values in videos
    ]
    return LabelledVideos(typed_table(rows), labels)


@dataclass
class NumberedVideos:
    """Every pixel of frame f of video v is (f, v, 0); some videos are broken."""

    lengths: list[int]
    broken: frozenset[int] = frozenset()
    calls: list[tuple[int, list[int]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lengths)

    def name(self, index: int) -> str:
        return f"video_{index}"

    def length(self, index: int) -> int:
        return self.lengths[index]

    def read(self, index: int, ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
        self.calls.append((index, ranks.tolist()))
        if index in self.broken:
            raise InputError(f"video_{index} is broken on purpose")
        frames = np.zeros((len(ranks), HEIGHT, WIDTH, 3), np.uint8)
        frames[..., 0], frames[..., 1] = ranks[:, None, None], index
        return frames


def shown(frames: Any) -> tuple[Any, Any]:
    """The numbers of frames and of videos that (..., 3, S, S) show."""
    pixels = frames[..., 0, 0]
    return pixels[..., 0], pixels[..., 1]
