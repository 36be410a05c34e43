"""Plans the shards of a store: which views of which prepared episodes go where."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.suggestions import warn_of_absent
from vidrep_pipelines.common.text import composed, folder_name
from vidrep_pipelines.data.frame_store.config import SPLITS, FramesConfig, FrameStoreConfig, SelectionConfig
from vidrep_pipelines.data.frame_store.episode import view_name
from vidrep_pipelines.data.frame_store.shard import FORMAT_VERSION, SHARD_SUFFIX, rule_attribute
from vidrep_pipelines.data.frame_store.split import split_views


@dataclass(frozen=True)
class PixelStatistics:
    """Statistics per color channel of pixels in 0..1.

    Attributes:
        mean: Red, green, blue.
        std: Population standard deviation of the same.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def pixel_statistics(sums: Iterable[NDArray[np.int64]], pixels: int) -> PixelStatistics:
    """Puts together the sums of many views.

    Args:
        sums: (2, 3) per view, see :func:`~vidrep_pipelines.data.frame_store.shard.pixel_sums`.
        pixels: Number of pixels of all of them.

    Raises:
        InputError: There are no pixels.
    """
    if pixels == 0:
        raise InputError("There are no frames, so they have no mean. Remedy: select other views.")
    # Python's integers: the squares of a whole data set do not fit in 64 bits.
    total, squares = [0, 0, 0], [0, 0, 0]
    for view, view_squares in (pair.tolist() for pair in sums):
        total = [a + b for a, b in zip(total, view, strict=True)]
        squares = [a + b for a, b in zip(squares, view_squares, strict=True)]
    means = [Fraction(value, pixels) for value in total]
    variances = [Fraction(square, pixels) - mean**2 for square, mean in zip(squares, means, strict=True)]
    return PixelStatistics(
        tuple(float(mean / 255) for mean in means),
        tuple(sqrt(variance) / 255 for variance in variances),
    )


_log = logging.getLogger(__name__)

_MEBIBYTE = 2**20


@dataclass(frozen=True)
class Member:
    """A prepared episode in a shard.

    Attributes:
        path: The episode's file.
        rows: Which of its views are taken, ascending.
        checksum: Digest of the file as it was written; none for one of an earlier version of the project.
    """

    path: Path
    rows: tuple[int, ...]
    checksum: str | None = None


@dataclass(frozen=True)
class ShardRequest:
    """What assembling one shard needs.

    Attributes:
        id: Path without suffix, such as ``train/robonet_train_00000``.
        split: Which split it belongs to.
        members: What is in it, in the order of the file.
        attributes: What the file says about itself.
        size: Height and width of the frames.
        digest: Changes with the content of the members and with everything else.
    """

    id: str
    split: str
    members: tuple[Member, ...]
    attributes: Mapping[str, Any] = field(hash=False)
    size: tuple[int, int]
    digest: str


def view_table(episodes: pd.DataFrame) -> pd.DataFrame:
    """One row per view of the prepared episodes.

    Args:
        episodes: Manifest of the preparation: id, status, digest, checksums, robot, view_facts, stated_split.

    Returns:
        Columns id, trajectory, robot, camera, frames, row (position in the episode's file), digest (of the
        episode), checksum (of its file), pixel_sums, stated_split (null where the source states none), and
        film (its bytes, null where frames are stored one by one) if there are any; sorted by trajectory and
        row.

    Raises:
        InputError: No episode could be prepared.
    """
    ok = episodes[episodes["status"] == "ok"] if "view_facts" in episodes else episodes.head(0)
    if ok.empty:
        raise InputError(
            f"None of {len(episodes)} episodes could be prepared; the table of failures in the log says why."
        )
    columns = ["id", "robot", "digest", "checksums", "stated_split"]
    names = {"id": "trajectory", "checksums": "checksum"}
    shared = ok.reindex(columns=columns).rename(columns=names).astype(object).to_dict("records")
    rows = [
        {**episode, "row": row, **facts}
        for episode, text in zip(shared, ok["view_facts"], strict=True)
        for row, facts in enumerate(json.loads(text))
    ]
    table = pd.DataFrame(rows).sort_values(["trajectory", "row"], ignore_index=True)
    views = zip(table["trajectory"], table["camera"], strict=True)
    return table.assign(id=[view_name(*view) for view in views])


