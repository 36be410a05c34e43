"""What learned embeddings have to beat: chance, pixels, and (in ``clock``) the time that has passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.data.labelled_videos.inserted_pause import InsertedPause, InsertedPauseConfig
from vidrep_pipelines.evaluation.frame_embeddings.clock import FrameArrays

_WIDTH = 8


class StoredFrames(Protocol):
    """The frames of many videos, such as a frame store's."""

    @property
    def ids(self) -> Sequence[str]:
        """Names of the videos."""

    @property
    def content_digest(self) -> str:
        """Changes when the frames do."""

    def frames(self, view: str) -> NDArray[np.uint8]:
        """(T, H, W, 3) of a video."""


@dataclass(frozen=True, eq=False)
class Chance:
    """Noise of unit length that knows neither picture nor time.

    A classifier can but learn which phase is the longest.

    Attributes:
        labelled: The videos.
    """

    labelled: LabelledVideos

    @property
    def ids(self) -> list[str]:
        """All videos."""
        return self.labelled.ids

    @property
    def content_digest(self) -> str:
        """The noise is always the same."""
        return f"chance-{_WIDTH}"

    def of(self, video: str) -> NDArray[np.float64]:
        """(T, 8)."""
        noise = generator_for("chance", video).standard_normal((len(self.labelled.of(video)), _WIDTH))
        unit: NDArray[np.float64] = noise / np.linalg.norm(noise, axis=1, keepdims=True)
        return unit


@dataclass(frozen=True, eq=False)
class FramePixels:
    """Small pictures, less the mean picture of their video, so that a background that stays says nothing.

    Attributes:
        store: The frames.
        side: Height and width of the small pictures.
        pause: Inserted into every video. It changes the mean picture and nothing else.
    """

    store: StoredFrames
    side: int
    pause: InsertedPauseConfig | None = None

    @property
    def ids(self) -> Sequence[str]:
        """All videos of the store."""
        return self.store.ids

    @property
    def content_digest(self) -> str:
        """Changes with the frames and the size."""
        return f"pixels-{self.side}-{self.pause}-{self.store.content_digest}"

    def of(self, video: str) -> NDArray[np.float64]:
        """(T, 3 * side * side), where 1 is the range of a pixel."""
        frames = self.store.frames(video)
        small = np.stack([resize_frame(frame, self.side, self.side) for frame in frames]) / 255
        pixels = small.reshape(len(small), -1)
        shown = pixels if self.pause is None else pixels[InsertedPause.of(len(pixels), self.pause).ranks]
        centered: NDArray[np.float64] = pixels - shown.mean(axis=0)
        return centered


@dataclass(frozen=True, eq=False)
class OneEncoder:
    """The embeddings of one of several encoders that are kept together, as ``<encoder>/<video>``.

    Attributes:
        embeddings: Those of all encoders.
        encoder: The encoder.
    """

    embeddings: FrameArrays
    encoder: str

    @property
    def ids(self) -> list[str]:
        """The videos that it has embedded."""
        start = f"{self.encoder}/"
        return [name.removeprefix(start) for name in self.embeddings.ids if name.startswith(start)]

    @property
    def content_digest(self) -> str:
        """That of all of them."""
        return f"{self.encoder}-{self.embeddings.content_digest}"

    def of(self, video: str) -> NDArray[np.floating]:
        """(T, D) of a video."""
        return self.embeddings.of(f"{self.encoder}/{video}")
