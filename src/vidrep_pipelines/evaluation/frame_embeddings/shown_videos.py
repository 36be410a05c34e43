"""What the pictures of an evaluation show: videos, matches, neighbors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels, Ranks
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.alignment import dynamic_time_warping, nearest_frames
from vidrep_pipelines.evaluation.frame_embeddings.clock import FrameArrays
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig, ShownVideosConfig
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddedVideo, EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import squared_distances
from vidrep_pipelines.reporting.frame_alignment import Shown, alignment_frames, alignment_strip, same_phase
from vidrep_pipelines.reporting.frame_embeddings import (
    SimilarityMap,
    embedding_trajectories,
    retrieval_montage,
    similarity_heat_maps,
)


def choose_pair(
    labelled: LabelledVideos, embedded: Sequence[str], split: str, config: ShownVideosConfig
) -> tuple[str, str]:
    """Names of the query, which plays evenly, and of the key, whose frames are looked up.

    Args:
        labelled: The release.
        embedded: Videos that there are embeddings of.
        split: The split of the videos; where it has no two of an action, those of all splits are taken.
        config: The rule; by lengths the query is the longer one.

    Raises:
        ConfigurationError: A named video or action does not exist.
        InputError: No action has two videos.
    """
    usable = labelled.table[labelled.table["id"].isin(set(embedded))]
    if config.videos is not None:
        for name in config.videos:
            if name not in set(usable["id"]):
                raise ConfigurationError(
                    f"shown.videos: there is no video {name!r} with labels and embeddings, but for example "
                    f"{usable['id'].head(3).tolist()}."
                )
        return config.videos
    rows = _of_action(usable, split, config.action)
    if config.rule == "lengths":
        complete = rows[rows["absent_phases"].isna()]
        rows = complete if len(complete) > 1 else rows
        rows = rows.sort_values("frames", ascending=False, kind="stable").iloc[[0, -1]]
    query, key = rows["id"].iloc[:2].tolist()
    return query, key


def _of_action(videos: pd.DataFrame, split: str, action: str | None) -> pd.DataFrame:
    """The videos of the named action, or of the first one that has two, in the split if there are two."""
    if action is not None and action not in set(videos["action"]):
        raise ConfigurationError(
            f"shown.action: there is no {action!r}, only {sorted(set(videos['action']))}."
        )
    for rows in (videos[videos["split"] == split], videos):
        counts = rows["action"].value_counts(sort=False)
        names = [name for name in counts.index if counts[name] > 1 and action in (None, name)]
        if names:
            of_action: pd.DataFrame = rows[rows["action"] == names[0]]
            return of_action
    raise InputError(
        f"There are no two videos of {action or 'one action'} to be shown side by side. Remedy: name a pair "
        "in shown.videos."
    )


_UNIT_TEMPERATURE = 0.1
_BY_TIME = "same share of the time"


@dataclass(frozen=True, eq=False)
class ShownVideos:
    """Pictures of one release.

    Attributes:
        query: Name of the query of the pair that is shown side by side.
        key: Name of the key of the same pair.
        embeddings: Embeddings by encoder and video.
        labelled: The release.
        store: Frames of its videos.
        config: What is shown.
    """

    query: str
    key: str
    embeddings: Mapping[str, FrameArrays]
    labelled: LabelledVideos
    store: FrameStore
    config: PhasesConfig

    @classmethod
    def of(
        cls,
        labelled: LabelledVideos,
        embeddings: Mapping[str, FrameArrays],
        store: FrameStore,
        config: PhasesConfig,
    ) -> Self:
        """Chooses the pair.

        Raises:
            ConfigurationError: A named video or action does not exist.
            InputError: No action has two videos.
        """
        common = set.intersection(*(set(arrays.ids) for arrays in embeddings.values()))
        query, key = choose_pair(labelled, sorted(common), config.split, config.shown)
        return cls(query, key, embeddings, labelled, store, config)

    def film(self) -> NDArray[np.uint8]:
        """(T, H, W, 3) the query beside its matches: by time alone, and by the embeddings of each encoder."""
        shown = self.config.shown
        query, key = self._shown(self.query), self._shown(self.key)
        stride = -(-len(query) // shown.film_frames)
        pictures = alignment_frames(query, key, self._matches, stride=stride)
        return np.stack([np.asarray(picture) for picture in pictures])

    def strip(self) -> Image.Image:
        """The same as stills."""
        how = {"warping": "dynamic time warping", "nearest": "nearest frames"}[self.config.shown.match]
        columns = self.config.shown.strip_columns
        heading = f"A video and its matches in another one ({how})"
        return alignment_strip(
            self._shown(self.query), self._shown(self.key), self._matches, columns, heading
        )

    def heat_maps(self) -> Image.Image:
        """Distances of the pair's frames and how they are matched, for each encoder."""
        panels = []
        for encoder in self.embeddings:
            query, key = (self._embedded(encoder, name).embeddings for name in (self.query, self.key))
            unit = np.allclose(np.linalg.norm(query, axis=1), 1.0, atol=1e-3)
            match, temperature = self._matches[encoder], _UNIT_TEMPERATURE if unit else 1.0
            panels.append(SimilarityMap(encoder, squared_distances(query, key), match, temperature))
        return similarity_heat_maps(panels, (_short(self.query), _short(self.key)))

    def trajectories(self) -> Image.Image:
        """Paths of a few videos of the pair's action through the embeddings, for each encoder."""
        names = [self.query, self.key, *self._others(self.query, self.key)][: self.config.shown.trajectories]
        videos = {
            encoder: [self._embedded(encoder, name).embeddings for name in names]
            for encoder in self.embeddings
        }
        return embedding_trajectories(
            videos, [self.labelled.of(name) for name in names], [_short(name) for name in names]
        )

    def montage(self) -> Image.Image:
        """Frames of the query video and the nearest ones in other videos of its split and action."""
        query = self._shown(self.query)
        ranks = _middles(query.phases)[: self.config.shown.queries]
        queries = [(f"{query.name} {rank}", query.read(rank)) for rank in ranks]
        neighbors = {encoder: self._neighbors(encoder, query, ranks) for encoder in self.embeddings}
        return retrieval_montage(
            queries, neighbors, f"Nearest frames of other videos to those of {query.name}"
        )

    def _neighbors(
        self, encoder: str, query: Shown, ranks: list[int]
    ) -> list[list[tuple[str, Pixels, bool | None]]]:
        """For each of the query's frames the nearest ones: caption, frame, and whether it is right."""
        others = EmbeddingSet(tuple(self._embedded(encoder, name) for name in self._others(self.query)))
        gallery = others.strided(self.config.stride)
        distances = squared_distances(
            self._embedded(encoder, self.query).embeddings[ranks], gallery.stacked()[0]
        )
        rows = []
        for rank, row in zip(ranks, distances, strict=True):
            cells = []
            for video, column in islice(self._nearest(row, gallery), self.config.shown.neighbors):
                name, other = gallery.videos[video].id, column * self.config.stride
                answer = self._shown(name)
                right = same_phase(query, rank, answer, other)
                cells.append((f"{answer.name} {other}", answer.read(other), right))
            rows.append(cells)
        return rows

    def _nearest(self, distances: NDArray[np.float64], gallery: EmbeddingSet) -> Iterator[tuple[int, int]]:
        """Positions of videos and of their frames in the gallery, nearest first; ``distances`` (N,)."""
        ends = np.cumsum(gallery.lengths)
        if self.config.shown.one_per_video:
            parts = np.split(distances, ends[:-1])
            for video in np.argsort([part.min() for part in parts], kind="stable").tolist():
                yield video, int(parts[video].argmin())
        else:
            for column in np.argsort(distances, kind="stable").tolist():
                video = int(np.searchsorted(ends, column, side="right"))
                yield video, int(column - ends[video] + gallery.lengths[video])

    def _others(self, *without: str) -> list[str]:
        """Videos of the query's action that all encoders have embedded: of its split, or else of any."""
        table = self.labelled.table
        common = set.intersection(*(set(arrays.ids) for arrays in self.embeddings.values()))
        usable = table[table["id"].isin(common - {*without})]
        query = table[table["id"] == self.query].iloc[0]
        same = usable[usable["action"] == query["action"]]
        held_out = same[same["split"] == query["split"]]
        names: list[str] = (same if held_out.empty else held_out)["id"].tolist()
        return names

    @cached_property
    def _matches(self) -> dict[str, Ranks]:
        """By title, the frame of the key for every frame of the query."""
        query, key = len(self.labelled.of(self.query)), len(self.labelled.of(self.key))
        by_time = np.linspace(0, key - 1, query).round().astype(np.int64)
        return {_BY_TIME: by_time, **{encoder: self._match(encoder) for encoder in self.embeddings}}

    def _match(self, encoder: str) -> Ranks:
        query, key = (self._embedded(encoder, name).embeddings for name in (self.query, self.key))
        if self.config.shown.match == "nearest":
            return nearest_frames(query, key)
        return dynamic_time_warping(query, key).first_match()

    def _embedded(self, encoder: str, name: str) -> EmbeddedVideo:
        return EmbeddedVideo(name, self.embeddings[encoder].of(name), self.labelled.of(name))

    def _shown(self, name: str) -> Shown:
        def read(rank: int) -> Pixels:
            frame: Pixels = self.store.frames(name, [rank])[0]
            return frame

        return Shown(_short(name), read, self.labelled.of(name))


def _short(name: str) -> str:
    """Without the split, which all shown videos have in common."""
    return name.rpartition("/")[2]


def _middles(phases: NDArray[np.integer]) -> list[int]:
    """The middle frame of every phase, in the order in which they begin; of the video if it has no labels."""
    labels, first = np.unique(phases[phases >= 0], return_index=True)
    if not len(labels):
        return [len(phases) // 2]
    ordered = labels[np.argsort(first)]
    return [int(np.median(np.flatnonzero(phases == label))) for label in ordered]