def plan_shards(
    episodes: pd.DataFrame,
    folder: Path,
    frames: FramesConfig,
    config: FrameStoreConfig,
    others: Mapping[str, FramesConfig] = MappingProxyType({}),
) -> list[ShardRequest]:
    """Selects views, deals them to the splits, and packs each split into shards.

    Args:
        episodes: Manifest of the preparation.
        folder: Where the prepared episodes are.
        frames: How they were prepared.
        config: The store.
        others: How those of some robots were prepared, where that is different: their shards may hold frames
            of another size, so that robots need shards of their own.

    Raises:
        InputError: No episode could be prepared.
        ConfigurationError: The selection leaves nothing, the split leaves nothing to train on, or robots are
            prepared differently and share shards.
    """
    if others and not config.separate_robots:
        raise ConfigurationError(
            f"store.separate_robots is off, but {', '.join(sorted(others))} have frames of their own rule or "
            "size. Remedy: turn it on."
        )
    views = select_views(view_table(episodes), config.selection)
    views = views.assign(split=split_views(views, config.split))
    statistics = train_statistics(views, frames, others)
    requests: list[ShardRequest] = []
    for split in SPLITS:
        of_split = views[views["split"] == split]
        robots = of_split.groupby("robot", sort=True) if config.separate_robots else [("", of_split)]
        for robot, rows in robots:
            own = others.get(str(robot), frames)
            attributes = {**_attributes(split, config, statistics), **rule_attribute(own)}
            prefix = f"{config.name}_{folder_name(str(robot))}" if robot else config.name
            for number, group in enumerate(_pack(rows, own, config.shard_mebibytes * _MEBIBYTE)):
                name = f"{split}/{prefix}_{split}_{number:05d}"
                requests.append(_request(name, split, group, folder, attributes, (own.height, own.width)))
    return requests


def select_views(views: pd.DataFrame, selection: SelectionConfig) -> pd.DataFrame:
    """The rows of the selected robots and cameras.

    Raises:
        ConfigurationError: There are none; the message says what there is.
    """
    kept = np.ones(len(views), bool)
    warn_of_absent("selection.robots", selection.robots, set(views["robot"]))
    warn_of_absent("selection.cameras", selection.cameras, set(views["camera"]))
    if selection.robots:
        kept &= views["robot"].map(composed).isin([composed(robot) for robot in selection.robots]).to_numpy()
    if selection.cameras:
        kept &= views["camera"].isin(selection.cameras).to_numpy()
    if not kept.any():
        raise ConfigurationError(
            f"selection: no view is of the robots {selection.robots or 'all'} and the cameras "
            f"{selection.cameras or 'all'}. There are the robots {sorted(set(views['robot']))} and the "
            f"cameras {sorted(set(views['camera']))}."
        )
    return views[kept].reset_index(drop=True)


def train_statistics(
    views: pd.DataFrame, frames: FramesConfig, others: Mapping[str, FramesConfig] = MappingProxyType({})
) -> PixelStatistics:
    """Statistics of the pixels of the training split; of all if nothing is trained on.

    Args:
        views: Columns robot, split, frames and pixel_sums.
        frames: How the frames were prepared.
        others: The same for some robots, where it differs.
    """
    train = views[views["split"] == "train"]
    if train.empty:  # sources state their splits, and these are of others
        _log.warning("Nothing in the store is in the split 'train': its statistics are those of all pixels.")
        train = views
    pixels = 0
    for robot, count in train.groupby("robot")["frames"].sum().items():
        own = others.get(str(robot), frames)
        pixels += int(count) * own.height * own.width
    return pixel_statistics((np.array(sums, np.int64) for sums in train["pixel_sums"]), pixels)


def _attributes(split: str, config: FrameStoreConfig, statistics: PixelStatistics) -> dict[str, Any]:
    return {
        "split": split,
        "split_unit": config.split.unit,
        "seed": config.split.seed,
        "mean": list(statistics.mean),
        "std": list(statistics.std),
    }


def _pack(views: pd.DataFrame, frames: FramesConfig, limit: int) -> Iterator[pd.DataFrame]:
    """Cuts the views into groups of about ``limit`` bytes, between trajectories."""
    if views.empty:
        return
    sizes = _stored_bytes(views, frames).groupby(views["trajectory"], sort=False).sum()
    before = sizes.cumsum() - sizes
    for _, group in views.groupby(views["trajectory"].map(before // limit)):
        yield group


def _stored_bytes(views: pd.DataFrame, frames: FramesConfig) -> "pd.Series[int]":
    """Bytes of the frames of every view, or of its film."""
    plain = views["frames"] * (frames.height * frames.width * 3)
    return views["film"].fillna(plain).astype("int64") if "film" in views else plain


def _request(
    name: str,
    split: str,
    views: pd.DataFrame,
    folder: Path,
    attributes: dict[str, Any],
    size: tuple[int, int],
) -> ShardRequest:
    taken = [
        (trajectory, tuple(rows["row"].tolist()), rows["digest"].iloc[0])
        for trajectory, rows in views.groupby("trajectory", sort=False)
    ]
    known = views[["trajectory", "checksum"]].dropna().itertuples(index=False, name=None)
    checksums: dict[str, str] = dict(known)
    members = tuple(
        Member(folder / f"{trajectory}{SHARD_SUFFIX}", rows, checksums.get(str(trajectory)))
        for trajectory, rows, _ in taken
    )
    return ShardRequest(
        name, split, members, attributes, size, digest_of(FORMAT_VERSION, taken, attributes, size)
    )
