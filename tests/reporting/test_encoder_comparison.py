"""Pictures of the comparison of encoders."""

import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.encoder_comparison import comparison_chart, pareto_chart


def table(evaluations: int = 2, value: float = 50.0) -> pd.DataFrame:
    rows = [
        {
            **{
                "evaluation": f"task {number}",
                "encoder": name,
                "value": own,
                "low": own - 5,
                "high": own + 5,
            },
            **{"verdict": verdict, "count": 12, "floor": cost is None or name == "pixels"},
            **{"milliseconds": math.nan if cost is None else cost, "on_front": name == "rsp"},
        }
        for number in range(evaluations)
        for name, own, cost, verdict in (
            ("rsp", value, 4.0, "same"),
            ("carl", 30.0, 8.0, "below"),
            ("pixels", 20.0, 0.1, "below"),
            ("chance", 10.0, None, "below"),
        )
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("draw", [comparison_chart, pareto_chart])
def test_a_panel_for_each_evaluation(draw: object) -> None:
    assert callable(draw)
    two, six, other = draw(table()), draw(table(6)), draw(table(value=70.0))
    assert isinstance(two, Image.Image)
    assert six.width > two.width and six.height > two.height  # a second row of panels
    assert (np.asarray(two) != np.asarray(other)).any()
    with pytest.raises(InputError, match="nothing was measured"):
        draw(table().iloc[:0])
