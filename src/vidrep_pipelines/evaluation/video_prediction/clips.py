"""Which clips of a frame store are predicted."""

import logging
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import EpisodeAnnotations
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.frames import even_places

ClipRule = Callable[[str, int], NDArray[np.int64] | None]
"""From a data set's name and an episode's length to the frames (F,) of its clip; none if it has no clip."""

_log = logging.getLogger(__name__)


def instruction_of(annotations: EpisodeAnnotations, frame: int) -> str | None:
    """What an episode is told at a frame; where that is nothing, what it is told first. None: nothing."""
    first = annotations.segments[0].text if annotations.segments else None
    return annotations.instruction_at(frame) or first


@dataclass(frozen=True)
class PredictedClips:
    """Clips with their instructions, in a fixed order.

    Attributes:
        store: The store they are of.
        rows: One row per clip: id (the view), trajectory, robot (the data set), text.
        frames: (N, F) int64, the frames of every clip; the first is given to the model.
    """

    store: FrameStore
    rows: pd.DataFrame
    frames: NDArray[np.int64]

    @classmethod
    def of(cls, store: FrameStore, config: VideoEvaluationConfig, rule: ClipRule) -> "PredictedClips":
        """Chooses the clips: one of a view, views spread evenly over each data set.

        Raises:
            ConfigurationError: There is no such split, data set or camera.
            InputError: No episode is long enough, or none has an instruction.
        """
        views = store.select(config.split, config.selection)
        table = views.table
        if not config.every_camera:
            table = table.sort_values(["trajectory", "camera"]).drop_duplicates("trajectory")
        candidates = [
            row
            for _, own in table.sort_values("id").groupby("robot")
            for row in own.iloc[even_places(len(own), config.limit)].to_dict("records")
        ]
        clips = [clip for row in candidates if (clip := _clip(views, row, rule)) is not None]
        _say_left_out(len(candidates), len(clips), config)
        rows, frames = zip(*clips, strict=True)
        return cls(views, pd.DataFrame(rows), np.stack(frames))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def digest(self) -> str:
        """Changes with the frames, with which clips of them are predicted, and with what they are told."""
        return digest_of(self.store.facts.content_digest, self.rows.to_dict("list"), self.frames.tolist())

    def batches(self, size: int) -> Iterator[tuple[pd.DataFrame, Pixels]]:
        """Yields all clips: their rows, and (B, F, H, W, 3) uint8; a batch is of one data set."""
        for _, own in self.rows.groupby("robot", sort=False):
            for start in range(0, len(own), size):
                rows = own.iloc[start : start + size]
                views = zip(rows["id"], self.frames[rows.index], strict=True)
                pixels = np.stack([self.store.frames(view, ids) for view, ids in views])
                yield rows.reset_index(drop=True), pixels


def _clip(
    views: FrameStore, row: dict[Hashable, Any], rule: ClipRule
) -> tuple[dict[str, str], NDArray[np.int64]] | None:
    """The facts and frames of the clip of a view; none if it is too short, too long, or told nothing."""
    frames = rule(row["robot"], row["frames"])
    text = None if frames is None else instruction_of(views.episode(row["id"]), int(frames[0]))
    if frames is None or text is None:
        return None
    return {**{name: str(row[name]) for name in ("id", "trajectory", "robot")}, "text": text}, frames


def _say_left_out(views: int, clips: int, config: VideoEvaluationConfig) -> None:
    if not clips:
        raise InputError(
            f"None of the {views} views of the split {config.split!r} can be predicted: they are too short "
            "or too long for the model's clips, or have no instruction."
        )
    _log.info("video prediction: %d clips of %d views of %r", clips, views, config.split)
