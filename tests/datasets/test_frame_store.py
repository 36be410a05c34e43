import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from kedro.io import DatasetError

from tests.helpers.project import ROOT, wait_until
from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from vidrep_pipelines.data.frame_store.arrays import ArrayShardRequest, ArraySpec, array_requests, array_shard
from vidrep_pipelines.data.frame_store.codes import code_shard
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.hdf5 import open_hdf5
from vidrep_pipelines.datasets.frame_store import CodeStoreDataset, FrameArraysDataset, FrameStoreDataset
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import Parts

EPISODES = [ArrayEpisode(f"t{number}") for number in range(5)]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return prepare(tmp_path_factory.mktemp("episodes"), EPISODES)


def test_saved_store_is_loaded(tmp_path: Path, parts: Parts) -> None:
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    assert not dataset.exists()
    assert dataset.preview() == {}
    dataset.save(assembly_job(shard_requests(parts)))
    assert dataset.exists()
    np.testing.assert_array_equal(dataset.load().frames("t3_1"), EPISODES[3].pictures(1))
    shown = dataset.preview()
    assert shown["columns"] == ["split", "robot", "trajectories", "views", "frames"]
    assert [row[0] for row in shown["data"]] == ["test", "train", "validation"]


def test_saving_again_changes_nothing(tmp_path: Path, parts: Parts) -> None:
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    files = []
    for _ in range(2):
        dataset.save(assembly_job(shard_requests(parts)))
        files.append({path: path.stat().st_mtime_ns for path in tmp_path.glob("store/**/t*.h5")})
    assert files[0] == files[1]


def test_changed_episode_changes_the_store(tmp_path: Path) -> None:
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    digests = []
    for seed in (0, 1):
        episodes = [ArrayEpisode("t0", seed=seed), *EPISODES[1:]]
        dataset.save(assembly_job(shard_requests(prepare(tmp_path / "episodes", episodes))))
        np.testing.assert_array_equal(dataset.load().frames("t0_0"), episodes[0].pictures(0))
        digests.append(dataset.load().content_digest)
    assert digests[0] != digests[1]


def test_store_without_its_manifest_does_not_exist_and_is_mended(tmp_path: Path, parts: Parts) -> None:
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    dataset.save(assembly_job(shard_requests(parts)))
    (tmp_path / "store/manifest.parquet").unlink()
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="manifest is missing"):
        dataset.load()
    dataset.save(assembly_job(shard_requests(parts)))
    assert len(dataset.load()) == 10


def test_member_that_changed_without_a_trace_stops_the_store_until_it_is_healed(tmp_path: Path) -> None:
    parts = prepare(tmp_path / "episodes", EPISODES)
    job = assembly_job(shard_requests(parts))
    path = parts.path("t0")
    content, status = path.read_bytes(), path.stat()
    with h5py.File(path, "r") as file:
        first = file["frames"].id.get_offset()
    path.write_bytes(content[:first] + bytes([content[first] ^ 255]) + content[first + 1 :])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    with pytest.raises(DatasetError, match=r"1 of 3 shards .*t0\.h5 is damaged"):
        dataset.save(job)
    path.write_bytes(content)
    dataset.save(job)
    assert len(dataset.load()) == 10


def test_member_that_is_gone_stops_the_store_until_it_is_back(tmp_path: Path) -> None:
    parts = prepare(tmp_path / "episodes", EPISODES)
    job = assembly_job(shard_requests(parts))
    content = parts.path("t0").read_bytes()
    parts.path("t0").unlink()
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    with pytest.raises(DatasetError, match=r"1 of 3 shards .*t0\.h5"):
        dataset.save(job)
    assert not dataset.exists()
    parts.path("t0").write_bytes(content)
    dataset.save(job)
    assert dataset.exists()


KILLED = """
import sys, time
from pathlib import Path
import vidrep_pipelines.data.frame_store.shard as shard
from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from vidrep_pipelines.data.frame_store import assembly
from vidrep_pipelines.datasets.frame_store import FrameStoreDataset

def slow(members, size, former=assembly._pictures):
    for block in former(members, size):
        if "t2" in str([member.path for member, _ in members]):
            (Path(sys.argv[1]) / "reached").touch()
            time.sleep(60)
        yield block

assembly._pictures = slow
folder = Path(sys.argv[1])
episodes = [ArrayEpisode(f"t{number}") for number in range(5)]
parts = prepare(folder / "episodes", episodes)
FrameStoreDataset(filepath=folder / "store").save(assembly_job(shard_requests(parts)))
"""


