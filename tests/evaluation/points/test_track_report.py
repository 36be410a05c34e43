"""Encoders side by side: what counts as visible is never chosen by a video's own truth."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.point_videos import (
    PointVideo,
    evaluated_point_videos,
    point_video_table,
    write_point_videos,
)
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig
from vidrep_pipelines.evaluation.points.queries import point_queries
from vidrep_pipelines.evaluation.points.track_report import compare_tracks, levels_by_others
from vidrep_pipelines.evaluation.points.track_scoring import track_scores, track_scoring_job
from vidrep_pipelines.evaluation.points.tracking import PointTracks, write_point_tracks
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job

SERIAL = FanOutConfig(engine="serial")
CONFIG = PointTrackingConfig(query_stride=2)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
def test_the_level_of_a_video_is_the_best_of_the_others(videos: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    jaccard = rng.random((videos, levels))
    jaccard[rng.random((videos, levels)) < 0.1] = np.nan
    found = levels_by_others(jaccard)
    for video in range(videos):
        others = [row for number, row in enumerate(jaccard.tolist()) if number != video]
        means = []
        for level in range(levels):
            known = [row[level] for row in others if not np.isnan(row[level])]
            means.append(sum(known) / len(known) if known else 0.0)
        assert means[found[video]] == pytest.approx(max(means), abs=1e-12)


def make_video(seed: int) -> PointVideo:
    """Five points that move to the right, and two of which hide for a while."""
    rng = np.random.default_rng(seed)
    steps = np.arange(8) / 20
    points = rng.random((5, 1, 2)) * 0.5 + np.stack([steps, 0 * steps], axis=-1)
    occluded = np.zeros((5, 8), bool)
    occluded[:2, 3:5] = True
    return PointVideo(rng.integers(0, 256, (8, 12, 16, 3), dtype=np.uint8), points, occluded)


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, dict[str, str]]:
    path = tmp_path / "videos.h5"
    write_point_videos(path, [(name, make_video(seed)) for seed, name in enumerate("abc")])
    return evaluated_point_videos(point_video_table(path, "digest"))


def write_perfect(item: tuple[str, float], outputs: dict[str, Path]) -> dict[str, Any]:
    """The truth, moved to the right by a share of the width."""
    name, error = item
    video, tracks = make_video("abc".index(name)), {}
    for mode in CONFIG.queries:
        queries = point_queries(mode, video.occluded, CONFIG.query_stride)
        positions = (video.points[queries.points] + (error, 0)).astype(np.float32)
        presence = np.where(video.occluded[queries.points], 0.3, 0.8).astype(np.float32)
        tracks[mode] = PointTracks(positions, presence)
    write_point_tracks(outputs[".h5"], tracks)
    return {}


def predicted(folder: Path, errors: dict[str, float]) -> Parts:
    items = [
        Item(f"{encoder}/{name}", (name, error), f"{error}")
        for encoder, error in errors.items()
        for name in "abc"
    ]
    return run_job(Job("points tracking", write_perfect, items, (".h5",), SERIAL), folder)


def test_perfect_tracks_have_full_marks_and_floors_have_not(
    rows: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    tracks = predicted(tmp_path / "tracks", {"right": 0.0, "beside": 3 / 256})
    scores = run_job(track_scoring_job(rows, tracks, CONFIG, SERIAL), tmp_path / "scores")
    summary, per_video, metrics = compare_tracks(["right", "beside"], rows, scores, CONFIG)
    values = summary.set_index(["measure", "encoder"])["value"]
    for mode in CONFIG.queries:
        for measure in ("average Jaccard", "average delta", "occlusion accuracy"):
            assert values[f"{measure}, {mode} queries", "right"] == pytest.approx(100)
        assert values[f"average delta, {mode} queries", "beside"] == pytest.approx(60)
        assert values[f"average delta, {mode} queries", "still"] < 60
        assert values[f"occlusion accuracy, {mode} queries", "still"] < 100
    assert summary["encoder"].unique().tolist() == ["right", "beside", "still"]
    assert (summary["low"] <= summary["value"] + 1e-9).all()
    lead = summary.set_index(["measure", "encoder"])["lead"]
    assert lead["average delta, first queries", "beside"] == pytest.approx(40)
    assert metrics["visible_above"]["first"]["right"] == pytest.approx(
        0.35
    )  # the first that tells 0.3 from 0.8
    assert "average_Jaccard_first_queries" in metrics["encoders"]["right"]
    assert (metrics["sequences"], metrics["videos_left_out"]) == (3, [])
    assert len(per_video) == 2 * 3 * 3


def test_a_given_share_is_used_as_it_is(rows: dict[str, dict[str, str]], tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"visible_above": 0.9, "queries": ("first",)})
    tracks = predicted(tmp_path / "tracks", {"right": 0.0})
    scores = run_job(track_scoring_job(rows, tracks, config, SERIAL), tmp_path / "scores")
    summary, _, _ = compare_tracks(["right"], rows, scores, config)
    values = summary.set_index(["measure", "encoder"])["value"]
    assert values["average Jaccard, first queries", "right"] == 0  # nothing is found visible
    assert values["average delta, first queries", "right"] == pytest.approx(100)


def test_only_what_all_encoders_have_is_compared(rows: dict[str, dict[str, str]], tmp_path: Path) -> None:
    scores = run_job(
        track_scoring_job(rows, predicted(tmp_path / "t", {"right": 0.0}), CONFIG, SERIAL), tmp_path / "s"
    )
    table = scores.table
    table.loc[table["id"] == "right/b", "status"] = "failed"
    fewer = Parts(scores.folder, table, scores.suffixes)
    _, per_video, metrics = compare_tracks(["right", "none"], rows, fewer, CONFIG)
    assert set(per_video["video"]) == {"a", "c"}
    assert (metrics["videos_left_out"], metrics["encoders_without_result"]) == (["b"], ["none"])
    with pytest.raises(InputError, match="no video was scored for all of none"):
        compare_tracks(["none"], rows, fewer, CONFIG)


def test_damaged_scores_and_foreign_tracks_are_named(rows: dict[str, dict[str, str]], tmp_path: Path) -> None:
    tracks = predicted(tmp_path / "tracks", {"right": 0.0})
    other = CONFIG.model_copy(update={"query_stride": 3})
    scores = run_job(track_scoring_job(rows, tracks, other, SERIAL), tmp_path / "other")
    assert scores.failed["error"].str.contains("there are tracks for").sum() == 3
    scores.path("still/a").write_bytes(b"damaged")
    with pytest.raises(InputError, match="holds no scores"):
        track_scores(scores, "first")
