"""Nodes that say what a policy learns from: which moments, and the ranges of its actions."""

from typing import TYPE_CHECKING, Any

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import


class PolicyItemsExportConfig(FrozenConfig):
    """Where the published lists of items are written (``params:policy_items.export``)."""

    folder: UserPath
    """Receives ``{train,val}_all.json`` and ``{train,val}data.json``; files of these names are replaced."""


def summarize_policy_items(frames: FrameStore, items: PolicyItemsConfig) -> dict[str, Any]:
    """The ranges of actions and states by split, which normalize them, and how many items there are."""
    from vidrep_pipelines.models.vpp.policy.statistics import split_statistics

    found = split_statistics(frames, items)
    return {split: statistics.model_dump(mode="json") for split, statistics in found.items()}


def export_policy_items(
    frames: FrameStore,
    statistics: dict[str, Any],
    items: PolicyItemsConfig,
    export: PolicyItemsExportConfig,
) -> dict[str, Any]:
    """Writes the lists of items and their percentiles as the authors keep them."""
    from vidrep_pipelines.models.vpp.policy.published_items import export_items

    folder = export.folder.absolute()
    return {"folder": folder.as_posix(), "items": export_items(frames, items, statistics, folder)}
