"""Which samples CARL trains on: two excerpts of a long video, and its frames' labels where there are any."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vidrep_pipelines.common.arrays import Pixels, Ranks
from vidrep_pipelines.common.errors import ConfigurationError, InputError, VidrepError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.data.tables.mapped_table import MappedTable, write_mapped_table
from vidrep_pipelines.models.carl.augmentation import AugmentationDraw, augment_exactly, draw_augmentation
from vidrep_pipelines.models.carl.config import CarlDataConfig
from vidrep_pipelines.models.carl.excerpt_sampling import Excerpt, sample_excerpts
from vidrep_pipelines.models.carl.video_source import VideoSource, cut_and_resize

_SCHEMA = pa.schema(
    [("id", pa.large_string()), ("action", pa.large_string()), ("labels", pa.large_list(pa.int16()))]
)


def write_frame_labels(videos: LabelledVideos, directory: Path) -> Path:
    """Writes ``directory/labels.arrow``, unless it holds these labels already, and returns its path."""
    columns = [
        pa.array(videos.ids, _SCHEMA.field("id").type),
        pa.array(videos.table["action"].tolist(), _SCHEMA.field("action").type),
        pa.array([labels.tolist() for labels in videos.labels], _SCHEMA.field("labels").type),
    ]
    path, table = directory / "labels.arrow", pa.Table.from_arrays(columns, schema=_SCHEMA)
    write_mapped_table(path, _SCHEMA, table.to_batches)
    return path


class FrameLabelRows(MappedTable):
    """The table, as access by id.

    Args:
        path: A file written by :func:`write_frame_labels`.
    """

    schema = _SCHEMA
    content = "frame labels"

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.table["id"].to_pylist())}

    def labels(self, name: str, length: int) -> NDArray[np.int64]:
        """(L,) labels of a video of L frames.

        Raises:
            InputError: The video has no labels, or another number of them.
        """
        labels = self.table["labels"][self._position(name)].values.to_numpy()
        if len(labels) != length:
            raise InputError(
                f"{name} has {length} frames but {len(labels)} labels in {self.path}. "
                "Remedy: ingest it again."
            )
        return np.asarray(labels, np.int64)

    def action(self, name: str) -> str:
        """Action of a video."""
        return str(self.table["action"][self._position(name)].as_py())

    def _position(self, name: str) -> int:
        if name not in self._positions:
            raise InputError(f"{self.path} has no labels of {name}. Remedy: ingest the labels again.")
        return self._positions[name]


_FRAMES_AT_ONCE = 32
_MOST_REPLACEMENTS = 8
_BAD_VIDEO = (VidrepError, OSError, IndexError)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _FilledExcerpt:
    """An excerpt, the draw of its augmentation and its pixels."""

    excerpt: Excerpt
    draw: AugmentationDraw
    pixels: Tensor


class ExcerptDataset(Dataset[Sample]):
    """Samples of one or more videos with one or more excerpts each.

    A video that cannot be read is replaced by another one that follows from (seed, epoch, index) alone.

    Args:
        videos: The videos.
        data: Sampling and augmentation.
        size: Side S of the frames that the model takes.
        seed: Seed of the run.
        labels: Labels and actions; needed for samples of several videos and for supervised training.

    Raises:
        InputError: There are no videos.
        ConfigurationError: Samples of several videos, but no labels to tell which ones belong together.
    """

    def __init__(
        self,
        videos: VideoSource,
        data: CarlDataConfig,
        size: int,
        seed: int = 0,
        labels: FrameLabelRows | None = None,
    ) -> None:
        if not len(videos):
            raise InputError("There are no videos to train on.")
        if data.videos_per_sample > 1 and labels is None:
            raise ConfigurationError(
                f"data.videos_per_sample is {data.videos_per_sample}, but there are no labels that tell "
                "which videos show the same action."
            )
        self._videos, self._data, self._size, self._seed, self._labels = videos, data, size, seed, labels

    def __len__(self) -> int:
        return max(1, int(self._data.fraction * len(self._videos)))

    def name(self, index: int) -> str:
        """Id of a video, for messages."""
        return self._videos.name(index)

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Makes the sample at ``(epoch, index)``.

        Returns:
            ``frames`` (V, K * T, 3, S, S), uint8, or normalized floats if augmented exactly; ``colors``
            (V, 10), changes of color that are still to be made; ``positions`` and ``mask`` (V, T);
            ``lengths`` (V,); ``labels`` (V, T), -1 throughout if there are none; ``index``; ``replaced``.
            The excerpts of a video follow one another.

        Raises:
            IndexError: There is no such video.
            InputError: The video and all its replacements are bad; the message lists them.
        """
        epoch, index = map(int, position)
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is out of range for {len(self)} videos")
        failures: list[str] = []
        for attempt in range(_MOST_REPLACEMENTS + 1):
            draw = (self._seed, epoch, index)
            used = seed_for(*draw, "replacement", attempt) % len(self) if attempt else index
            try:
                sample = self._sample(used, generator_for(*draw, attempt))
                return {**sample, "index": used, "replaced": attempt}
            except _BAD_VIDEO as error:
                failures.append(f"{self.name(used)}: {error}")
                log.warning("A video is replaced by another one. %s", failures[-1])
        raise InputError(f"{len(failures)} videos in a row could not be used.\n" + "\n".join(failures))

    def _sample(self, index: int, rng: np.random.Generator) -> Sample:
        indices = [index, *self._companions(index, rng)]
        excerpts = [(video, excerpt) for video in indices for excerpt in self._excerpts(video, rng)]
        return {
            "frames": torch.stack([excerpt.pixels for _, excerpt in excerpts]),
            "colors": torch.stack([excerpt.draw.colors.tensor() for _, excerpt in excerpts]),
            "positions": torch.from_numpy(np.stack([excerpt.excerpt.positions for _, excerpt in excerpts])),
            "mask": torch.from_numpy(np.stack([excerpt.excerpt.mask for _, excerpt in excerpts])),
            "lengths": torch.tensor([self._videos.length(video) for video, _ in excerpts]),
            "labels": torch.from_numpy(
                np.stack([self._excerpt_labels(video, excerpt.excerpt) for video, excerpt in excerpts])
            ),
        }

    @cached_property
    def _by_action(self) -> dict[str, list[int]]:
        assert self._labels is not None
        groups: dict[str, list[int]] = {}
        for index in range(len(self)):
            groups.setdefault(self._labels.action(self.name(index)), []).append(index)
        return groups

    def _companions(self, index: int, rng: np.random.Generator) -> list[int]:
        """Other videos of the same action, all different."""
        count = self._data.videos_per_sample - 1
        if not count or self._labels is None:
            return []
        action = self._labels.action(self.name(index))
        others = [other for other in self._by_action[action] if other != index]
        if len(others) < count:
            raise InputError(f"{action!r} has {len(others) + 1} videos, a sample takes {count + 1}.")
        return [int(other) for other in rng.choice(others, count, replace=False)]

    def _excerpts(self, video: int, rng: np.random.Generator) -> list[_FilledExcerpt]:
        """All excerpts of a video; a frame that several of them want is read once."""
        excerpts = sample_excerpts(self._videos.length(video), self._data.sampling, rng)
        wanted = np.unique(np.concatenate([excerpt.frames for excerpt in excerpts]))
        first = self._videos.read(video, wanted[:_FRAMES_AT_ONCE])
        height, width = first.shape[1:3]
        filled = [self._empty_excerpt(excerpt, height, width, rng) for excerpt in excerpts]
        for start in range(0, len(wanted), _FRAMES_AT_ONCE):
            ranks = wanted[start : start + _FRAMES_AT_ONCE]
            pictures = first if start == 0 else self._videos.read(video, ranks)
            for excerpt in filled:
                self._fill(excerpt, ranks, pictures)
        return filled

    def _empty_excerpt(
        self, excerpt: Excerpt, height: int, width: int, rng: np.random.Generator
    ) -> _FilledExcerpt:
        draw = draw_augmentation(height, width, self._data.augmentation, rng)
        kind = torch.float32 if self._data.augmentation.exact else torch.uint8
        return _FilledExcerpt(
            excerpt, draw, torch.empty(len(excerpt.frames), 3, self._size, self._size, dtype=kind)
        )

    def _fill(self, filled: _FilledExcerpt, ranks: Ranks, pictures: Pixels) -> None:
        """Cuts and resizes the frames that the excerpt wants of these."""
        wanted = np.isin(ranks, filled.excerpt.frames)
        if not wanted.any():
            return
        cut = self._augmented(pictures if wanted.all() else pictures[wanted], filled.draw)
        places = np.flatnonzero(np.isin(filled.excerpt.frames, ranks))
        which = np.searchsorted(ranks[wanted], filled.excerpt.frames[places])
        filled.pixels[torch.from_numpy(places)] = cut[torch.from_numpy(which)]

    def _augmented(self, pictures: Pixels, draw: AugmentationDraw) -> Tensor:
        config = self._data.augmentation
        if not config.exact:
            return cut_and_resize(pictures, draw.crop, self._size, draw.flip)
        return augment_exactly(
            pictures,
            draw,
            self._size,
            blur_times=config.blur_times,
            colors_first=config.jitter_probability is None,
        )

    def _excerpt_labels(self, video: int, excerpt: Excerpt) -> Ranks:
        if self._labels is None:
            return np.full(len(excerpt.positions), -1)
        return self._labels.labels(self.name(video), self._videos.length(video))[excerpt.positions]
