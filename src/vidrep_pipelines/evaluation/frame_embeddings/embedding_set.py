"""Embeddings of whole videos with the phase of every frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError, InputError


@dataclass(frozen=True)
class EmbeddedVideo:
    """One video.

    Attributes:
        id: Name of the video.
        embeddings: (T, D) floating point, one row per frame.
        phases: (T,) phase of each frame, from 0; negative where a frame is unlabelled.

    Raises:
        InputError: The shapes do not fit one another, the video is empty, or an embedding is not finite.
    """

    id: str
    embeddings: NDArray[np.floating]
    phases: NDArray[np.integer]

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or not len(self.embeddings):
            raise InputError(f"{self.id}: embeddings must be (T, D) with T > 0, not {self.embeddings.shape}.")
        if self.phases.shape != (len(self.embeddings),):
            raise InputError(
                f"{self.id}: {len(self.embeddings)} frames but {self.phases.size} phase labels. Remedy: "
                "extract the embeddings again, or label every frame (-1 where there is no label)."
            )
        if not np.isfinite(self.embeddings).all():
            frame = int(np.flatnonzero(~np.isfinite(self.embeddings).all(axis=1))[0])
            raise InputError(f"{self.id}: the embedding of frame {frame} is not finite.")

    def __len__(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True)
class EmbeddingSet:
    """Videos in a fixed order; subsets by fraction take the first ones.

    Attributes:
        videos: The videos.
    """

    videos: tuple[EmbeddedVideo, ...]

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def frames(self) -> int:
        """Frames of all videos together."""
        return sum(map(len, self.videos))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(V,) frames of each video."""
        return np.array([len(video) for video in self.videos], dtype=np.int64)

    def labelled(self) -> "EmbeddingSet":
        """Without unlabelled frames, and without the videos of which nothing is left."""
        kept = [(video, video.phases >= 0) for video in self.videos]
        return EmbeddingSet(
            tuple(
                EmbeddedVideo(video.id, video.embeddings[mask], video.phases[mask])
                for video, mask in kept
                if mask.any()
            )
        )

    def first(self, fraction: float, least: int = 1) -> "EmbeddingSet":
        """The first ``int(fraction * V)`` videos, but at least ``least``; ``fraction`` in (0, 1]."""
        if not 0 < fraction <= 1:
            raise ConfigurationError(f"A fraction of the videos must be in (0, 1], not {fraction}.")
        return EmbeddingSet(self.videos[: max(least, int(fraction * len(self)))])

    def strided(self, stride: int) -> "EmbeddingSet":
        """Every ``stride``-th frame of each video, from its first one on."""
        return EmbeddingSet(
            tuple(
                EmbeddedVideo(video.id, video.embeddings[::stride], video.phases[::stride])
                for video in self.videos
            )
        )

    def stacked(self) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
        """Embeddings (N, D) and phases (N,) of all frames, video after video.

        Raises:
            InputError: There is no video, or the embeddings differ in width.
        """
        if not self.videos:
            raise InputError(
                "There is no video with labels. Remedy: another split or action, or labels for its videos."
            )
        widths = {video.embeddings.shape[1] for video in self.videos}
        if len(widths) != 1:
            raise InputError(
                f"Embeddings of {len(self)} videos have widths {sorted(widths)}. Remedy: extract all of them "
                "with one model."
            )
        return (
            np.concatenate([video.embeddings for video in self.videos]),
            np.concatenate([video.phases for video in self.videos]),
        )


def split_by_length(
    embeddings: NDArray[np.floating],
    phases: NDArray[np.integer],
    lengths: Sequence[int] | NDArray[np.integer],
    ids: Sequence[str] | None = None,
) -> EmbeddingSet:
    """The set whose videos lie one after the other in ``embeddings`` (N, D) and ``phases`` (N,).

    Raises:
        InputError: The lengths do not add up to the number of rows.
    """
    ends = np.cumsum(lengths)
    if not len(ends) or ends[-1] != len(embeddings):
        raise InputError(f"Videos of {list(lengths)} frames do not make up {len(embeddings)} rows.")
    names = ids if ids is not None else [f"video_{number:04d}" for number in range(len(ends))]
    parts = zip(names, np.split(embeddings, ends[:-1]), np.split(phases, ends[:-1]), strict=True)
    return EmbeddingSet(tuple(EmbeddedVideo(*part) for part in parts))
