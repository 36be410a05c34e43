"""What is in a store of instructed robot clips, for people to look at."""

import re
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.frame_store.episode import EpisodeAnnotations
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.reporting.clips import representative_clips
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid
from vidrep_pipelines.reporting.tabletop import outlined

_SHEET_ROWS, _MOMENTS, _CELL = 12, 7, 128
_GROUPS = ["data_set", "split"]


def clip_table(store: FrameStore) -> pd.DataFrame:
    """One row per view: id, trajectory, data_set, split, frames, instruction and success (null if unknown).

    The instruction is that of the first segment.
    """
    table = store.table[["id", "trajectory", "robot", "split", "frames"]].rename(
        columns={"robot": "data_set"}
    )
    said = [store.episode(name) for name in table["id"]]
    return table.assign(
        instruction=[one.segments[0].text if one.segments else None for one in said],
        success=pd.array([one.success for one in said], "boolean"),
    )


def clip_report(store: FrameStore, left_out: dict[str, str], damaged: dict[str, str]) -> dict[str, Any]:
    """Episodes, frames, instructions and success by data set and split, and what did not get into the store.

    Args:
        store: The clips.
        left_out: Why an episode is not in the store, by its name.
        damaged: What is wrong with episodes that break off, by name.
    """
    table = clip_table(store)
    return {
        "size": [store.facts.height, store.facts.width],
        "episodes": int(table["trajectory"].nunique()),
        "frames": int(table["frames"].sum()),
        "data_sets": [
            {"data_set": data_set, "split": split, **_counts(rows)}
            for (data_set, split), rows in table.groupby(_GROUPS)
        ],
        "left_out": left_out,
        "damaged": damaged,
    }


def _counts(rows: pd.DataFrame) -> dict[str, Any]:
    episodes = rows.drop_duplicates("trajectory")
    known = episodes["success"].dropna()
    return {
        "episodes": len(episodes),
        "views": len(rows),
        "frames": int(rows["frames"].sum()),
        "shortest": int(rows["frames"].min()),
        "longest": int(rows["frames"].max()),
        "instructions": int(episodes["instruction"].nunique()),
        "without_instruction": int(episodes["instruction"].isna().sum()),
        "success_rate": float(known.mean()) if len(known) else None,
    }


def clip_sheet(store: FrameStore) -> Image.Image:
    """A row of frames for each of a few views, of every data set and split, the named object outlined."""
    table = clip_table(store)
    groups = table["data_set"] + ", " + table["split"]
    shown = representative_clips(table.assign(class_name=groups), _SHEET_ROWS)
    rows = [
        _row(store, str(row.id), str(row.class_name), int(row.frames))  # type: ignore[call-overload]
        for row in shown.itertuples(index=False)
    ]
    heading = f"{table['trajectory'].nunique()} episodes of {table['data_set'].nunique()} data sets"
    return image_grid(rows, heading=heading, cell_height=_CELL)


def _row(store: FrameStore, name: str, group: str, frames: int) -> ImageRow:
    moments = np.unique(np.linspace(0, frames - 1, _MOMENTS).round().astype(np.int64))
    said, pictures = store.episode(name), store.frames(name, moments)
    texts = [said.instruction_at(int(moment)) for moment in moments]
    text = next((text for text in texts if text), "no instruction")
    outcome = {True: "done", False: "not done", None: ""}[said.success]
    rate = said.frames_per_second
    length = f"{frames} frames, {frames / rate:.1f} s" if rate else f"{frames} frames"
    images = _outlined(store, name, moments, pictures, said, text)
    captions = [f"{moment / rate:.1f} s" if rate else str(moment) for moment in moments]
    return ImageRow(images, "\n".join([text, group, name, length, outcome]).rstrip(), captions)


def _outlined(
    store: FrameStore,
    view: str,
    moments: "np.ndarray[Any, np.dtype[np.int64]]",
    pictures: Pixels,
    said: EpisodeAnnotations,
    text: str,
) -> list[Pixels]:
    number = named_mask(text, said.mask_names)
    if number is None or not store.has_masks(view):
        return list(pictures)
    masks = store.masks(view, moments) == number
    return [outlined(picture, mask) for picture, mask in zip(pictures, masks, strict=True)]


def named_mask(text: str, names: tuple[str, ...]) -> int | None:
    """The number in masks of the object that an instruction names first.

    Args:
        text: The instruction.
        names: What the numbers mean, the first is the background.

    Returns:
        None if it names nothing that has a mask.
    """
    found = {
        match.start(): number
        for number, name in enumerate(names)
        if number and (match := re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE))
    }
    return found[min(found)] if found else None
