import numpy as np
import pytest

from tests.evaluation.video_prediction.test_counterfactual import MOVED, tables
from tests.evaluation.video_prediction.test_measurement import CONFIG, measured
from tests.helpers.video_prediction import TruthOf, predicting
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import (
    counterfactual_summary,
    judge_tables,
)
from vidrep_pipelines.evaluation.video_prediction.summary import horizon_table, loss_table
from vidrep_pipelines.reporting.video_prediction import (
    ShownPrediction,
    counterfactual_chart,
    horizon_chart,
    noise_chart,
    prediction_film,
    prediction_sheet,
)


def moving(frames: int = 10, side: int = 31) -> Pixels:
    film = np.full((frames, side, side, 3), 90, np.uint8)
    for number in range(frames):
        film[number, 5:10, number : number + 5] = (255, 0, 0)
    return film


SHOWN = ShownPrediction(moving(), moving()[::-1], "push the red cup to the left", ("20.1 dB",))


def test_charts_show_all_predictors() -> None:
    measures = measured(perfect=False)
    judged = judge_tables(tables(), predicting(TruthOf(tables())), MOVED, (0,), batch_size=16)
    pictures = [
        horizon_chart(horizon_table(measures.values, CONFIG.metrics)),
        noise_chart(loss_table(measures.losses, CONFIG.metrics)),
        counterfactual_chart(counterfactual_summary(judged, CONFIG.metrics)),
    ]
    for picture in pictures:
        assert {(31, 111, 235), (224, 142, 27)} <= {color for _, color in picture.getcolors(1 << 24)}


def test_the_sheet_has_the_first_and_the_last_frame() -> None:
    pixels = np.asarray(prediction_sheet([SHOWN, SHOWN], "heading"))
    assert pixels.shape[1] > 8 * 112 and pixels.shape[0] > 4 * 112
    assert (pixels == (255, 0, 0)).all(-1).any()
    with pytest.raises(InputError, match="no prediction"):
        prediction_sheet([])


def test_the_film_has_truth_above_prediction_and_even_sides() -> None:
    film = prediction_film(SHOWN)
    assert len(film) == 10 and film.shape[1] % 2 == film.shape[2] % 2 == 0
    side = 31 * 9
    above, below = film[0, :side, :side], film[0, side + 4 : 2 * side + 4, :side]
    assert np.abs(above.astype(int) - film[-1, side + 4 : 2 * side + 4, :side]).max() <= 1
    assert (above != below).any()
    assert (film[0, 2 * side + 4 :] < 128).any()  # the instruction
