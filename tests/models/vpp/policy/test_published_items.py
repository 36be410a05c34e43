"""The published lists: what is written is read back, and what is no list is refused."""

import json
from pathlib import Path

import pytest

from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable
from vidrep_pipelines.models.vpp.policy.items_config import ItemRule, PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.published_items import (
    export_items,
    read_published_items,
    read_published_statistics,
)
from vidrep_pipelines.models.vpp.policy.statistics import split_statistics


def test_written_and_read(tmp_path: Path) -> None:
    episodes = [Demonstration(number, 7, "xhand", name=f"xhand/train/{number}") for number in range(4)]
    store = demonstration_store(tmp_path, episodes, validation=1)
    config = PolicyItemsConfig(data_sets=("xhand",), rule=ItemRule(chunk=3, interval=2, first=1))
    statistics = split_statistics(store, config)
    plain = {split: one.model_dump(mode="json") for split, one in statistics.items()}
    assert export_items(store, config, plain, tmp_path / "out") == {"train": 15, "val": 5}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "train_all.json",
        "traindata.json",
        "val_all.json",
        "valdata.json",
    ]
    items, table = (
        read_published_items(tmp_path / "out/train_all.json"),
        PolicyItemTable(store.select("train"), config),
    )
    assert len(items) == len(table)
    for number, item in enumerate(items):
        place = table.place(number)
        assert item.frame_ids == tuple(place.actions.tolist()) and item.frame_ids[0] == place.frame
        assert f"{item.dataset_name}/{item.ann_file}" == f"xhand/annotation/train/{item.episode_id}.json"
        assert table.episodes[place.episode] == f"xhand/train/{item.episode_id}"
    assert read_published_statistics(tmp_path / "out/valdata.json") == statistics["validation"]
    with pytest.raises(InputError, match="no statistics of the split validation"):
        export_items(store, config, {"train": plain["train"]}, tmp_path / "out")


def test_percentiles_of_the_original(tmp_path: Path) -> None:
    names = ("state_01", "state_99", "action_01", "action_99")
    path = tmp_path / "constants.json"
    path.write_text(json.dumps({**{name: [0.0, 1.0] for name in names}, "mu": [1.0], "learn_command": True}))
    assert read_published_statistics(path).action_99 == (0.0, 1.0)


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[1]",
        '[{"dataset_name": "x"}]',
        '[{"dataset_name": "x", "ann_file": "a", "episode_id": 1, "frame_ids": [-1]}]',
        '[{"dataset_name": "x", "ann_file": "a", "episode_id": 1, "frame_ids": []}]',
        "[" * 2000,
    ],
)
def test_what_is_no_list(tmp_path: Path, content: str) -> None:
    path = tmp_path / "train_all.json"
    path.write_text(content)
    with pytest.raises(InputError):
        read_published_items(path)
    with pytest.raises(InputError):
        read_published_statistics(path)
