"""Which items there are: the episodes of a store, cut at their instructions, numbered through."""

import logging
from typing import NamedTuple

import numpy as np
import pandas as pd

from vidrep_pipelines.common.arrays import IntArray, Ranks
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.clips.dataset import PackedStrings
from vidrep_pipelines.data.frame_store.manifest import segment_table
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.phases import recording_of

_log = logging.getLogger(__name__)


class ItemPlace(NamedTuple):
    """Where an item is."""

    episode: int
    """Number of the episode, in the order of the episodes' names."""
    views: tuple[int, ...]
    """Positions in the store of what its cameras saw."""
    frame: int
    """The frame that the policy sees."""
    actions: Ranks
    """(A,) the frames whose actions it is to give."""
    text: str
    """The instruction."""


class PolicyItemTable:
    """All items of a part of a store, in the order of the episodes' names, then of their instructions.

    Where several instructions hold for the same frames, as in bridge, the first one counts, as published;
    others that overlap have items of their own.

    Args:
        store: The views that may be used, such as those of a split.
        config: Data sets, cameras, where items begin.

    Raises:
        ConfigurationError: A data set or camera is not there, or there is no item.
        InputError: An episode has no instruction, or no actions.
    """

    def __init__(self, store: FrameStore, config: PolicyItemsConfig) -> None:
        self.store, self.config = store, config
        views = _views_of(store, config)
        episodes = _episodes(store, views, config)
        self.episodes: tuple[str, ...] = tuple(episodes.names)
        self._views = episodes.views
        stretches = _stretches(store, views, episodes, config)
        self._episode, self._first, self._known = (
            stretches[name].to_numpy(np.int64) for name in ("episode", "first", "known")
        )
        self._texts = PackedStrings(stretches["text"])
        frames = stretches["frames"].to_numpy(np.int64)
        self._ends = np.cumsum(config.rule.counts(frames, self._known))
        if not len(self):
            raise ConfigurationError(
                f"{', '.join(config.data_sets)} in {store.folder} has no item: {config.rule!r} leaves "
                f"nothing of stretches of {int(frames.max(initial=0))} frames at most. Remedy: change "
                "policy_items.items.rule."
            )

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def cameras(self) -> int:
        """V, views of an item."""
        return int(self._views.shape[1])

    @property
    def texts(self) -> list[str]:
        """All instructions, each once, sorted."""
        return sorted({self._texts[number] for number in range(len(self._ends))})

    def place(self, item: int) -> ItemPlace:
        """Where an item is.

        Raises:
            IndexError: There is no such item.
        """
        stretch, number = self._find(item)
        rule, first = self.config.rule, int(self._first[stretch])
        start, episode = rule.start(number), int(self._episode[stretch])
        views = tuple(self._views[episode].tolist())
        actions = first + rule.frame_ids(start, int(self._known[stretch]))
        return ItemPlace(episode, views, first + start, actions, self._texts[stretch])

    def describe(self, item: int) -> str:
        """Episode and frame of an item, for messages."""
        place = self.place(item)
        return f"{self.episodes[place.episode]}, frame {place.frame}"

    def observed_frames(self) -> pd.DataFrame:
        """What is seen: one row per item and view, with the columns ``view``, ``frame`` and ``text``.

        Rows are unique and in the order of views and frames.

        Raises:
            InputError: A frame is seen under two instructions.
        """
        counts = np.diff(self._ends, prepend=0)
        stretch = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(stretch)) - np.repeat(self._ends - counts, counts)
        frame = self._first[stretch] + self.config.rule.start(0) + self.config.rule.every * number
        columns = {"frame": frame, "text": [self._texts[one] for one in stretch.tolist()]}
        of_view = [
            pd.DataFrame({"view": self._views[self._episode[stretch], camera], **columns})
            for camera in range(self.cameras)
        ]
        rows = pd.concat(of_view).drop_duplicates().sort_values(["view", "frame"], ignore_index=True)
        self._require_one_text(rows)
        return rows

    def _require_one_text(self, rows: pd.DataFrame) -> None:
        twice = rows.duplicated(["view", "frame"])
        if twice.any():
            view = self.store.ids[int(rows["view"][twice].iloc[0])]
            raise InputError(
                f"{int(twice.sum())} frames, such as {int(rows['frame'][twice].iloc[0])} of {view!r}, are "
                "seen under two instructions, and stored features are those of one. Remedy: ingest one "
                "episode for each instruction (calvin: unannotated: false), or do not store features."
            )

    def _find(self, item: int) -> tuple[int, int]:
        """The stretch that an item is in, and its number there."""
        if not 0 <= item < len(self):
            raise IndexError(f"{item} is out of range for {len(self)} items")
        stretch = int(np.searchsorted(self._ends, item, side="right"))
        return stretch, item - (int(self._ends[stretch - 1]) if stretch else 0)


