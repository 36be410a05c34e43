"""Lists of items as the authors keep them.

``{train,val}_all.json`` is a list of ``{"dataset_name", "ann_file", "episode_id", "frame_ids"}``, and
``{train,val}data.json`` beside it holds the percentiles that its actions are normalized with.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt, TypeAdapter, ValidationError

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_text import read_foreign_json
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable, table_of_split
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.statistics import PolicyStatistics

PUBLISHED_SPLITS: dict[str, str] = {"train": "train", "validation": "val"}
"""How the published files call the splits."""

_NUMBER = re.compile(r"[0-9]{1,18}")
_REMEDY = "Remedy: write the list again with prepare_policy_items."


class PublishedItem(FrozenConfig):
    """An item of a published list."""

    dataset_name: str = Field(min_length=1)
    """Name of the data set."""
    ann_file: str = Field(min_length=1)
    """Its annotation, relative to the data set's folder."""
    episode_id: int | str
    """The episode."""
    frame_ids: tuple[NonNegativeInt, ...] = Field(min_length=1)
    """The frame that is seen, and those whose actions follow; the first is both."""


_ITEMS = TypeAdapter(list[PublishedItem])


def write_published_items(
    folder: Path, tables: Mapping[str, PolicyItemTable], statistics: Mapping[str, PolicyStatistics]
) -> dict[str, int]:
    """Writes the lists of the splits and their percentiles.

    Args:
        folder: Receives them; files of these names are replaced.
        tables: Items by our name of the split.
        statistics: Percentiles by our name of the split.

    Returns:
        Number of items by the published name of the split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split, table in tables.items():
        name = PUBLISHED_SPLITS[split]
        items = [_published(table, item) for item in range(len(table))]
        _write_json(folder / f"{name}_all.json", [item.model_dump(mode="json") for item in items])
        _write_json(folder / f"{name}data.json", statistics[split].model_dump(mode="json"))
        counts[name] = len(items)
    return counts


def export_items(
    store: FrameStore, config: PolicyItemsConfig, statistics: Mapping[str, Any], folder: Path
) -> dict[str, int]:
    """Writes the lists of a store's items.

    Args:
        store: The episodes.
        config: Where items begin.
        statistics: Percentiles by our name of the split, as ``split_statistics`` gives them, as JSON.
        folder: Receives the files.

    Returns:
        Number of items by the published name of the split.

    Raises:
        InputError: The statistics are of other splits.
    """
    found = {split: table_of_split(store, split, config) for split in PUBLISHED_SPLITS}
    tables = {split: table for split, table in found.items() if table is not None}
    if absent := sorted(tables.keys() - statistics.keys()):
        raise InputError(f"There are no statistics of the split {absent[0]}. {_REMEDY}")
    ranges = {split: PolicyStatistics.model_validate(statistics[split]) for split in tables}
    return write_published_items(folder, tables, ranges)


def _published(table: PolicyItemTable, item: int) -> PublishedItem:
    place = table.place(item)
    data_set, *parts = table.episodes[place.episode].split("/")
    identifier = parts[-1] if parts else data_set
    return PublishedItem(
        dataset_name=data_set,
        ann_file=f"annotation/{'/'.join(parts) or data_set}.json",
        episode_id=int(identifier) if _NUMBER.fullmatch(identifier) else identifier,
        frame_ids=tuple(place.actions.tolist()),
    )


def _write_json(path: Path, content: Any) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content))


def read_published_items(path: Path) -> list[PublishedItem]:
    """The items of a published list, in its order.

    Raises:
        InputError: It is no such list.
    """
    content = read_foreign_json(path, _REMEDY)
    try:
        return _ITEMS.validate_python(content)
    except ValidationError as error:
        raise InputError(f"{path} is no list of items ({error.errors()[0]['msg']}). {_REMEDY}") from error


def read_published_statistics(path: Path) -> PolicyStatistics:
    """The percentiles of a file: ours, or the original's, which does not say of how many items they are.

    Raises:
        InputError: It holds no percentiles.
    """
    content = read_foreign_json(path, _REMEDY)
    names = ("state_01", "state_99", "action_01", "action_99")
    try:
        fields = {name: content[name] for name in names}
        return PolicyStatistics.model_validate({**fields, "items": content.get("items", 1)})
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise InputError(f"{path} holds no percentiles of states and actions ({error}). {_REMEDY}") from error
