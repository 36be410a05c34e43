"""What is in a frame store, for people to look at: views, and what agents did and earned in episodes."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.reporting.clips import contact_sheet, representative_clips

_SHEET_ROWS = 12
_FILM_COLUMNS, _FILM_ROWS, _FILM_FRAMES, _FILM_HEIGHT = 3, 2, 120, 160


def store_report(store: FrameStore, left_out: dict[str, str], damaged: dict[str, str]) -> dict[str, Any]:
    """Sizes, statistics, splits by robot, and what did not get into the store or only in part.

    Args:
        store: The views.
        left_out: Why something is not in the store, by name.
        damaged: What is wrong with views that break off, by name of the trajectory.
    """
    summary = store.table.groupby(["split", "robot"], as_index=False).agg(
        trajectories=("trajectory", "nunique"), views=("id", "size"), frames=("frames", "sum")
    )
    return {
        "size": [store.facts.height, store.facts.width],
        "mean": store.facts.mean,
        "std": store.facts.std,
        "split_unit": store.facts.split_unit,
        "splits": summary.to_dict(orient="records"),
        "left_out": left_out,
        "damaged": damaged,
    }


def store_sheet(store: FrameStore) -> Image.Image:
    """A row of frames for each of a few views, of every robot."""
    table = store.table
    named = table.assign(path=table["id"], class_name=table["robot"])
    return _sheet(store, named, f"{len(table)} views, {int(table['frames'].sum())} frames")


def episode_table(store: FrameStore) -> pd.DataFrame:
    """One row per episode: id, split, behavior, frames, and the return (sum of its rewards)."""
    table = store.table[["id", "split", "robot", "frames"]].rename(columns={"robot": "behavior"})
    returns = [float(store.outcomes(name)[:, 0].sum()) for name in table["id"]]
    return table.assign(**{"return": returns})


def episode_report(store: FrameStore, left_out: dict[str, str]) -> dict[str, Any]:
    """Sizes, splits, returns by behavior, and what did not get into the store, with reasons."""
    table = episode_table(store)
    splits = table.groupby("split", as_index=False).agg(episodes=("id", "size"), frames=("frames", "sum"))
    returns = table.groupby("behavior")["return"].agg(["size", "mean", "std", "min", "max"]).fillna(0.0)
    first = store.ids[0]
    return {
        "size": [store.facts.height, store.facts.width],
        "actions": store.actions(first).shape[1],
        "states": store.states(first).shape[1],
        "episodes": len(table),
        "frames": int(table["frames"].sum()),
        "splits": splits.to_dict(orient="records"),
        "returns": returns.rename(columns={"size": "episodes"}).reset_index().to_dict(orient="records"),
        "left_out": left_out,
    }


def episode_sheet(store: FrameStore) -> Image.Image:
    """A row of frames for each of a few episodes, of every behavior."""
    table = episode_table(store)
    names = [f"{row.id}, return {row[-1]:.1f}" for row in table.itertuples(index=False)]
    named = table.assign(path=table["id"], id=names, class_name=table["behavior"])
    return _sheet(store, named, f"{len(table)} episodes, {int(table['frames'].sum())} frames")


def _sheet(store: FrameStore, rows: pd.DataFrame, heading: str) -> Image.Image:
    return contact_sheet(
        rows,
        store.folder,
        lambda path, ranks: store.frames(path.relative_to(store.folder).as_posix(), ranks),
        rows=_SHEET_ROWS,
        heading=heading,
    )


def episode_film(store: FrameStore) -> NDArray[np.uint8]:
    """A few episodes beside one another, of every behavior, from their start.

    Returns:
        (T, H, W, 3) uint8 with even sides; an episode that ends earlier stands still.
    """
    table = episode_table(store).rename(columns={"behavior": "class_name"})
    shown = representative_clips(table, _FILM_COLUMNS * _FILM_ROWS)
    length = min(int(shown["frames"].max()), _FILM_FRAMES)
    scale = max(2, 2 * round(_FILM_HEIGHT / store.facts.height / 2))
    clips = []
    for name, frames in shown[["id", "frames"]].itertuples(index=False):
        clip = store.frames(name, np.minimum(np.arange(length), frames - 1))
        clips.append(clip.repeat(scale, axis=1).repeat(scale, axis=2))
    clips += [np.zeros_like(clips[0])] * (-len(clips) % _FILM_COLUMNS)
    rows = [
        np.concatenate(clips[start : start + _FILM_COLUMNS], axis=2)
        for start in range(0, len(clips), _FILM_COLUMNS)
    ]
    return np.concatenate(rows, axis=1)