def table_of_split(store: FrameStore, split: str, config: PolicyItemsConfig) -> PolicyItemTable | None:
    """The items of a split; None if it has no episode of the data sets, or no item.

    Raises:
        ConfigurationError: A data set is in no split.
        InputError: As for :class:`PolicyItemTable`.
    """
    views = store.table
    _require_data_sets(store, views, config)
    there = set(views["robot"][views["split"] == split])
    names = tuple(name for name in config.data_sets if name in there)
    if not names:
        return None
    try:
        return PolicyItemTable(store.select(split), config.model_copy(update={"data_sets": names}))
    except ConfigurationError as error:
        _log.warning("No items are in the split %s. %s", split, error)
        return None


class _Episodes(NamedTuple):
    names: list[str]
    """E names of trajectories, sorted."""
    views: IntArray
    """(E, V) positions of their views."""
    frames: IntArray
    """(E,) frames that all of these views have."""
    known: IntArray
    """(E,) of how many of them the action is known."""


def _views_of(store: FrameStore, config: PolicyItemsConfig) -> pd.DataFrame:
    """Rows of the store's table of these data sets, with their ``position``."""
    table = store.table
    table = table.assign(position=np.arange(len(table)))
    _require_data_sets(store, table, config)
    table = table[table["robot"].isin(config.data_sets)]
    return _chosen_episodes(table, config)


def _require_data_sets(store: FrameStore, views: pd.DataFrame, config: PolicyItemsConfig) -> None:
    present = set(views["robot"])
    if absent := sorted(set(config.data_sets) - present):
        raise ConfigurationError(
            f"policy_items.items.data_sets names {absent[0]!r}, which is not in this part of {store.folder}; "
            f"there are {sorted(present)}. Remedy: correct the name, or ingest the data set."
        )


def _chosen_episodes(table: pd.DataFrame, config: PolicyItemsConfig) -> pd.DataFrame:
    """The episodes that may be used: of what is held out, all."""
    if config.phases == "first":
        each = config.phases_each_recording
        table = table[[recording_of(name, each)[1] == 0 for name in table["trajectory"]]]
    train = table["split"] == "train"
    names = sorted(set(table["trajectory"][train]))
    if config.episodes is None or len(names) <= config.episodes:
        return table
    by_chance = sorted(names, key=lambda name: seed_for(config.episodes_seed, "episodes", name))
    return table[~train | table["trajectory"].isin(by_chance[: config.episodes])]


def _episodes(store: FrameStore, views: pd.DataFrame, config: PolicyItemsConfig) -> _Episodes:
    views = views.sort_values(["trajectory", "camera"])
    first = views[views["trajectory"] == views["trajectory"].iloc[0]]
    cameras = config.cameras or tuple(first["camera"].tolist())
    shown = views[views["camera"].isin(cameras)]
    table = shown.pivot_table(index="trajectory", columns="camera", values="position", aggfunc="first")
    whole = table.reindex(columns=list(cameras)).dropna()
    if whole.empty:
        raise ConfigurationError(
            f"No episode of {', '.join(config.data_sets)} in {store.folder} has the cameras {list(cameras)}; "
            f"there are {sorted(set(views['camera']))}. Remedy: correct policy_items.items.cameras."
        )
    if absent := views["trajectory"].nunique() - len(whole):
        _log.warning("policy_items: %d episodes lack one of the cameras %s.", absent, list(cameras))
    shown = shown[shown["trajectory"].isin(whole.index)]
    learned = "states" if config.actions.learn == "states" else "actions"
    least = shown.assign(known=shown[["frames", learned]].min(axis=1)).groupby("trajectory")
    frames, known = (least[name].min().loc[whole.index].to_numpy(np.int64) for name in ("frames", "known"))
    if not known.any():
        raise InputError(
            f"{store.folder}: no {learned} of {', '.join(config.data_sets)} are stored. Remedy: choose a "
            "data set of which they are known."
        )
    return _Episodes(list(whole.index), whole.to_numpy(np.int64), frames, known)


def _stretches(
    store: FrameStore, views: pd.DataFrame, episodes: _Episodes, config: PolicyItemsConfig
) -> pd.DataFrame:
    """One row per instruction of every episode: number of the episode, first, frames, known, text."""
    number_of = dict(zip(episodes.views[:, 0].tolist(), range(len(episodes.names)), strict=True))
    seen = views[views["position"].isin(number_of.keys())]
    table = segment_table(seen)
    number_by_id = dict(zip(seen["id"], seen["position"].map(number_of), strict=True))
    table = table.assign(episode=table["id"].map(number_by_id).astype("int64"))
    silent = sorted(set(range(len(episodes.names))) - set(table["episode"]))
    if silent:
        others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        raise InputError(
            f"{store.folder}: the episode {episodes.names[silent[0]]!r}{others} has no instruction. Remedy: "
            "add it where the episode comes from, or leave the episode out, and ingest again."
        )
    table = table.drop_duplicates(["episode", "first", "end"])
    number = table["episode"].to_numpy(np.int64)
    frames, known = (
        np.minimum(table["end"], limit[number]) - table["first"]
        for limit in (episodes.frames, episodes.known)
    )
    table = table.assign(frames=frames, known=known)
    return table[table["frames"] > 0].sort_values(["episode", "first"], kind="stable", ignore_index=True)
