"""``kill -9`` while features are extracted: the same job finishes the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.journals import finished_rows
from tests.helpers.project import ROOT, kill_group, wait_until
from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from tests.models.vpp.policy.sources import feature_sources
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.feature_store import StoredFeatures

PROGRAM = """
import sys
from pathlib import Path
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.frame_store import FrameArraysDataset
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.pipelines.latent_extraction.vpp_features_nodes import extract_vpp_features
from vidrep_pipelines.training.config import LaunchConfig

model, codec, store, latents, target = map(Path, sys.argv[1:])
frames = FrameStore(store)
job = extract_vpp_features(
    Checkpoint.of(model),
    Checkpoint.of(codec),
    frames,
    FrameArrayStore(latents, frames),
    PolicyItemsConfig(data_sets=("tabletop", "other", "third")),
    FeatureStoreConfig(from_frames=True, batch_size=1, reduction={"grid": 2}),
    VideoLatentsConfig(),
    LaunchConfig(device="cpu"),
    FanOutConfig(engine="serial"),
)
FrameArraysDataset(filepath=target.as_posix(), frames=store.as_posix()).save(job)
"""


def start(sources: FeatureSources, target: Path) -> "subprocess.Popen[bytes]":
    assert sources.latents is not None
    places = [
        sources.checkpoint.directory,
        sources.codec.directory,
        sources.store.folder,
        sources.latents.folder,
    ]
    command = [sys.executable, "-c", PROGRAM, *map(str, places), str(target)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)


@pytest.mark.slow
def test_killed_while_extracting(tmp_path: Path) -> None:
    """Every data set has a shard of its own, so that some are finished and one is not."""
    episodes = [
        Demonstration(number, 25, robot) for number, robot in enumerate(("tabletop", "other", "third"))
    ]
    store = demonstration_store(tmp_path / "demonstrations", episodes)
    sources = feature_sources(tmp_path / "video", store)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(sources, whole).wait(timeout=600) == 0
    process = start(sources, killed)
    assert wait_until(lambda: bool(finished_rows(killed)), 600)
    kill_group(process)
    shards = [path for path in killed.rglob("*.h5") if "_parts" not in path.parts]
    done = {path: path.stat().st_mtime_ns for path in shards}
    assert start(sources, killed).wait(timeout=600) == 0
    expected, found = (StoredFeatures(FrameArrayStore(folder, store)) for folder in (whole, killed))
    for view in range(len(store)):
        for frame in range(24):
            np.testing.assert_array_equal(found.at(view, frame).numpy(), expected.at(view, frame).numpy())
    redone = [path for path, time in done.items() if path.stat().st_mtime_ns != time]
    assert len(redone) <= 1, "a shard that was placed but not yet in the journal is made again, no other"
    assert not list((killed / "_parts/temporary").glob("*.h5"))
