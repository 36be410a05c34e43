"""A folder of good and bad files, from the listing to prepared episodes."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from tests.helpers.robonet import robot_frames, write_trajectory
from tests.helpers.stores import SERIAL
from tests.helpers.videos import truncate
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import prepare_episode
from vidrep_pipelines.data.sources.robonet.config import RoboNetConfig
from vidrep_pipelines.data.sources.robonet.header import read_metadata_item
from vidrep_pipelines.data.sources.robonet.requests import trajectory_requests
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job


def write_folder(root: Path) -> None:
    frames = robot_frames(13)
    write_trajectory(root / "lab_sawyer_traj1.hdf5", [frames, frames], "mp4")
    write_trajectory(root / "lab_kuka_traj2.hdf5", [frames], "jpg", "BGR", robot="kuka")
    write_trajectory(root / "lab_kuka_traj3.hdf5", [])
    truncate(write_trajectory(root / "lab_kuka_traj4.hdf5", [frames]), 0.5)
    write_trajectory(root / "lab_kuka_traj5.hdf5", [frames[:8]])
    with h5py.File(write_trajectory(root / "lab_kuka_traj6.hdf5", [frames, frames]), "a") as file:
        file["env/cam0_video/frame4"][:] = 0
    with h5py.File(write_trajectory(root / "lab_kuka_traj7.hdf5", [frames]), "a") as file:
        for node in file["env/cam0_video"].values():
            node.attrs["shape"] = np.array([48, 64, 3])


def test_bad_files_are_recorded_and_stop_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    files = sorted((tmp_path / "raw").iterdir())
    listing = pd.DataFrame(
        [(path.stem, str(path), path.stat().st_size, 0) for path in files],
        columns=["id", "path", "bytes", "mtime_ns"],
    )
    items = [Item(path.stem, (str(path), False), "") for path in files]
    headers = run_job(Job("metadata", read_metadata_item, items, (), SERIAL), tmp_path / "metadata").table
    assert headers.loc[headers["status"] == "failed", "id"].tolist() == ["lab_kuka_traj4"]
    requests = trajectory_requests(listing, headers, RoboNetConfig(), FramesConfig(height=12, width=12))
    jobs = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("episodes", prepare_episode, jobs, (".h5",), SERIAL), tmp_path / "episodes")
    assert parts.ids == ["lab_kuka_traj2", "lab_kuka_traj6", "lab_sawyer_traj1"]
    table = parts.table.set_index("id")
    assert table.loc["lab_kuka_traj6", "verdict"] == "damaged"
    assert "camera 0: frame 4 is no whole JPEG" in table.loc["lab_kuka_traj6", "problems"]
    reasons = {
        "lab_kuka_traj3": "without a camera",
        "lab_kuka_traj5": "8 usable frames",
        "lab_kuka_traj7": "frame 0 is 32x24, the file says 64x48",
    }
    for name, reason in reasons.items():
        assert reason in table.loc[name, "error"]
