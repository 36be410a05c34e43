"""The counterfactual test carried out on many tables, and its shares with intervals beside chance."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.evaluation.bootstrap import mean_over_members, wilson_interval
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.counterfactual import MEASURES, ObjectChange, judge_table
from vidrep_pipelines.evaluation.video_prediction.summary import bootstrapped
from vidrep_pipelines.evaluation.video_prediction.system import (
    CODEC,
    FIRST_FRAME,
    MODEL,
    PREDICTORS,
    WITHOUT_TEXT,
    MeasuredSystem,
    Predict,
)
from vidrep_pipelines.evaluation.video_prediction.tables import CounterfactualTable

EVERY_COMBINATION = "all"
"""Stands for instructions whose combination was trained on and those whose was not."""

_COLUMNS = [
    *("combination", "predictor", "measure", "value", "low", "high", "wilson_low", "wilson_high"),
    *("chance", "above_chance", "above_low", "above_high", "instructions", "tables"),
]


@torch.inference_mode()
def judge_tables(
    tables: Sequence[CounterfactualTable],
    system: MeasuredSystem,
    moved: ObjectChange,
    seeds: Sequence[int],
    batch_size: int,
) -> pd.DataFrame:
    """Predicts and judges every table with every seed.

    All instructions of a table are sampled from the same noise, so that nothing but the words differs.

    Returns:
        The rows of :func:`judge_table`, with the columns predictor and seed.
    """
    parts = []
    with Progress(len(tables) * len(seeds), "counterfactual test", "table") as progress:
        for table in tables:
            for seed in seeds:
                for name, videos in counterfactual_predictions(table, system, seed, batch_size).items():
                    parts.append(judge_table(table, videos, moved).assign(predictor=name, seed=seed))
                progress.advance(1)
    return pd.concat(parts, ignore_index=True)


@torch.inference_mode()
def counterfactual_predictions(
    table: CounterfactualTable, system: MeasuredSystem, seed: int, batch_size: int
) -> dict[str, Tensor]:
    """What the model, the floors and the ceiling make of a table, for each predictor (K, F, 3, H, W)."""
    truths = torch.from_numpy(table.truths).movedim(-1, -3).float() / 255
    first, noise = truths[:, 0], [seed_for(seed, table.name)]
    untold = system.predict_without_text(first[:1], table.texts[:1], noise)
    codec = torch.cat(
        [system.round_trip(part.flatten(0, 1)).cpu() for part in torch.split(truths, batch_size)]
    )
    return {
        MODEL: told_predictions(table, system.predict, seed, batch_size),
        WITHOUT_TEXT: untold.cpu().expand_as(truths),
        FIRST_FRAME: first[:, None].expand_as(truths),
        CODEC: codec.reshape_as(truths),
    }


@torch.inference_mode()
def told_predictions(table: CounterfactualTable, predict: Predict, seed: int, batch_size: int) -> Tensor:
    """What a model makes of a table under each of its K instructions, all from the same noise.

    Returns:
        (K, F, 3, H, W) in 0..1 on the CPU.
    """
    texts = table.texts
    first = torch.from_numpy(table.truths[:, 0]).movedim(-1, -3).float() / 255
    noise = [seed_for(seed, table.name)] * len(texts)
    parts = [slice(start, start + batch_size) for start in range(0, len(texts), batch_size)]
    return torch.cat([predict(first[part], texts[part], noise[part]) for part in parts]).cpu()


def counterfactual_summary(judged: pd.DataFrame, config: ReconstructionEvaluationConfig) -> pd.DataFrame:
    """Shares with two intervals, beside chance.

    The bootstrap draws whole tables. Where nearly all answers are alike it has nothing to vary, so Wilson's
    interval (1927) stands beside it, computed as if a table gave one answer, however many instructions it
    has, which is wider than the truth.

    Args:
        judged: The rows of :func:`judge_tables`.
        config: Confidence, resamples and seed of the intervals.

    Returns:
        Columns combination (``all`` first), predictor, measure, value, low, high, wilson_low, wilson_high,
        chance, above_chance, above_low, above_high (the difference, table by table), instructions, tables.
    """
    if judged.empty:
        return pd.DataFrame(columns=_COLUMNS)
    rows: list[dict[str, Any]] = []
    for combination, predictor, own in _groups(judged.assign(**_chances(judged))):
        for measure in MEASURES:
            known = own[own[measure].notna()]
            if len(known):
                fixed = {"combination": combination, "predictor": predictor, "measure": measure}
                rows.append({**fixed, **_share(known, measure, config)})
    return pd.DataFrame(rows, columns=_COLUMNS)


def tracked_shares(summary: pd.DataFrame) -> dict[str, Any]:
    """The model's shares as nested numbers: kind of combination, measure."""
    numbers: dict[str, Any] = {}
    for row in summary.to_dict("records"):
        if row["predictor"] == MODEL:
            numbers.setdefault(row["combination"], {})[row["measure"]] = row["value"]
    return numbers


def _groups(judged: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for combination in [EVERY_COMBINATION, *sorted(set(judged["combination"]))]:
        all_of_them = combination == EVERY_COMBINATION
        own = judged if all_of_them else judged[judged["combination"] == combination]
        for predictor in PREDICTORS:
            yield combination, predictor, own[own["predictor"] == predictor]


def _chances(judged: pd.DataFrame) -> "dict[str, pd.Series[float]]":
    """What one would get by chance: from the truth of a random instruction, or by moving a random object."""
    nearest, named = judged["chance_nearest"], judged["chance_object"]
    levels = {name: nearest if name.startswith("nearest") else named for name in MEASURES}
    levels["other_object_moves"] = 1 - named
    return {f"chance_{name}": level for name, level in levels.items()}


def _share(rows: pd.DataFrame, measure: str, config: ReconstructionEvaluationConfig) -> dict[str, float]:
    above = rows[measure] - rows[f"chance_{measure}"]
    by_table = [
        bootstrapped(len(groups), mean_over_members(groups), config)
        for groups in (_by_table(rows, column) for column in (rows[measure], above))
    ]
    share, excess = by_table
    tables = int(rows["table"].nunique())
    low, high = wilson_interval(share["value"], tables, config.confidence)
    return {
        **share,
        "wilson_low": low,
        "wilson_high": high,
        "chance": float(rows[f"chance_{measure}"].mean()),
        "above_chance": excess["value"],
        "above_low": excess["low"],
        "above_high": excess["high"],
        "instructions": len(rows),
        "tables": tables,
    }


def _by_table(rows: pd.DataFrame, column: "pd.Series[float]") -> list[Any]:
    return [values.to_numpy(np.float64) for _, values in column.groupby(rows["table"], sort=False)]
