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
        system: What was trained, where its name as a contender does not say it; ``*`` as in ``dataset``.
        trained: That name.
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
    system: str = ""
    trained: str = ""
    floors: frozenset[str] = frozenset()
    ceilings: frozenset[str] = frozenset()

    def role(self, contender: str) -> str:
        """``floor`` for what needs no training, ``ceiling`` for what knows too much, else nothing."""
        return "floor" if contender in self.floors else "ceiling" if contender in self.ceilings else ""

    def system_of(self, contender: str, dataset: str) -> str:
        """The name of what was measured, over all evaluations.

        Args:
            contender: Its name in the table.
            dataset: Name of the table in the catalog.
        """
        if not self.system or not (self.rows_are_measures or contender == self.trained):
            return contender
        star = self.dataset.partition("*")
        middle = dataset.removeprefix(star[0]).removesuffix(star[2]) if star[1] else ""
        return self.system.replace("*", middle)

    @property
    def names_system(self) -> bool:
        """Whether the table's namespace is a system's name, which says nothing of the evaluation."""
        return self.dataset.startswith("*") or self.dataset.startswith(f"{self.system}.")

    @property
    def rows_are_measures(self) -> bool:
        """Whether a row is a measure of the one system, not a contender."""
        return self.contender == "metric" and not self.floors


_ENCODER_FLOORS = frozenset({"random", "pixels"})
_BASELINES = frozenset({
    *("value_error_constant", "value_error_regression", "value_error_place_regression"),
})  # fmt: skip
_OCCUPANCY = ("value_error", *sorted(_BASELINES))


def _label_propagation(task: str) -> Headline:
    return Headline(
        f"{task}.summary", "label propagation, %", task, "encoder", measure="measure", count="sequences",
        floors=_ENCODER_FLOORS,
    )  # fmt: skip


def _phases(model: str, release: str) -> Headline:
    return Headline(
        f"{model}.phases_summary", "embeddings of frames", release, "encoder", measure="measure", measures=2,
        count="videos", system=model, trained="trained",
        floors=frozenset({"untrained", "pixels", "clock", "chance"}),
    )  # fmt: skip


def _occupancy(model: str, data: str) -> Headline:
    return Headline(
        f"{model}.occupancy_scores", "values of held-out episodes, less is better", data, "metric",
        rows={"metric": _OCCUPANCY}, count="episodes", system=model, trained="value_error",
        floors=_BASELINES,
    )  # fmt: skip


