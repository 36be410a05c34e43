"""Measures of frame embeddings, several encoders side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes

PANELS = {
    "phase classification (accuracy)": "phase_classification_",
    "phase progression (R²; bars end at -1)": "phase_progression_",
    "retrieval (precision)": "retrieval_at_",
    "phases after a pause, and the drop": "inserted_pause_",
    "Kendall's tau (a clock has it, too)": "kendall_tau",
    "linear probe (accuracy)": "linear_probe_",
    "action classification (accuracy)": "action_classification",
}
"""Title of each panel, and how the names of its measures start."""

_ABREAST = 3
"""Numbers above the bars of so many encoders stand side by side; of more, they are turned."""

_LOWEST = -1.0
"""R^2 of a regression that learned from a single video can be anything below zero; bars end here."""


def measure_table(summary: pd.DataFrame) -> str:
    """The summary as text: a row per measure, a column per encoder, intervals in brackets, and the lead.

    Args:
        summary: Columns measure, encoder, value, low, high, lead, lead_low, lead_high; the lead in the rows
            of an encoder is that of the first encoder over it.
    """
    cells: dict[str, dict[str, str]] = {}
    first = summary["encoder"].iloc[0]
    for row in summary.to_dict("records"):
        columns = cells.setdefault(row["measure"], {})
        columns[row["encoder"]] = _cell(row["value"], row["low"], row["high"])
        if row["encoder"] != first:
            columns[f"lead over {row['encoder']}"] = _cell(row["lead"], row["lead_low"], row["lead_high"])
    return pd.DataFrame.from_dict(cells, orient="index").fillna("").to_string()


def measure_bars(summary: pd.DataFrame, title: str) -> Image:
    """Draws a panel per task: bars with 95 % intervals for every measure and encoder.

    Args:
        summary: The table that :func:`measure_table` takes, too.
        title: Text above everything.

    Raises:
        InputError: There is nothing to draw.
    """
    groups = {
        name: [measure for measure in dict.fromkeys(summary["measure"]) if measure.startswith(start)]
        for name, start in PANELS.items()
    }
    shown = {name: measures for name, measures in groups.items() if measures}
    if not shown:
        raise InputError("Bars were asked for, but nothing was measured.")
    encoders = list(dict.fromkeys(summary["encoder"]))
    widths = [1.4 + 0.85 * len(measures) for measures in shown.values()]
    figure = Figure(figsize=(sum(widths), 4.0), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(shown), squeeze=False, width_ratios=widths)[0]
    for axes, (name, measures) in zip(panels, shown.items(), strict=True):
        _draw_panel(axes, summary[summary["measure"].isin(measures)], measures, encoders)
        axes.set_xticks(range(len(measures)), [_short(measure, PANELS[name]) for measure in measures])
        plain_axes(axes, name)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=5, frameon=False, labelcolor=SOFT_INK)
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=12)
    return image_of(figure)


def _draw_panel(axes: Axes, rows: pd.DataFrame, measures: Sequence[str], encoders: Sequence[str]) -> None:
    width, crowded = 0.8 / len(encoders), len(encoders) > _ABREAST
    for number, encoder in enumerate(encoders):
        own = rows[rows["encoder"] == encoder].set_index("measure").reindex(list(measures))
        places = np.arange(len(measures)) + (number - (len(encoders) - 1) / 2) * width
        values, low, high = (
            np.maximum(own[name].to_numpy(np.float64), _LOWEST) for name in ("value", "low", "high")
        )
        axes.bar(places, values, width * 0.92, color=COLORS[number % len(COLORS)], label=encoder)
        reach = np.maximum([values - low, high - values], 0)
        known = np.isfinite(reach).all(axis=0)
        axes.errorbar(places[known], values[known], reach[:, known], fmt="none", ecolor=INK, elinewidth=1)
        for place, value, top in zip(places, own["value"], np.fmax(np.fmax(high, values), 0), strict=True):
            if np.isfinite(value):
                axes.annotate(
                    f"{value:.2f}",
                    (place, top),
                    (0, 3),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7.5,
                    rotation=90 if crowded else 0,
                    color=INK,
                )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.margins(y=0.25 if crowded else 0.12)


def _short(measure: str, start: str) -> str:
    """What tells the measures of a panel apart."""
    ending = measure.removeprefix(start).strip("_").replace("_", "\n") or "held out"
    if start.endswith("at_"):
        return f"at {ending}"
    return f"{ending} %" if ending.replace(".", "").isdigit() else ending


def _cell(value: float, low: float, high: float) -> str:
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"
