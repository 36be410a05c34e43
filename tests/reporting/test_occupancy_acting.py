import numpy as np
import pandas as pd

from vidrep_pipelines.reporting.occupancy_acting import acting_bars


def test_bars_change_with_what_was_reached() -> None:
    reached = pd.DataFrame({
        "condition": ["occupancy", "cloned", "scripted"],
        "episodes": 60,
        **{name: [0.7, 0.4, 1.0] for name in ("success", "progress")},
        **{name: [0.6, 0.3, 0.9] for name in ("low", "progress_low")},
        **{name: [0.8, 0.5, 1.0] for name in ("high", "progress_high")},
    })  # fmt: skip
    one, other = acting_bars(reached), acting_bars(reached.assign(success=[0.2, 0.4, 1.0]))
    assert np.asarray(one).std() > 10 and one.tobytes() != other.tobytes()
