from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.frame_store.windows import FrameWindows
from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
from vidrep_pipelines.evaluation.reconstruction.config import (
    MeasuredClipsConfig,
    ReconstructionEvaluationConfig,
)
from vidrep_pipelines.evaluation.reconstruction.evaluation import evaluate_reconstruction
from vidrep_pipelines.evaluation.reconstruction.kept_report import KeptReconstructionReport
from vidrep_pipelines.evaluation.reconstruction.measurement import ReconstructionReport
from vidrep_pipelines.fanout.runner import run_job

CONFIG = ReconstructionEvaluationConfig(resamples=20)


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    parts = prepare(tmp_path / "episodes", [ArrayEpisode(f"t{number}", (4, 11)) for number in range(5)])
    shards = run_job(assembly_job(shard_requests(parts)), tmp_path / "store")
    write_store_manifest(tmp_path / "store", shards.ids)
    return FrameStore(tmp_path / "store")


def clips_of(store: FrameStore, **options: object) -> MeasuredClips:
    return MeasuredClips.of(
        store, MeasuredClipsConfig.model_validate({"split": "train", "frames": 4, **options})
    )


def test_clips_do_not_overlap_and_name_their_frames(store: FrameStore) -> None:
    clips = clips_of(store)
    rows, frames = zip(*clips.batches(4), strict=True)
    table = pd.concat(rows)
    assert len(clips) == len(table) == 3 * (1 + 2)  # views of 4 and of 11 frames, three trajectories
    first = table["id"].iloc[0]
    assert first.endswith("_0, frames 0..3") and table["id"].iloc[2].endswith("_1, frames 4..7")
    view = table["id"].iloc[2].split(",")[0]
    np.testing.assert_array_equal(np.concatenate(frames)[2], store.frames(view, slice(4, 8)))


def test_published_choice_is_the_start_of_every_view(store: FrameStore) -> None:
    clips = clips_of(store, first_frames=4)
    assert [row for rows, _ in clips.batches(2) for row in rows["id"] if "frames 0..3" not in row] == []
    assert len(clips) == 6 and len(clips_of(store, limit=2)) == 2


def test_digest_covers_frames_and_choice(store: FrameStore) -> None:
    digests = [clips_of(store, **options).digest for options in ({}, {"limit": 3}, {"frames": 3})]
    digests.append(clips_of(store, split="test").digest)
    assert len(set(digests)) == 4 and clips_of(store, batch_size=1).digest == digests[0]


def test_impossible_choices_are_named(store: FrameStore) -> None:
    with pytest.raises(ConfigurationError, match="12 frames of a window"):
        clips_of(store, frames=12)
    with pytest.raises(ConfigurationError, match="no view in the split 'nowhere'"):
        clips_of(store, split="nowhere")


def brighter(frames: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(frames).movedim(-1, -3).float() / 255 + 0.2


def large_enough(tmp_path: Path) -> MeasuredClips:
    """Three clips of 12x12 pixels: as small as SSIM permits, nearly."""

    class Views:
        ids = ("a", "b", "c")
        table = pd.DataFrame({"trajectory": ids, "robot": ["x", "x", "y"]})
        content_digest = "d"

        def frames_at(self, view: int, frames: slice) -> NDArray[np.uint8]:
            return np.random.default_rng(view).integers(0, 256, (frames.stop, 12, 12, 3), dtype=np.uint8)

    windows = FrameWindows(np.array([4, 4, 4]), 4)
    return MeasuredClips(cast(FrameStore, Views()), windows, np.arange(3))


def evaluate(tmp_path: Path, **options: object) -> ReconstructionReport:
    config, cpu = CONFIG.model_copy(update=options), torch.device("cpu")
    clips = large_enough(tmp_path)
    return evaluate_reconstruction(clips, brighter, config, device=cpu, batch_size=2, cache=tmp_path)


def test_values_outside_of_the_range_count_only_as_published(tmp_path: Path) -> None:
    report = evaluate(tmp_path)
    table = report.summary.set_index(["pixels", "robot", "metric"])["value"]
    assert table["as_published", "all", "psnr"] == pytest.approx(10 * np.log10(1 / 0.2**2), abs=1e-3)
    assert table["clamped", "all", "psnr"] > table["as_published", "all", "psnr"] + 0.2
    assert report.videos["pixels"].tolist() == ["clamped"] * 3 + ["as_published"] * 3
    assert len(report.skipped) == 3  # once, not once per range
    assert set(evaluate(tmp_path, pixel_range="as_published").summary["pixels"]) == {"as_published"}


def test_reports_are_kept_by_what_they_depend_on(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_text("1")
    config = CONFIG.model_copy(update={"action_features": tmp_path / "net.pt"})
    place = KeptReconstructionReport.of(tmp_path / "kept", "model", "clips", config)
    assert place.load() is None
    report = evaluate(tmp_path)
    place.save(report, [3, 0, 5])
    loaded = KeptReconstructionReport.of(tmp_path / "kept", "model", "clips", config).load()
    assert loaded is not None and loaded[1] == [3, 0, 5]
    pd.testing.assert_frame_equal(loaded[0].summary, report.summary)
    assert loaded[0].skipped == report.skipped
    (tmp_path / "net.pt").write_text("2")
    others = [KeptReconstructionReport.of(tmp_path / "kept", "model", "clips", config)]
    others += [
        KeptReconstructionReport.of(tmp_path / "kept", *names, config)
        for names in (("x", "clips"), ("model", "x"))
    ]
    assert [other.load() for other in others] == [None] * 3
    (place.folder / "summary.parquet").write_text("")
    with pytest.raises(InputError, match="is damaged"):
        place.load()
