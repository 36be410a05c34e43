"""A control that sees no picture: embeddings that know only which share of the video has passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.data.labelled_videos.inserted_pause import InsertedPause, InsertedPauseConfig

_RESOLUTION = 0.05
"""Shares of the time that are farther apart than two or three of these have nothing in common."""

_WAVES = 48


class FrameArrays(Protocol):
    """Embeddings of videos: those of a model, or a control."""

    @property
    def ids(self) -> Sequence[str]:
        """Names of the videos."""

    @property
    def content_digest(self) -> str:
        """Changes when the embeddings do."""

    def of(self, video: str) -> NDArray[np.floating]:
        """(T, D), one row per frame of the video."""


@dataclass(frozen=True, eq=False)
class Clock:
    """Waves over the share of the time, of unit length: frames are the nearer the nearer their shares.

    Activities run alike in most videos, so that time alone says much about the phase, and orders frames
    perfectly. Position encodings give this to a network before it has learned anything: what a model has
    learned is its lead over the clock.

    Attributes:
        labelled: The videos.
        pause: Inserted into every video: the clock goes on while the picture stands still.
    """

    labelled: LabelledVideos
    pause: InsertedPauseConfig | None = None

    @property
    def ids(self) -> list[str]:
        """All videos."""
        return self.labelled.ids

    @property
    def content_digest(self) -> str:
        """A digest of the clock alone; the lengths of the videos are part of the labels' digest."""
        return f"clock-{_WAVES}-{_RESOLUTION}" + (f"-{self.pause}" if self.pause else "")

    def of(self, video: str) -> NDArray[np.float64]:
        """(T, 96); the product of two frames is a Gaussian of the distance of their shares."""
        frames = len(self.labelled.of(video))
        shares = np.linspace(0, 1, frames)
        if self.pause is not None:
            pause = InsertedPause.of(frames, self.pause)
            shares = np.linspace(0, 1, frames + pause.frames)[pause.places]
        angular = np.pi / 2 * np.arange(1, _WAVES + 1)
        strengths = np.exp(-((angular * _RESOLUTION) ** 2) / 4)
        waves = np.concatenate(
            [wave(shares[:, None] * angular) * strengths for wave in (np.sin, np.cos)], axis=1
        )
        unit: NDArray[np.float64] = waves / np.linalg.norm(strengths)
        return unit
