"""Instructed clips: what is written, what a second run does, and that tables can be built again."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.project import merged, run_pipeline
from tests.helpers.robot_clips import write_instance_sets
from tests.helpers.robot_episodes import TINY_ROBOT_EPISODES
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sample_world.instructions import Instruction
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop_source import tabletop_of
from vidrep_pipelines.datasets.video_file import VideoFile

STORE = "05_model_input/robot_frames"
REPORTS = "08_reporting/robot_episodes"
LAPTOP = {"look": "plain", "objects_min": 2, "objects_max": 2, "cameras": ["front"]}
CONFIG = TabletopEpisodesConfig.model_validate(
    merged({"table": LAPTOP}, TINY_ROBOT_EPISODES["robot_episodes"]["tabletop"])
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder with the tabletop's clips."""
    folder = tmp_path_factory.mktemp("robot_episodes")
    run_pipeline("ingest_robot_clips", folder, TINY_ROBOT_EPISODES)
    return folder


def report_of(data: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((data / REPORTS / "report.json").read_text())
    return report


def test_the_store_has_instructions_masks_and_the_splits_of_the_tables(data: Path) -> None:
    store = FrameStore(data / STORE)
    counts = store.table.groupby(["robot", "split"]).size().to_dict()
    assert counts == {
        ("tabletop", "train"): 4,
        ("tabletop", "validation"): 2,
        ("tabletop", "test"): 2,
        ("tabletop_held_out", "test"): 2,
    }
    for name, robot in store.table[["id", "robot"]].itertuples(index=False):
        said = store.episode(name)
        instruction = Instruction.parse(said.segments[0].text)
        assert instruction.split == ("held_out" if robot == "tabletop_held_out" else "train")
        assert store.frames(name).shape == (20, 32, 32, 3) and store.states(name).shape == (20, 4)
        assert store.actions(name).shape == (19, 4) and said.frames_per_second == 8
        named = said.mask_names.index(instruction.name)
        assert (store.masks(name, [0]) == named).any()


def test_the_table_of_a_stored_episode_can_be_built_again(data: Path) -> None:
    store = FrameStore(data / STORE).select("test")
    for name, trajectory in store.table[["id", "trajectory"]].itertuples(index=False):
        table = tabletop_of(trajectory, CONFIG)
        truth = table.record(Instruction.parse(store.episode(name).segments[0].text))
        np.testing.assert_array_equal(store.frames(name), truth.frames["front"])
        assert store.episode(name).success == truth.success


def test_the_report_counts_and_the_pictures_show(data: Path) -> None:
    report = report_of(data)
    assert report["episodes"] == 10 and report["frames"] == 200 and report["left_out"] == {}
    rows = {(row["data_set"], row["split"]): row for row in report["data_sets"]}
    assert rows["tabletop", "train"]["episodes"] == 4 and rows["tabletop", "train"]["success_rate"] > 0.7
    assert rows["tabletop_held_out", "test"]["without_instruction"] == 0
    with Image.open(data / REPORTS / "contact_sheet.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10
    film = VideoFile(filepath=data / REPORTS / "film.mp4").load()
    assert len(film) == 20 and film.std() > 10


def test_a_second_run_does_nothing_and_more_tables_keep_the_first(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("ingest_robot_clips", data, TINY_ROBOT_EPISODES)
    assert "episodes: up to date" in caplog.text and "shards: up to date" in caplog.text
    caplog.clear()
    more = {"robot_episodes": {"tabletop": {"train_tables": 5}}}
    with caplog.at_level(logging.INFO):
        run_pipeline("ingest_robot_clips", data, merged(TINY_ROBOT_EPISODES, more))
    assert "episodes: 11 items, 10 done before, 1 done now" in caplog.text


def test_frames_as_films_are_near_the_plain_ones_and_all_else_is_equal(data: Path, tmp_path: Path) -> None:
    fine = {"storage": "mp4", "mp4": {"quality": 8}}
    parameters = merged(TINY_ROBOT_EPISODES, {"robot_episodes": {"frames": fine}})
    run_pipeline("ingest_robot_clips", tmp_path, parameters)
    raw, films = FrameStore(data / STORE), FrameStore(tmp_path / STORE)
    assert len(films.ids) == 10 and set(films.ids) <= set(raw.ids)  # another test may have added tables to it
    assert films.content_digest != raw.content_digest
    errors = []
    for name in films.ids:
        assert films.episode(name) == raw.episode(name)
        np.testing.assert_array_equal(films.masks(name), raw.masks(name))
        np.testing.assert_array_equal(films.states(name), raw.states(name))
        errors.append(np.mean((films.frames(name).astype(float) - raw.frames(name)) ** 2))
    assert 10 * np.log10(255**2 / np.mean(errors)) > 30  # of 32 pixels, whose colors are kept in 16


def test_published_layouts_lie_beside_the_tabletop_each_in_its_size(tmp_path: Path) -> None:
    raw = write_instance_sets(tmp_path / "raw", size=32, clips=2, latents=False)
    named = {
        "with_tabletop": True,
        "instances": {name: {"folder": str(raw / name), "height": 24} for name in ("bridge", "xhand")},
    }
    run_pipeline("ingest_robot_clips", tmp_path, merged(TINY_ROBOT_EPISODES, {"robot_episodes": named}))
    store, report = FrameStore(tmp_path / STORE), report_of(tmp_path)
    assert report["left_out"] == {}
    assert {"bridge", "xhand", "tabletop"} <= set(store.table["robot"])
    for name, robot in store.table[["id", "robot"]].itertuples(index=False):
        assert store.size(name) == ((32, 32) if "tabletop" in robot else (24, 32))
        assert store.episode(name).segments[0].text
    stated = {split for split, robot in store.table[["split", "robot"]].to_numpy() if robot == "bridge"}
    assert stated == {"train", "validation"}
