from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.helpers.video_prediction import COPYING, FRAMES, drifting, predicting
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.clips import PredictedClips
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.measurement import (
    HIGHEST_PSNR,
    VideoMeasures,
    energy_of_motion,
    measure_videos,
)

CONFIG = VideoEvaluationConfig(
    seeds=(0, 1), batch_size=4, metrics=ReconstructionEvaluationConfig(resamples=50)
)


def truth_of(clips: PredictedClips) -> Tensor:
    frames = np.concatenate([frames for _, frames in clips.batches(99)])
    return torch.from_numpy(frames).movedim(-1, -3).float() / 255


def measured(perfect: bool) -> VideoMeasures:
    clips = drifting()
    truth = truth_of(clips)

    def knowing(first: Tensor, *_: object) -> Tensor:
        return torch.stack([next(v for v in truth if torch.equal(v[0], picture)) for picture in first])

    return measure_videos(clips, predicting(knowing) if perfect else COPYING, CONFIG, torch.device("cpu"))


def model_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["predictor"] == "model"]


def test_the_truth_has_perfect_measures() -> None:
    measures = measured(perfect=True)
    own = model_of(measures.values)
    assert len(own) == 6 * 2 * (FRAMES - 1) and set(own["horizon"]) == {1, 2}
    assert (own["psnr"] == HIGHEST_PSNR).all() and own["ssim"].min() == pytest.approx(1)
    motion = model_of(measures.motion)
    np.testing.assert_allclose(motion["energy"], motion["true_energy"])


def test_the_copied_frame_gets_worse_with_time_and_does_not_move() -> None:
    measures = measured(perfect=False)
    by_horizon = model_of(measures.values).groupby("horizon")["psnr"].mean()
    # four rows of the square's two edges change by 160 levels at each step
    assert by_horizon[1] == pytest.approx(-10 * np.log10(8 / 256 * (160 / 255) ** 2), abs=1e-4)
    assert by_horizon[2] < by_horizon[1] - 2
    assert (model_of(measures.motion)["energy"] == 0).all()
    pd.testing.assert_series_equal(
        model_of(measures.values)["psnr"].reset_index(drop=True),
        measures.values.query("predictor == 'first_frame'")["psnr"].reset_index(drop=True),
    )


def test_losses_are_kept_per_noise_level_with_and_without_text() -> None:
    losses = measured(perfect=False).losses
    means = losses.groupby(["predictor", "noise"])["loss"].mean()
    assert means.to_dict() == {
        ("model", 0.5): 0.5,
        ("model", 2.0): 3.0,
        ("without_text", 0.5): 1.0,
        ("without_text", 2.0): 3.0,
    }


def test_short_predictions_have_no_frechet_distance_and_that_is_said(tmp_path: Path) -> None:
    measures = measured(perfect=False)
    assert measures.distances.empty
    assert any("not available: predictions have 3 frames, its network needs 9" in x for x in measures.skipped)
    assert not any("of frames is left out" in line for line in measures.skipped)


def test_motion_energy_is_the_mean_squared_step() -> None:
    video = torch.zeros(1, 3, 3, 2, 2)
    video[0, 1] = 1.0
    assert energy_of_motion(video).tolist() == [1.0]
