import numpy as np
import pandas as pd
import pytest
from PIL import ImageColor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS
from vidrep_pipelines.reporting.frame_measures import measure_bars, measure_table


def summary(**values: tuple[float, float]) -> pd.DataFrame:
    """Values of the trained and the untrained encoder by measure."""
    rows = [
        (measure, encoder, value, value - 0.1, value + 0.1, pair[0] - value, pair[0] - value - 0.05, np.nan)
        for measure, pair in values.items()
        for encoder, value in zip(("trained", "untrained"), pair, strict=True)
    ]
    names = ["measure", "encoder", "value", "low", "high", "lead", "lead_low", "lead_high"]
    return pd.DataFrame(rows, columns=names)


TABLE = summary(
    phase_classification_10=(0.6, 0.2),
    phase_classification_100=(0.9, 0.3),
    phase_progression_100=(0.8, -40.0),
    kendall_tau=(0.9, float("nan")),
    kendall_tau_all_pairs=(0.9, -0.2),
    retrieval_at_5=(0.7, 0.1),
    linear_probe_100=(0.5, 0.1),
    action_classification=(1.0, 0.5),
)


def blue(table: pd.DataFrame) -> int:
    pixels = np.asarray(measure_bars(table, "bars")).astype(int)
    return int((np.abs(pixels - ImageColor.getrgb(COLORS[0])).max(axis=2) < 20).sum())


def test_a_panel_per_task() -> None:
    whole, one = measure_bars(TABLE, "bars"), measure_bars(TABLE[TABLE["measure"] == "kendall_tau"], "bars")
    assert whole.width > 3 * one.width
    assert blue(TABLE) > 3000


def test_higher_values_have_higher_bars() -> None:
    assert blue(summary(retrieval_at_5=(0.9, 1.0))) > blue(summary(retrieval_at_5=(0.4, 1.0))) > 100


def test_table_has_a_row_per_measure_and_the_lead() -> None:
    lines = measure_table(TABLE).splitlines()
    assert len(lines) == 1 + 8
    assert "lead over untrained" in lines[0]
    assert "0.700 [0.600, 0.800]" in lines[6]
    assert "nan" in lines[4]


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(InputError, match="nothing was measured"):
        measure_bars(TABLE.iloc[:0], "bars")
