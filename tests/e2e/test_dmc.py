"""Episodes of agents: what is written, what a second run does, and what bad input leads to."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

from tests.helpers.control import FakeEnvironment, write_policy
from tests.helpers.dmc import TINY_DMC
from tests.helpers.project import merged, run_pipeline
from tests.helpers.replay_buffers import LENGTHS, make_columns, write_buffer
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sources.dm_control import episodes as dm_control_episodes
from vidrep_pipelines.datasets.video_file import VideoFile

STORE = "05_model_input/dmc_frames"
SMALL_FRAMES: dict[str, Any] = {"frames": {"height": 8, "width": 8, "min_frames": 2}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data folder with the sample world's episodes."""
    folder = tmp_path_factory.mktemp("dmc")
    run_pipeline("ingest_dmc", folder, TINY_DMC)
    return folder


def report_of(data: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((data / "08_reporting/dmc/report.json").read_text())
    return report


def test_the_arm_acts_and_its_episodes_are_dealt_to_splits(data: Path) -> None:
    store = FrameStore(data / STORE)
    assert store.table["split"].value_counts().to_dict() == {"train": 5, "test": 2, "validation": 1}
    for name in store.ids:
        assert store.frames(name).shape == (16, 32, 32, 3)
        assert store.actions(name).shape == (15, 4) and store.outcomes(name).shape == (15, 2)
        assert (store.outcomes(name)[:, 1] == 1).all()
    report = report_of(data)
    assert report["left_out"] == {} and report["episodes"] == 8 and report["frames"] == 8 * 16
    returns = {row["behavior"]: row for row in report["returns"]}
    assert [returns[name]["episodes"] for name in ("scripted_noise_0.1", "scripted_noise_0.5", "random")] == [
        3,
        3,
        2,
    ]
    random = [float(store.outcomes(name)[:, 0].sum()) for name in ("push_0002", "push_0005")]
    assert returns["random"]["mean"] == pytest.approx(np.mean(random))


def test_pictures_and_a_film_show_them(data: Path) -> None:
    with Image.open(data / "08_reporting/dmc/contact_sheet.png") as picture:
        low, high = picture.convert("L").getextrema()
    assert high - low > 100
    film = VideoFile(filepath=data / "08_reporting/dmc/film.mp4").load()
    assert film.shape == (16, 2 * 128, 3 * 128, 3) and film.std() > 10


def test_a_second_run_does_nothing_and_more_episodes_keep_the_first(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("ingest_dmc", data, TINY_DMC)
    assert "episodes: up to date" in caplog.text and "shards: up to date" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run_pipeline("ingest_dmc", data, merged(TINY_DMC, {"sample_agent": {"episodes": 9}}))
    assert "episodes: 9 items, 8 done before, 1 done now" in caplog.text


def test_replay_buffers_of_which_some_are_bad(tmp_path: Path) -> None:
    raw, faulty, without = tmp_path / "raw", make_columns(), make_columns()
    write_buffer(raw / "expert/one.hdf5", make_columns())
    write_buffer(raw / "expert/two.npz", make_columns())
    faulty["action"][LENGTHS[0] + 2] = np.nan
    write_buffer(raw / "random/three.hdf5", faulty)
    del without["reward"]
    write_buffer(raw / "random/four.hdf5", without)
    run_pipeline("ingest_dmc", tmp_path, buffers(raw))
    report = report_of(tmp_path)
    assert report["left_out"].keys() == {"random/four", "random/three_0001"}
    assert "four.hdf5 lacks reward" in report["left_out"]["random/four"]
    assert "row 7: the action is not a finite number. Remedy" in report["left_out"]["random/three_0001"]
    store = FrameStore(tmp_path / STORE)
    names = [f"expert/{name}_000{number}" for name in ("one", "two") for number in (0, 1)]
    assert list(store.ids) == [*names, "random/three_0000"]
    columns = make_columns()
    pictures = columns["observation"][LENGTHS[0] :].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(store.frames("expert/two_0001"), pictures)
    np.testing.assert_array_equal(
        store.outcomes("expert/two_0001")[:, 0], columns["reward"][LENGTHS[0] + 1 :]
    )


def buffers(root: Path) -> dict[str, Any]:
    return merged(TINY_DMC, {"dmc": {"replay_buffer": str(root), **SMALL_FRAMES}})


def test_episodes_of_different_sizes_stop_the_run(tmp_path: Path) -> None:
    for name, side in (("a", 8), ("b", 16)):
        write_buffer(tmp_path / f"raw/{name}.hdf5", make_columns(side=side))
    with pytest.raises(
        InputError, match=r"of different sizes: 8x8 .* such as a; 16x16 .* such as b\. Remedy"
    ):
        run_pipeline("ingest_dmc", tmp_path, buffers(tmp_path / "raw"))


def test_without_the_simulator_the_run_says_what_to_install_and_works_once_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = write_policy(tmp_path / "actor.safetensors")
    behaviors = [{"policy": "trained", "actor": str(actor), "noise": 0.5}, {"policy": "smooth"}]
    control = {"episodes": 5, "size": 16, "behaviors": behaviors}
    parameters = merged(TINY_DMC, {"dmc": {"control": control, **SMALL_FRAMES}})
    for name in ("dm_control", "dm_control.suite"):
        monkeypatch.setitem(sys.modules, name, None)
    reason = r"episodes: all 5 items failed, such as .* pip install .*'\.\[robots\]'"
    with pytest.raises(DatasetError, match=reason):
        run_pipeline("ingest_dmc", tmp_path, parameters)
    monkeypatch.setattr(dm_control_episodes, "load_environment", lambda *_: FakeEnvironment())
    run_pipeline("ingest_dmc", tmp_path, parameters)
    report = report_of(tmp_path)
    assert (report["episodes"], report["states"], report["actions"]) == (5, 3, 2)
    assert [row["behavior"] for row in report["returns"]] == ["smooth", "trained_noise_0.5"]
