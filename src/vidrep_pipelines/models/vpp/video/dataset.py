"""Which clips the video model trains on: frames or latents of a view, and what the robot was told."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidrep_pipelines.common.arrays import IntArray, Ranks
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.clips.dataset import PackedStrings, Sample
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.codes import LATENTS
from vidrep_pipelines.data.frame_store.manifest import segment_table
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.video.mixture import (
    ClipDraw,
    ClipRule,
    MixtureConfig,
    draw_clip,
    draw_published_clip,
)
from vidrep_pipelines.models.vpp.video.other_views import OtherViews

Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
"""Texts to ids and mask, (B, L) int64 each."""


class ClipPlace(NamedTuple):
    """Where a clip is."""

    view: int
    """Position of the view in the store."""
    frames: Ranks
    """(F,) its frames."""
    text: str
    """The instruction."""


class RobotClips:
    """All clips of one data set in a store, numbered through in the order of the episodes' names.

    An episode with several instructions is cut at them: each stretch is treated as an episode of its own.

    Args:
        name: Name of the data set, which the store calls the robot.
        store: The views that may be used.
        views: Rows of the store's table that belong to the data set, with their ``position`` in the store.
        rule: How stretches are cut into clips.
        camera_shares: Probabilities of the cameras, in the order of their numbers.

    Raises:
        InputError: An episode has no instruction.
        ConfigurationError: There are fewer cameras than probabilities, or no clip at all.
    """

    def __init__(
        self,
        name: str,
        store: FrameStore,
        views: pd.DataFrame,
        rule: ClipRule,
        camera_shares: tuple[float, ...],
    ) -> None:
        self.name, self.camera_shares, self._rule = name, camera_shares, rule
        episodes = _episodes(views, len(camera_shares))
        if (episodes.views[:, -1] < 0).all():
            raise ConfigurationError(
                f"{name} in {store.folder} has fewer cameras than the {len(camera_shares)} that "
                f"mixture.cameras has probabilities for. Remedy: set mixture.cameras.{name}."
            )
        self._views, self._names = episodes.views, PackedStrings(episodes.names)
        stretches = _stretches(name, store, views, episodes)
        self._episode, self._first, self._frames = (
            stretches[column].to_numpy(np.int64) for column in ("episode", "first", "frames")
        )
        self._texts = PackedStrings(stretches["text"])
        self._ends = np.cumsum(rule.counts(self._frames))
        if not self.clips:
            raise ConfigurationError(
                f"{name} in {store.folder} has no clip: {rule!r} leaves nothing of episodes of "
                f"{self._frames.min()} to {self._frames.max()} frames. Remedy: set mixture.rules.{name}."
            )

    @property
    def clips(self) -> int:
        """Number of clips."""
        return int(self._ends[-1])

    def place(self, clip: int, camera: int, length: int) -> ClipPlace:
        """Where a clip is; seen by the first camera if the episode lacks the one asked for.

        Args:
            clip: Number of the clip.
            camera: Number of the camera, in the order of ``camera_shares``.
            length: Frames of a clip.
        """
        stretch, number = self._find(clip)
        frames = self._rule.frame_ids(int(self._frames[stretch]), number, length)
        views = self._views[self._episode[stretch]]
        view = views[camera] if views[camera] >= 0 else views[views >= 0][0]
        return ClipPlace(int(view), self._first[stretch] + frames, self._texts[stretch])

    def describe(self, clip: int) -> str:
        """Episode and first frame of a clip, for messages."""
        stretch, number = self._find(clip)
        first = self._first[stretch] + self._rule.frame_ids(int(self._frames[stretch]), number, 1)[0]
        return f"{self.name} {self._names[int(self._episode[stretch])]}, from frame {first}"

    def _find(self, clip: int) -> tuple[int, int]:
        """The stretch that a clip is in, and its number there."""
        if not 0 <= clip < self.clips:
            raise IndexError(f"{clip} is out of range for {self.clips} clips")
        stretch = int(np.searchsorted(self._ends, clip, side="right"))
        return stretch, clip - (int(self._ends[stretch - 1]) if stretch else 0)


class _Episodes(NamedTuple):
    names: list[str]
    """E names of trajectories, sorted."""
    views: IntArray
    """(E, V) positions of their views, by camera; -1 where there is none."""
    frames: IntArray
    """(E,) frames that all of these views have."""


def _episodes(views: pd.DataFrame, cameras: int) -> _Episodes:
    views = views.sort_values(["trajectory", "camera"])
    numbers, names = pd.factorize(views["trajectory"], sort=True)
    ranks = views.groupby("trajectory").cumcount().to_numpy()
    used = ranks < cameras
    positions = np.full((len(names), cameras), -1, np.int64)
    positions[numbers[used], ranks[used]] = views["position"].to_numpy(np.int64)[used]
    frames = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(frames, numbers[used], views["frames"].to_numpy(np.int64)[used])
    return _Episodes(list(names), positions, frames)


def _stretches(name: str, store: FrameStore, views: pd.DataFrame, episodes: _Episodes) -> pd.DataFrame:
    """One row per instruction of every episode: number of the episode, first, frames, text."""
    number_of = dict(zip(episodes.views[:, 0].tolist(), range(len(episodes.names)), strict=True))
    first_views = views[views["position"].isin(number_of.keys())]
    table = segment_table(first_views)
    number_by_id = dict(zip(first_views["id"], first_views["position"].map(number_of), strict=True))
    table = table.assign(episode=table["id"].map(number_by_id))
    silent = sorted(set(range(len(episodes.names))) - set(table["episode"]))
    if silent:
        others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        raise InputError(
            f"{store.folder}: the episode {episodes.names[silent[0]]!r} of {name}{others} has no "
            "instruction. Remedy: add it where the episode comes from, or leave the episode out, and ingest "
            "again."
        )
    end = np.minimum(table["end"], episodes.frames[table["episode"].to_numpy(np.int64)])
    table = table.assign(frames=end - table["first"])
    return table[table["frames"] > 0].sort_values(["episode", "first"], kind="stable", ignore_index=True)


class MixedClips(Dataset[Sample]):
    """Clips of several data sets, each item drawn anew from (seed, epoch, index).

    Args:
        store: The views of the split that is used.
        latents: Latents of their frames; none: items hold the frames themselves.
        length: Frames F of a clip.
        mixture: Data sets, shares, rules, cameras.
        tokenize: What makes ids of an instruction.
        seed: Seed of the run.
        others: The other cameras of every view, if items hold what one of them saw.

    Raises:
        ConfigurationError: A data set of the mixture is not in the store, or has no clip.
        InputError: An episode has no instruction.
    """

    def __init__(
        self,
        store: FrameStore,
        latents: FrameArrayStore | None,
        length: int,
        mixture: MixtureConfig,
        tokenize: Tokenize,
        seed: int,
        others: OtherViews | None = None,
    ) -> None:
        self._others = others
        self._store, self._latents, self._length = store, latents, length
        self._tokenize, self._seed, self._published = tokenize, seed, mixture.published_indexing
        shares = np.array(list(mixture.shares.values()))
        self._shares = shares / shares.sum()
        table = store.table
        table = table.assign(position=np.arange(len(table)))
        self.datasets = [_clips_of(name, store, table, mixture) for name in mixture.shares]
        self._offsets = np.cumsum([0, *(dataset.clips for dataset in self.datasets)])

    def __len__(self) -> int:
        """The published length: as many items as the data set with the most clips has."""
        return max(dataset.clips for dataset in self.datasets)

    def draw(self, epoch: int, index: int) -> ClipDraw:
        """What the item at (epoch, index) is made of.

        Raises:
            IndexError: There is no such item.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is out of range for {len(self)} items")
        if self._published:
            random = np.random.RandomState(seed_for(self._seed, epoch, index, "mixture") % 2**32)
            return draw_published_clip(self.datasets, self._shares, index, random)
        return draw_clip(self.datasets, self._shares, generator_for(self._seed, epoch, index, "mixture"))

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Makes the item at ``(epoch, index)``.

        Returns:
            ``latents`` (F, C, h, w) float32 or ``frames`` (F, 3, H, W) uint8; ``ids`` and ``mask`` (L,);
            ``seed`` of its noise; ``index``, the number of the clip among those of all data sets; with other
            cameras ``other_camera`` (3, H, W) uint8, what one of them saw at the clip's first frame.

        Raises:
            IndexError: There is no such item.
            InputError: A file is damaged, latents are of another codec, or a word is unknown.
        """
        epoch, index = map(int, position)
        draw = self.draw(epoch, index)
        place = self.datasets[draw.dataset].place(draw.clip, draw.camera, self._length)
        ids, mask = self._tokenize([place.text])
        seed = torch.tensor(seed_for(self._seed, epoch, index, "loss"), dtype=torch.int64)
        number = int(self._offsets[draw.dataset]) + draw.clip
        item = {**self._pictures(place), "ids": ids[0], "mask": mask[0], "seed": seed, "index": number}
        if self._others is not None:
            random = generator_for(self._seed, epoch, index, "other camera")
            item["other_camera"] = self._others.picture(place.view, int(place.frames[0]), random)
        return item

    def _pictures(self, place: ClipPlace) -> dict[str, Tensor]:
        if self._latents is None:
            pixels = self._store.frames_at(place.view, place.frames)
            return {"frames": torch.tensor(pixels).permute(0, 3, 1, 2)}
        values = self._latents.array_at(LATENTS, place.view, place.frames)
        return {"latents": torch.from_numpy(values).float()}

    def frames(self, epoch: int, index: int) -> tuple[Tensor, str]:
        """The frames (F, 3, H, W) uint8 and the instruction of an item, also where items hold latents."""
        draw = self.draw(epoch, index)
        place = self.datasets[draw.dataset].place(draw.clip, draw.camera, self._length)
        return torch.tensor(self._store.frames_at(place.view, place.frames)).permute(0, 3, 1, 2), place.text

    def name(self, number: int) -> str:
        """Data set, episode and first frame of a clip by its number among all, for messages."""
        dataset = int(np.searchsorted(self._offsets, number, side="right")) - 1
        return self.datasets[dataset].describe(number - int(self._offsets[dataset]))


def other_pictures(batch: Mapping[str, Any]) -> Tensor | None:
    """What other cameras saw in a batch of :class:`MixedClips`, (B, 3, H, W) in 0..1; None without them."""
    return batch["other_camera"].float() / 255 if "other_camera" in batch else None


def _clips_of(name: str, store: FrameStore, table: pd.DataFrame, mixture: MixtureConfig) -> RobotClips:
    views = table[table["robot"] == name]
    if views.empty:
        raise ConfigurationError(
            f"mixture.datasets names {name!r}, which is not in {store.folder}; there are "
            f"{sorted(set(table['robot']))}. Remedy: correct the name, or ingest the data set."
        )
    return RobotClips(name, store, views, mixture.rule(name), mixture.camera_shares(name))


def clip_latents(
    folder: Path, store: FrameStore, channels: int, model_digest: str | None = None
) -> FrameArrayStore:
    """The latents of a store's frames, for a model of so many channels.

    Args:
        folder: Where they are.
        store: The frames.
        channels: Latent channels of the model.
        model_digest: The codec that must have made them. None: any.

    Raises:
        InputError: There are no latents, or another codec made them.
        ConfigurationError: They do not fit the model.
    """
    arrays = FrameArrayStore(folder, store)
    spec = arrays.specs.get(LATENTS)
    if spec is None:
        raise InputError(f"{folder} has no array {LATENTS!r}. Remedy: extract the latents again.")
    if len(spec.shape) != 3 or spec.shape[0] != channels:
        raise ConfigurationError(
            f"{folder} has latents {spec.shape}, but the model takes {channels} channels. Remedy: set "
            "model.unet.latent_channels to what the codec makes, or use another codec."
        )
    return arrays.requiring([spec], model_digest)
