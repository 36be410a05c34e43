"""The one table of every evaluation that its last lines show: who was measured, beside which floors."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 8


@dataclass(frozen=True)
class Headline:
    """Which rows of which table are an evaluation's headline.

    Attributes:
        dataset: Name of the table in the catalog; ``*`` for a system's name.
        what: What the numbers are.
        data: The block of parameters that says on what was measured.
        contender: Column that names what was measured.
        value: Column of the number; its interval is in ``low`` and ``high``.
        rows: Values of other columns that rows must have.
        measure: Column of the measure, of whose values the first so many are shown: ``measures``.
        measures: How many.
        count: Column that counts sequences, videos or episodes.
        floors: Contenders that need no training, or know nothing.
        ceilings: Contenders that know more than can be learned.
    """

    dataset: str
    what: str
    data: str
    contender: str
    value: str = "value"
    rows: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    measure: str | None = None
    measures: int = 1
    count: str | None = None
    floors: frozenset[str] = frozenset()
    ceilings: frozenset[str] = frozenset()


_ENCODER_FLOORS = frozenset({"random", "pixels"})
_BASELINES = frozenset({"value_error_constant", "value_error_regression"})
_OCCUPANCY = ("value_error", *sorted(_BASELINES))


def _label_propagation(task: str) -> Headline:
    return Headline(
        f"{task}.summary", "label propagation, %", task, "encoder", measure="measure", count="sequences",
        floors=_ENCODER_FLOORS,
    )  # fmt: skip


def _phases(model: str, release: str) -> Headline:
    return Headline(
        f"{model}.phases_summary", "embeddings of frames", release, "encoder", measure="measure", measures=2,
        count="videos", floors=frozenset({"untrained", "clock"}),
    )  # fmt: skip


def _occupancy(model: str, data: str) -> Headline:
    return Headline(
        f"{model}.occupancy_scores", "values of held-out episodes, less is better", data, "metric",
        rows={"metric": _OCCUPANCY}, count="episodes", floors=_BASELINES,
    )  # fmt: skip


HEADLINES = (
    _label_propagation("davis"),
    _label_propagation("jhmdb"),
    _label_propagation("vip"),
    _phases("carl", "pouring"),
    _phases("carl_penn_action", "penn_action"),
    _phases("carl_finegym", "finegym"),
    _phases("carl_kinetics", "penn_action"),
    _phases("carl_original", "pouring"),
    _phases("carl_penn_action_original", "penn_action"),
    _phases("carl_finegym_original", "finegym"),
    _phases("carl_finegym_features", "carl_finegym_features"),
    Headline(
        "*.reconstruction_summary", "reconstruction of held-out clips", "robonet", "metric",
        rows={"robot": ("all",), "metric": ("psnr", "ssim", "lpips")}, count="videos",
    ),
    *(_occupancy(f"voc_{kind}", "dmc") for kind in ("vae", "dino", "musik", "joint")),
    *(_occupancy(f"voc_{kind}_released", f"voc_{kind}_released_latents") for kind in ("vae", "dino")),
    Headline(
        "occupancy_chains.summary", "how many times closer to the true value than the reference",
        "occupancy_chains", "learner", value="times_closer", measure="kind", measures=2, count="runs",
    ),
    Headline(
        "video_prediction.summary", "predicted videos", "robot_episodes", "predictor",
        rows={"robot": ("all",)}, measure="metric", count="episodes", floors=frozenset({"first_frame"}),
        ceilings=frozenset({"codec"}),
    ),
    Headline(
        "open_loop.errors", "error of predicted actions, less is better", "robot_episodes", "predictor",
        rows={"part": ("all",), "predictor": ("policy", "mean_action", "last_action")}, measure="measure",
        count="episodes", floors=frozenset({"mean_action", "last_action"}),
    ),
    Headline(
        "rollout.successes", "share of episodes in which the policy does what it is told", "rollout",
        "condition", value="success", rows={"task": ("all",)}, count="episodes",
        floors=frozenset({"untrained", "uniform", "still"}), ceilings=frozenset({"scripted"}),
    ),
    Headline(
        "ablate_vpp_policy.table", "share of episodes in which the policy does what it is told",
        "robot_episodes", "policy", value="success", measure="execute_steps", count="episodes",
    ),
    Headline(
        "calvin*.calvin_lengths", "instructions followed in a row, of five", "calvin", "policy",
        value="average_length", count="sequences", floors=frozenset({"random", "still"}),
        ceilings=frozenset({"expert"}),
    ),
)  # fmt: skip
"""One for every evaluation with intervals."""


def headline_of(dataset: str) -> Headline | None:
    """The headline that a table is; none for any other dataset."""
    return next((headline for headline in HEADLINES if fnmatchcase(dataset, headline.dataset)), None)


def measured_count(headline: Headline, table: "pd.DataFrame") -> int | None:
    """How many sequences, videos or episodes are behind the headline; none if nothing was scored."""
    rows = _rows(headline, table)
    return int(rows[headline.count].max()) if headline.count and len(rows) else None


def headline_lines(headline: Headline, table: "pd.DataFrame") -> list[str]:
    """The table for a console: a line for every contender, its interval, and whether it is a floor."""
    rows = _rows(headline, table)
    if rows.empty:
        return [f"{headline.what}: nothing was scored, for there is no annotation"]
    lines = [f"{headline.what}, with 95 % intervals"]
    for measure, own in _by_measure(headline, rows):
        lines += [f"  {measure}"] if measure else []
        names = own[headline.contender].astype(str)
        width = max(map(len, names))
        for name, row in zip(names, own.to_dict("records"), strict=True):
            lines.append(
                f"    {name:<{width}}  {_numbers(row, headline.value)}{_role(headline, name)}".rstrip()
            )
    return lines


def _rows(headline: Headline, table: "pd.DataFrame") -> "pd.DataFrame":
    for column, values in headline.rows.items():
        table = table[table[column].isin(values)]
    return table


def _by_measure(headline: Headline, rows: "pd.DataFrame") -> Iterator[tuple[str, "pd.DataFrame"]]:
    if headline.measure is None:
        yield "", rows.head(_MOST_ROWS)
        return
    for measure in list(dict.fromkeys(rows[headline.measure]))[: headline.measures]:
        yield str(measure), rows[rows[headline.measure] == measure].head(_MOST_ROWS)


def _numbers(row: Mapping[Any, Any], value: str) -> str:
    number = f"{row[value]:8.3g}"
    low, high = row.get("low"), row.get("high")
    return number if low is None or math.isnan(low) else f"{number}  [{low:.3g}, {high:.3g}]"


def _role(headline: Headline, name: str) -> str:
    return "  floor" if name in headline.floors else "  ceiling" if name in headline.ceilings else ""
