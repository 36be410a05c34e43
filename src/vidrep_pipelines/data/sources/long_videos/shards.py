"""Prepared videos to the shards of a frame store, with the splits that the release gives."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.plan import ShardRequest, plan_shards

TRAIN = "train"
_EVERYTHING = SplitConfig(validation=0, test=0, seed=0)


def plan_split_shards(
    prepared: pd.DataFrame,
    folder: Path,
    splits: Mapping[str, str],
    frames: FramesConfig,
    store: FrameStoreConfig,
) -> list[ShardRequest]:
    """Packs the videos of each split into shards.

    Args:
        prepared: Manifest of the preparation: id, status, digest, robot, view_facts.
        folder: Where the prepared videos are.
        splits: Split of each id that is stored.
        frames: How the videos were prepared.
        store: Name and size of the shards; its own rule for splits is not used.

    Raises:
        InputError: No video is left.
    """
    if not splits:
        raise InputError(
            f"None of {len(prepared)} videos in {folder} can be used; see the table of those left out."
        )
    single = store.model_copy(update={"split": _EVERYTHING})
    table = prepared.assign(split=prepared["id"].map(splits))
    names = sorted(set(splits.values()), key=lambda split: (split != TRAIN, split))
    planned = {name: plan_shards(table[table["split"] == name], folder, frames, single) for name in names}
    # The pixels' statistics are those of the training split, if there is one.
    shared = {key: planned[names[0]][0].attributes[key] for key in ("mean", "std")}
    return [
        _of_split(request, name, {**request.attributes, **shared, "split": name, "split_unit": "release"})
        for name, requests in planned.items()
        for request in requests
    ]


def _of_split(request: ShardRequest, split: str, attributes: dict[str, object]) -> ShardRequest:
    file = request.id.removeprefix(f"{TRAIN}/").replace(f"_{TRAIN}_", f"_{split}_")
    digest = digest_of(request.digest, attributes)
    return replace(request, id=f"{split}/{file}", split=split, attributes=attributes, digest=digest)
