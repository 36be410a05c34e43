import numpy as np
import pytest
import torch

from vidrep_pipelines.models.vpp.video.pictures import (
    first_batch_sheet,
    motion_energy,
    motion_ratio,
    prediction_strips,
)

CLIPS = torch.linspace(0, 1, 2 * 5 * 3 * 8 * 8).reshape(2, 5, 3, 8, 8)


def test_motion_is_the_change_from_frame_to_frame() -> None:
    clip = torch.zeros(1, 3, 3, 4, 4)
    clip[:, 1] = 0.5
    assert motion_energy(clip).tolist() == [0.25]
    assert motion_ratio(clip, 2 * clip) == pytest.approx(0.25)


def test_ratio_of_clips_that_stand_still() -> None:
    still = CLIPS[:, :1].expand_as(CLIPS)
    assert motion_ratio(still, CLIPS) < 1e-6
    assert motion_ratio(still, still) == 1.0


def test_sheets_show_the_frames() -> None:
    truth, predicted = CLIPS, CLIPS.flip(1)
    sheet = np.asarray(prediction_strips(truth, predicted, ["lift the cup", "push it"]))
    other = np.asarray(prediction_strips(truth, truth, ["lift the cup", "push it"]))
    assert sheet.shape == other.shape and (sheet != other).any()
    frames = (CLIPS * 255).to(torch.uint8)
    batch = np.asarray(first_batch_sheet(list(frames), ["lift the cup", "push it"], "first batch"))
    assert batch.shape[1] > 5 * 96 and batch.min() < 100
