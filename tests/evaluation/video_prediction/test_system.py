import pytest
import torch
from torch import Tensor

from tests.helpers.video_prediction import COPYING, FRAMES, predicting
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.video_prediction.system import PREDICTORS, predictions_of


def test_floors_and_ceiling_stand_beside_the_model() -> None:
    truth = torch.rand(2, FRAMES, 3, 12, 12)
    videos = predictions_of(COPYING, truth, ["a", "b"], [0, 1])
    assert tuple(videos) == PREDICTORS
    assert torch.equal(videos["codec"], truth)
    assert torch.equal(videos["first_frame"][:, -1], truth[:, 0])


def test_predictions_of_another_size_are_named() -> None:
    def shorter(first: Tensor, *_: object) -> Tensor:
        return first[:, None]

    with pytest.raises(InputError, match=r"Predicted videos \(model\) are \(2, 1, 3, 12, 12\)"):
        predictions_of(predicting(shorter), torch.rand(2, FRAMES, 3, 12, 12), ["a", "b"], [0, 1])
