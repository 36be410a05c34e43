"""Items of CALVIN as the published loader gives them, from its files by way of a store."""

import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from tests.helpers.stores import SERIAL, assembly_job
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sources.calvin.episodes import CAMERAS
from vidrep_pipelines.data.sources.calvin.listing import SPLIT_FOLDERS, list_calvin_episodes
from vidrep_pipelines.data.sources.robot_data_sets.config import CalvinDataSet
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.dataset import FrameObservations, PolicyItems
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable
from vidrep_pipelines.models.vpp.policy.items_config import PUBLISHED_ITEM_RULES, PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.units import CALVIN_STATE_COLUMNS, Standard, StateCoding

_SPLITS = {"train": "training", "val": "validation"}
_ITEM = re.compile(r"(train|val)_(\d+)_actions")
_PICTURE = re.compile(r"ds(\d+)")
_LEVELS = 2 / 127.5  # as the fixtures' README states it: pictures are resized in bytes


def check(folder: Path) -> None:
    """Number of items, their steps and instructions, and every recorded item."""
    arrays = _arrays(folder)
    for name, split_folder in _SPLITS.items():
        if f"{name}_len" in arrays:
            items = _items(_samples(folder), split_folder, _side(arrays))
            _compare_lookups(items, name, arrays)
            _compare_items(items, name, arrays)


def _arrays(folder: Path) -> dict[str, NDArray[Any]]:
    with np.load(folder / "calvin_items.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _samples(recorded: Path) -> Path:
    folder = recorded.parents[2] / "data" / "vpp_calvin_mini"
    if not folder.is_dir():
        pytest.skip(f"needs the samples in {folder}")
    return folder


def _side(arrays: dict[str, NDArray[Any]]) -> int:
    """Pixels of a picture's side: of each, every 16th is recorded."""
    return next(
        value.shape[-1] * int(match[1])
        for name, value in arrays.items()
        if (match := _PICTURE.search(name)) is not None
    )


def _items(samples: Path, split_folder: str, side: int) -> PolicyItems:
    store = FrameStore(_store_folder(samples, side)).select(SPLIT_FOLDERS[split_folder])
    rule = PUBLISHED_ITEM_RULES["calvin"]
    config = PolicyItemsConfig(data_sets=("calvin",), rule=rule)
    statistics = yaml.safe_load((samples / split_folder / "statistics.yaml").read_text())["robot_obs"][0]
    units = Standard(np.array(statistics["mean"]), np.array(statistics["std"]))
    state = StateCoding(units, CALVIN_STATE_COLUMNS)
    coding = ActionCoding(gripper=True)
    return PolicyItems(PolicyItemTable(store, config), FrameObservations(store), coding, state=state)


def _compare_lookups(items: PolicyItems, name: str, arrays: dict[str, NDArray[Any]]) -> None:
    assert len(items) == int(arrays[f"{name}_len"])
    steps, instructions = [], []
    for number in range(len(items)):
        place = items.items.place(number)
        instruction, first, _ = items.items.episodes[place.episode].rsplit("/", 1)[1].split("_")
        steps.append(int(first) + place.frame)
        instructions.append(int(instruction))
    assert steps == arrays[f"{name}_episode_lookup"].tolist()
    assert instructions == arrays[f"{name}_lang_lookup"].tolist()


def _compare_items(items: PolicyItems, name: str, arrays: dict[str, NDArray[Any]]) -> None:
    recorded = [match for match in map(_ITEM.fullmatch, arrays) if match and match[1] == name]
    assert recorded
    for number in (int(match[2]) for match in recorded):
        item, case = items[0, number], f"{name}_{number}"
        np.testing.assert_allclose(item["actions"].numpy(), arrays[f"{case}_actions"], rtol=0, atol=1e-6)
        assert set(np.abs(item["actions"][:, -1]).tolist()) == {1.0}, "a gripper is open or closed"
        assert items.items.place(number).text == str(arrays[f"{case}_text"])
        if f"{case}_robot_obs" in arrays:
            np.testing.assert_allclose(item["state"].numpy()[None], arrays[f"{case}_robot_obs"], atol=1e-6)
        for view, camera in enumerate(CAMERAS):
            _compare_picture(item["frames"][view].numpy(), f"{case}_{camera}", arrays)


def _compare_picture(picture: NDArray[np.uint8], case: str, arrays: dict[str, NDArray[Any]]) -> None:
    [name] = [name for name in arrays if name.startswith(f"{case}_ds")]
    step = int(name.rsplit("ds", 1)[1])
    values = picture[None].astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(values[..., ::step, ::step], arrays[name], rtol=0, atol=_LEVELS)
    mean, deviation = arrays[f"{case}_mean_std"]
    assert abs(float(values.mean(dtype=np.float64)) - mean) < _LEVELS
    assert abs(float(values.std(dtype=np.float64)) - deviation) < _LEVELS


@cache
def _store_folder(samples: Path, side: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="vpp-calvin-"))
    frames = CalvinDataSet(folder=samples).frames(FramesConfig(height=side, width=side, min_frames=2))
    requests = [EpisodeRequest(source, frames) for source in list_calvin_episodes(samples)]
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("episodes", prepare_episode, items, (".h5",), SERIAL), folder / "episodes")
    assert set(parts.table["status"]) == {"ok"}, parts.table["error"]
    config = FrameStoreConfig(name="calvin", split=SplitConfig(validation=0, test=0))
    done = run_job(assembly_job(plan_shards(parts.table, parts.folder, frames, config)), folder / "store")
    write_store_manifest(folder / "store", done.ids)
    return folder / "store"
