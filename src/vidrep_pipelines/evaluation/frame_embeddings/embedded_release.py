"""Embeddings of a release, by several encoders, joined with its labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.clock import FrameArrays
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddedVideo, EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import NearestFrames, find_nearest
from vidrep_pipelines.evaluation.frame_embeddings.scores import Dropped


@dataclass(frozen=True, eq=False)
class ActionVideos:
    """The videos of one action, as the tasks take them: labelled frames only, in the published order.

    What several tasks need is computed when the first one asks for it.

    Attributes:
        name: The action's name.
        classes: Number of its labels.
        train: Training videos.
        validation: Videos that are measured.
        config: Strides and numbers of neighbors.
    """

    name: str
    classes: int
    train: EmbeddingSet
    validation: EmbeddingSet
    config: PhasesConfig

    @cached_property
    def nearest(self) -> NearestFrames:
        """Neighbors among the measured videos."""
        return find_nearest(self.validation, self.config.stride, max(self.config.neighbors))

    @cached_property
    def nearest_train(self) -> NearestFrames:
        """Neighbors among the training videos."""
        return find_nearest(self.train, self.config.stride)


@dataclass(frozen=True, eq=False)
class EmbeddedRelease:
    """The labelled videos that every encoder has embedded, with the embeddings of one encoder.

    Attributes:
        table: One row per video, see ``VIDEO_COLUMNS``.
        videos: The embedded videos, in the order of the table.
        config: Splits, strides.
    """

    table: pd.DataFrame
    videos: EmbeddingSet
    config: PhasesConfig

    @classmethod
    def of(
        cls, labelled: LabelledVideos, embeddings: FrameArrays, kept: set[str], config: PhasesConfig
    ) -> Self:
        """Reads the embeddings of the videos to be kept.

        Raises:
            InputError: Labels and embeddings of a video do not fit one another.
        """
        names = labelled.ids
        numbers = [number for number, name in enumerate(names) if name in kept]
        videos = tuple(
            EmbeddedVideo(names[number], embeddings.of(names[number]), labelled.labels[number])
            for number in numbers
        )
        return cls(labelled.table.iloc[numbers].reset_index(drop=True), EmbeddingSet(videos), config)

    @cached_property
    def actions(self) -> list[ActionVideos]:
        """The videos of every action, in the order of the table."""
        names = list(dict.fromkeys(self.table["action"]))
        return [
            ActionVideos(
                name,
                int(self.table.loc[self.table["action"] == name, "classes"].max()),
                self.split(self.config.train_split, name).labelled(),
                self.split(self.config.split, name).labelled(),
                self.config,
            )
            for name in names
        ]

    def split(self, split: str, action: str | None = None) -> EmbeddingSet:
        """The videos of a split, of an action."""
        return EmbeddingSet(tuple(self.videos.videos[number] for number in self._rows(split, action)))

    def actions_of(self, split: str) -> NDArray[np.str_]:
        """(V,) the action of every video of a split."""
        return self.table.iloc[self._rows(split, None)]["action"].to_numpy(np.str_)

    def _rows(self, split: str, action: str | None) -> NDArray[np.intp]:
        mask = (self.table["split"] == split).to_numpy(bool)
        if action is not None:
            mask &= (self.table["action"] == action).to_numpy(bool)
        return np.flatnonzero(mask)


def join_releases(
    labelled: LabelledVideos, encoders: Mapping[str, FrameArrays], config: PhasesConfig
) -> tuple[dict[str, EmbeddedRelease], list[Dropped]]:
    """Joins labels with the embeddings of several encoders.

    Args:
        labelled: The release.
        encoders: Embeddings by the encoder's name.
        config: The splits to use.

    Returns:
        By encoder, the videos that all of them have embedded, so that differences are of the same videos;
        and the others.

    Raises:
        InputError: A split has no video that every encoder has embedded, or labels and embeddings of a
            video do not fit one another.
    """
    used = labelled.table[labelled.table["split"].isin([config.train_split, config.split])]
    actions = dict(zip(used["id"], used["action"], strict=True))
    dropped = [
        Dropped("embeddings", encoder, actions[video], video, "it has no embeddings; their manifest says why")
        for encoder, embeddings in encoders.items()
        for video in sorted(actions.keys() - set(embeddings.ids))
    ]
    kept = set(actions) - {item.item for item in dropped}
    for split in (config.train_split, config.split):
        if not kept.intersection(used.loc[used["split"] == split, "id"]):
            present = labelled.table["split"].value_counts().to_dict()
            raise InputError(
                f"No video of the split {split!r} has embeddings by {', '.join(encoders)}; labelled are "
                f"{present}. Remedy: another split in the parameters, or run the extraction again."
            )
    releases = {
        name: EmbeddedRelease.of(labelled, embeddings, kept, config) for name, embeddings in encoders.items()
    }
    return releases, dropped