def test_killed_assembly_leaves_nothing_half_written(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, env=environment)
    assert wait_until(lambda: (tmp_path / "reached").exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    assert not dataset.exists()
    requests = shard_requests(prepare(tmp_path / "episodes", EPISODES))
    for path in tmp_path.glob("store/t*/*.h5"):
        with h5py.File(path) as file:  # what has its final name is whole
            assert file["frames"].shape[0] == file["video/offset"][-1]
    dataset.save(assembly_job(requests))
    store = dataset.load()
    for episode in EPISODES:
        np.testing.assert_array_equal(store.frames(f"{episode.trajectory}_0"), episode.pictures(0))


def write_codes(payload: tuple[str, int], outputs: Any) -> dict[str, int]:
    version, frames = payload
    with code_shard(outputs[".h5"], frames, (2, 2), version) as writer:
        writer.append(np.arange(frames * 4).reshape(frames, 2, 2))
    return {"frames": frames}


def test_codes_in_the_catalog(tmp_path: Path, parts: Parts) -> None:
    frames = FrameStoreDataset(filepath=tmp_path / "store")
    frames.save(assembly_job(shard_requests(parts)))
    store = frames.load()
    counts = store.table.groupby("shard")["frames"].sum()
    items = [
        Item(name.removesuffix(".h5"), (version, int(counts[name])), version)
        for name, version in store.facts.shards.items()
    ]
    codes = CodeStoreDataset(filepath=tmp_path / "codes", frames=tmp_path / "store")
    assert not codes.exists()
    codes.save(Job("codes", write_codes, items, (".h5",), FanOutConfig(engine="serial")))
    assert codes.exists()
    assert codes.load().codes("t3_1").shape == (5, 2, 2)
    assert "frames" in codes.preview()["columns"]
    broken = replace(items[0], payload=("", 0), digest="new")
    codes.save(Job("codes", write_codes, [broken, *items[1:]], (".h5",), FanOutConfig(engine="serial")))
    assert codes.load().store.content_digest == store.content_digest


FEATURES = ArraySpec("features", "float32", (2,))


def write_features(request: ArrayShardRequest, outputs: Any) -> dict[str, int]:
    with open_hdf5(request.frames) as file, array_shard(outputs[".h5"], request) as writer:
        frames = file["frames"][:]
        writer.append("features", frames[:, 0, :2, 0].astype(np.float32))
    return {"frames": len(frames)}


def features_job(store: FrameStore, model: str = "model", function: Any = write_features) -> Job:
    requests = array_requests(store, [FEATURES], model)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("features", function, items, (".h5",), FanOutConfig(engine="serial"))


def saved_frames(folder: Path, parts: Parts) -> FrameStore:
    frames = FrameStoreDataset(filepath=folder / "store")
    frames.save(assembly_job(shard_requests(parts)))
    return frames.load()


def test_arrays_in_the_catalog_follow_the_model(tmp_path: Path, parts: Parts) -> None:
    store = saved_frames(tmp_path, parts)
    dataset = FrameArraysDataset(filepath=tmp_path / "features", frames=tmp_path / "store")
    assert not dataset.exists() and dataset.preview() == {}
    for model in ("model", "model", "another"):
        dataset.save(features_job(store, model))
        arrays = dataset.load().requiring([FEATURES], model)
        for view in store.ids:
            np.testing.assert_array_equal(arrays.array("features", view), store.frames(view)[:, 0, :2, 0])
    assert dataset.exists() and "frames" in dataset.preview()["columns"]
    stamps = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("features/t*/*.h5"))]
    dataset.save(features_job(store, "another"))
    assert stamps == [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("features/t*/*.h5"))]


KILLED_IN_THE_SECOND_SHARD = """
import sys, time
from pathlib import Path
from tests.datasets import test_frame_store as tests
from vidrep_pipelines.data.frame_store.arrays import array_shard
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.frame_store import FrameArraysDataset

folder, done = Path(sys.argv[1]), []

def slow(request, outputs):
    if done:
        with array_shard(outputs[".h5"], request) as writer:
            (folder / "reached").touch()
            time.sleep(60)
    done.append(request.id)
    return tests.write_features(request, outputs)

store = FrameStore(folder / "store")
dataset = FrameArraysDataset(filepath=folder / "features", frames=folder / "store")
dataset.save(tests.features_job(store, function=slow))
"""


def test_killed_extraction_goes_on_where_it_was(tmp_path: Path, parts: Parts) -> None:
    store = saved_frames(tmp_path, parts)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", KILLED_IN_THE_SECOND_SHARD, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    assert wait_until(lambda: (tmp_path / "reached").exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    dataset = FrameArraysDataset(filepath=tmp_path / "features", frames=tmp_path / "store")
    assert not dataset.exists()
    whole = {path: path.stat().st_mtime_ns for path in tmp_path.glob("features/t*/*.h5")}
    assert len(whole) == 1
    dataset.save(features_job(store))
    assert dataset.exists()
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in whole.items())
    arrays = dataset.load()
    for view in store.ids:
        np.testing.assert_array_equal(arrays.array("features", view), store.frames(view)[:, 0, :2, 0])
