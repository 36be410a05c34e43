"""The nodes of a policy's items, and what goes in and comes out of their pipelines."""

from pathlib import Path

import pytest

from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.items_config import ItemRule, PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.published_items import read_published_items
from vidrep_pipelines.pipelines.ingest import policy_items_nodes as nodes
from vidrep_pipelines.pipelines.ingest.policy_items_pipeline import (
    create_policy_items_export_pipeline,
    create_policy_items_pipeline,
)


def test_episodes_to_ranges_to_published_lists(tmp_path: Path) -> None:
    store = demonstration_store(tmp_path, [Demonstration(number, 6) for number in range(4)], validation=1)
    items = PolicyItemsConfig(rule=ItemRule(chunk=3))
    statistics = nodes.summarize_policy_items(store, items)
    assert {split: one["items"] for split, one in statistics.items()} == {"train": 15, "validation": 5}
    export = nodes.PolicyItemsExportConfig(folder=tmp_path / "out")
    exported = nodes.export_policy_items(store, statistics, items, export)
    assert exported == {"folder": (tmp_path / "out").as_posix(), "items": {"train": 15, "val": 5}}
    assert len(read_published_items(tmp_path / "out/val_all.json")) == 5
    with pytest.raises(ConfigurationError, match="'bridge'"):
        nodes.summarize_policy_items(store, items.model_copy(update={"data_sets": ("bridge",)}))


def test_what_goes_in_and_comes_out() -> None:
    pipeline, export = create_policy_items_pipeline(), create_policy_items_export_pipeline()
    assert {name for name in pipeline.inputs() if not name.startswith("params:")} == {"robot_frames"}
    assert pipeline.all_outputs() == {"policy_items_statistics"}
    assert export.all_outputs() == {"policy_items.exported"}