HEADLINES = (
    _label_propagation("davis"),
    _label_propagation("jhmdb"),
    _label_propagation("vip"),
    Headline(
        "points.summary", "points followed, %", "points", "encoder", measure="measure", measures=2,
        count="sequences", floors=_ENCODER_FLOORS | {"still"},
    ),
    Headline(
        "probe.summary", "classes of clips, %", "probe_clips", "encoder", measure="measure", measures=3,
        count="clips", floors=_ENCODER_FLOORS | {"chance"},
    ),
    Headline(
        "compare_encoders.table", "encoders by evaluations, %", "compare_encoders", "encoder",
        measure="evaluation", measures=3,
        floors=_ENCODER_FLOORS | {"timm_random", "still", "chance", "clock"},
    ),
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
        rows={"robot": ("all",), "metric": ("psnr", "ssim", "lpips")}, count="videos", system="*",
    ),
    Headline(
        "rate_distortion.summary", "held-out clips at equal bits", "robonet", "contender",
        rows={"metric": ("psnr",)}, measure="measure", measures=3, count="clips",
        floors=frozenset({"jpeg", "webp", "area", "nearest"}),
    ),
    *(_occupancy(f"voc_{kind}", "dmc") for kind in ("vae", "dino", "musik", "joint")),
    *(_occupancy(f"voc_{kind}_released", f"voc_{kind}_released_latents") for kind in ("vae", "dino")),
    Headline(
        "voc_acting.acting_summary", "share of episodes in which the arm does its activity", "dmc",
        "condition", value="success", count="episodes", system="voc_acting", trained="occupancy",
        floors=frozenset({"returns", "retrieved", "cloned", "cloned_best", "random", "still"}),
        ceilings=frozenset({"scripted"}),
    ),
    Headline(
        "occupancy_chains.summary", "how many times closer to the true value than the reference",
        "occupancy_chains", "learner", value="times_closer", measure="kind", measures=2, count="runs",
    ),
    Headline(
        "video_prediction.summary", "predicted videos", "robot_episodes", "predictor",
        rows={"robot": ("all",)}, measure="metric", count="episodes", system="vpp_video",
        trained="model", floors=frozenset({"first_frame"}), ceilings=frozenset({"codec"}),
    ),
    Headline(
        "open_loop.errors", "error of predicted actions, less is better", "robot_episodes", "predictor",
        rows={"part": ("all",), "predictor": ("policy", "mean_action", "last_action")}, measure="measure",
        count="episodes", system="vpp_policy", trained="policy",
        floors=frozenset({"mean_action", "last_action"}),
    ),
    Headline(
        "rollout.successes", "share of episodes in which the policy does what it is told", "rollout",
        "condition", value="success", rows={"task": ("all",)}, count="episodes",
        system="vpp_policy", trained="trained", floors=frozenset({"untrained", "uniform", "still"}),
        ceilings=frozenset({"scripted", "scripted_coded"}),
    ),
    Headline(
        "robot.summary", "cloned behavior does its task, %", "robot_demos", "encoder",
        rows={"task": ("all",)}, measure="measure", measures=2, count="episodes",
        floors=_ENCODER_FLOORS | {"proprioception"}, ceilings=frozenset({"state", "expert"}),
    ),
    Headline(
        "ablate_vpp_policy.table", "share of episodes in which the policy does what it is told",
        "robot_episodes", "policy", value="success", measure="execute_steps", count="episodes",
    ),
    Headline(
        "ablate_vpp_policy.instruction_scores",
        "share of instructions that predictions follow, by the policy on the video model's features",
        "robot_episodes", "policy", measure="measure", count="tables", floors=frozenset({"untrained"}),
    ),
    Headline(
        "calvin*.calvin_lengths", "instructions followed in a row, of five", "calvin", "policy",
        value="average_length", count="sequences", system="vpp_policy", trained="trained",
        floors=frozenset({"random", "still"}), ceilings=frozenset({"expert"}),
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


@dataclass(frozen=True)
class HeadlineRow:
    """A number of a headline.

    Attributes:
        contender: What was measured, as the table calls it.
        value: The number.
        low: Lower end of its 95 % interval, if it has one.
        high: Upper end.
        role: Whether it is a floor or a ceiling.
    """

    contender: str
    value: float
    low: float | None
    high: float | None
    role: str


def headline_rows(
    headline: Headline, table: "pd.DataFrame", measures: int | None = None
) -> list[tuple[str, list[HeadlineRow]]]:
    """The rows of the headline by measure; the measure's name is empty where there is only one.

    Args:
        headline: Which rows are meant.
        table: The table.
        measures: How many measures at most. None: those of the headline.
    """
    most = headline.measures if measures is None else measures
    return [
        (measure, [_row(headline, row) for row in own.to_dict("records")])
        for measure, own in _by_measure(headline, _rows(headline, table), most)
    ]


def headline_lines(headline: Headline, table: "pd.DataFrame") -> list[str]:
    """The table for a console: a line for every contender, its interval, and whether it is a floor."""
    if _rows(headline, table).empty:
        return [f"{headline.what}: nothing was scored, for there is no annotation"]
    lines = [f"{headline.what}, with 95 % intervals"]
    for measure, rows in headline_rows(headline, table):
        lines += [f"  {measure}"] if measure else []
        width = max(len(row.contender) for row in rows)
        for row in rows:
            interval = "" if row.low is None or row.high is None else f"  [{row.low:.3g}, {row.high:.3g}]"
            role = f"  {row.role}" if row.role else ""
            lines.append(f"    {row.contender:<{width}}  {row.value:8.3g}{interval}{role}".rstrip())
    return lines


def _row(headline: Headline, row: Mapping[Any, Any]) -> HeadlineRow:
    name, low, high = str(row[headline.contender]), row.get("low"), row.get("high")
    value, role = float(row[headline.value]), headline.role(name)
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return HeadlineRow(name, value, None, None, role)
    return HeadlineRow(name, value, float(low), float(high), role)


def _rows(headline: Headline, table: "pd.DataFrame") -> "pd.DataFrame":
    for column, values in headline.rows.items():
        table = table[table[column].isin(values)]
    return table


def _by_measure(headline: Headline, rows: "pd.DataFrame", most: int) -> Iterator[tuple[str, "pd.DataFrame"]]:
    if headline.measure is None:
        yield "", rows.head(_MOST_ROWS)
        return
    for measure in list(dict.fromkeys(rows[headline.measure]))[:most]:
        yield str(measure), rows[rows[headline.measure] == measure].head(_MOST_ROWS)
