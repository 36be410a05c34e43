"""``kill -9`` while latents are extracted: the same job finishes the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.journals import finished_rows
from tests.helpers.project import ROOT, kill_group, wait_until
from tests.models.vpp.video.codecs import LINEAR, publish_linear
from tests.models.vpp.video.frames import pattern_store
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.store import FrameStore

PROGRAM = """
import sys
from pathlib import Path
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.frame_store import FrameArraysDataset
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.pipelines.latent_extraction.video_latents_nodes import extract_video_latents
from vidrep_pipelines.training.config import LaunchConfig

codec, store, target = map(Path, sys.argv[1:])
job = extract_video_latents(
    Checkpoint.of(codec),
    FrameStore(store),
    VideoLatentsConfig(batch_size=1),
    LaunchConfig(device="cpu"),
    FanOutConfig(engine="serial"),
)
FrameArraysDataset(filepath=target.as_posix(), frames=store.as_posix()).save(job)
"""


def start(codec: Path, store: FrameStore, target: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PROGRAM, str(codec), str(store.folder), str(target)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)


@pytest.mark.slow
def test_killed_while_extracting(tmp_path: Path) -> None:
    store = pattern_store(tmp_path, episodes=14, frames=85, side=64)
    codec = publish_linear(store, tmp_path, LINEAR.model_copy(update={"channels": 48}))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(codec, store, whole).wait(timeout=600) == 0
    process = start(codec, store, killed)
    assert wait_until(lambda: bool(finished_rows(killed)), 600)
    kill_group(process)
    shards = [path for path in killed.rglob("*.h5") if "_parts" not in path.parts]
    done = {path: path.stat().st_mtime_ns for path in shards}
    assert start(codec, store, killed).wait(timeout=600) == 0
    expected, found = FrameArrayStore(whole, store), FrameArrayStore(killed, store)
    for view in store.ids:
        np.testing.assert_array_equal(found.array("latents", view), expected.array("latents", view))
    redone = [path for path, time in done.items() if path.stat().st_mtime_ns != time]
    assert len(redone) <= 1, "a shard that was placed but not yet in the journal is made again, no other"
    assert not list((killed / "_parts/temporary").glob("*.h5"))
