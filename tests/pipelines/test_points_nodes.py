"""From the clips to the table of videos with points, and what is done again."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.helpers.label_sequences import TINY_WORLD
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import DavisConfig, JhmdbConfig, PointsConfig, VipConfig
from vidrep_pipelines.data.sample_world.miniature import LabelMiniatureConfig
from vidrep_pipelines.datasets.label_miniature import LabelMiniature
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.pipelines.downstream_eval.points_nodes import follow_point_videos
from vidrep_pipelines.pipelines.ingest.label_sequences_nodes import render_label_clips
from vidrep_pipelines.pipelines.ingest.points_nodes import (
    index_points,
    request_points_miniature,
    unpack_points,
)

SERIAL = FanOutConfig(engine="serial")
MINIATURE = LabelMiniatureConfig(world=TINY_WORLD)
POINTS = PointsConfig()
ENCODER = {"name": "pixels", "digest": "3", "config": {"kind": "pixels"}}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    job = render_label_clips(DavisConfig(), JhmdbConfig(), VipConfig(), POINTS, MINIATURE, SERIAL)
    return run_job(job, tmp_path_factory.mktemp("label_clips"))


def test_from_clips_to_the_table(clips: Parts, tmp_path: Path) -> None:
    miniature = LabelMiniature(filepath=tmp_path / "points_miniature")
    miniature.save(request_points_miniature(clips, POINTS, MINIATURE))
    job = unpack_points(miniature.load(), POINTS, SERIAL)
    table = index_points(run_job(job, tmp_path / "release"))
    assert table["id"].tolist() == ["push_000", "stack_000"]
    assert table["error"].isna().all() and (table["width"] == 64).all()
    # The same file at another place is the same release.
    named = unpack_points(tmp_path, PointsConfig(root=tmp_path / "points_miniature"), SERIAL)
    assert [item.digest for item in named.items] == [item.digest for item in job.items]


def test_a_users_release_needs_no_miniature(clips: Parts, tmp_path: Path) -> None:
    config = PointsConfig(root=tmp_path / "none.pkl")
    assert request_points_miniature(clips, config, MINIATURE).clips == ()
    with pytest.raises(InputError, match=r"points\.root: .*none\.pkl is not there"):
        unpack_points(tmp_path, config, SERIAL)


def table(**frames: int) -> pd.DataFrame:
    rows = [{"id": name, "frames": count, "path": "p", "digest": name} for name, count in frames.items()]
    return pd.DataFrame(rows).assign(error=None)


def planned(config: PointTrackingConfig) -> Job:
    return follow_point_videos(table(a=9, b=7), [ENCODER], config, SERIAL)


def test_what_changes_no_track_makes_nothing_again() -> None:
    base = PointTrackingConfig(device="cpu")
    digests = [item.digest for item in planned(base).items]
    assert len(set(digests)) == 2
    for change in ({"visible_above": 0.5}, {"frames_per_batch": 1}, {"workers_per_gpu": 1}):
        same = planned(base.model_copy(update=change))
        assert [item.digest for item in same.items] == digests
    for change in ({"query_stride": 3}, {"queries": ("first",)}, {"peak_radius": 2.0}):
        other = planned(base.model_copy(update=change))
        assert not {item.digest for item in other.items} & set(digests)


def test_gpus_get_about_as_many_frames_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    lengths = {"a": 40, "b": 90, "c": 50, "d": 80}
    job = follow_point_videos(table(**lengths), [ENCODER], PointTrackingConfig(), SERIAL)
    assert [item.id for item in job.items] == [f"pixels/{name}" for name in "bdca"]
    loads = Counter[int]()
    for item in job.items:
        loads[item.payload.gpu] += lengths[item.payload.row["id"]]
    assert sorted(loads.values()) == [130, 130]
    assert job.config.workers == 4
