import numpy as np
import pandas as pd
import pytest
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.occupancy_chains import chain_chart

SCORES = pd.DataFrame(
    [
        ("plain", "published", 0.1, 1.2, 1.0),
        ("plain", "geometric", 0.03, 0.2, 1.0),
        ("plain", "geometric", 0.02, 0.3, 1.0),
        ("two_codewords", "published", 0.2, 1.5, 1.0),
    ],
    columns=["kind", "learner", "total_variation", "value_error", "mean_value_error"],
)
CURVES = pd.concat([SCORES.assign(update=update, value_error=2 / update) for update in (1, 2, 4)])


def contrast(image: Image) -> float:
    return float(np.asarray(image.convert("L")).std())


def test_a_row_per_kind() -> None:
    both = chain_chart(SCORES, CURVES)
    one = chain_chart(SCORES[SCORES["kind"] == "plain"], CURVES[CURVES["kind"] == "plain"])
    assert both.height > 1.8 * one.height and both.width == one.width
    assert min(contrast(both), contrast(one)) > 10


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="no run"):
        chain_chart(SCORES.iloc[:0], CURVES)
