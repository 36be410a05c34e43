"""Encoders side by side in telling classes of clips apart, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import IntArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.clips.class_list import class_ids
from vidrep_pipelines.data.sources.clip_labels import TRAIN_PART, VALIDATION_PART
from vidrep_pipelines.evaluation.bootstrap import LEVEL, RESAMPLES, Interval, wilson_interval
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig, ProbeHead
from vidrep_pipelines.evaluation.clip_probe.head_job import compared_clips, read_probed
from vidrep_pipelines.evaluation.clip_probe.probing import ProbedClips, chance_predictions
from vidrep_pipelines.evaluation.label_propagation.report import numbers_by_encoder
from vidrep_pipelines.evaluation.label_propagation.scoring import encoder_of, sequence_of
from vidrep_pipelines.fanout.parts import Parts

CHANCE = "chance"
"""The most frequent training class for every clip."""
PROBE_COLUMNS = ("measure", "encoder", "value", "low", "high", "lead", "lead_low", "lead_high", "clips")
"""Values and bounds of 95 % intervals in percent: Wilson's for shares, resampled clips for leads."""
_TOP = (1, 5)

ProbeReport = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]
"""All measures with intervals; accuracy per class; how often classes are taken for others; plain numbers."""


def probe_measure(head: ProbeHead, top: int = 1) -> str:
    """How a measure is called in tables and pictures."""
    return f"{head} top-{top}"


def compare_probes(
    encoders: Sequence[str],
    clips: pd.DataFrame,
    features: Parts,
    answers: Parts,
    config: ClipProbeConfig,
) -> ProbeReport:
    """All encoders by all heads, on the clips that all of them have features of.

    Args:
        encoders: Names of those that were asked for, in their order.
        clips: The table of labelled clips.
        features: What was extracted.
        answers: What the heads answered.
        config: Heads and settings.

    Raises:
        InputError: No head of any encoder could be measured.
    """
    compared = compared_clips(clips, features, encoders)
    known, names = (
        compared.loc[compared["part"] == part, "class_name"].tolist()
        for part in (TRAIN_PART, VALIDATION_PART)
    )
    classes = class_ids(known)
    labels = np.array([classes.get(name, -1) for name in names])
    train = np.array([classes[name] for name in known])
    probed = {item_id: read_probed(answers.path(item_id)) for item_id in answers.ids}
    summary = _summary(
        encoders, probed, chance_predictions(train, len(labels)) == labels, len(classes), config
    )
    metrics = {
        "clips": len(labels),
        "training_clips": len(train),
        "classes": len(classes),
        "clips_left_out": len(clips) - len(compared),
        "clips_of_unknown_classes": int((labels < 0).sum()),
        "encoders_without_result": [name for name in encoders if not _of(probed, name)],
        "settings": {item_id: one.setting for item_id, one in probed.items()},
        "encoders": numbers_by_encoder(summary),
    }
    return summary, _per_class(probed, names), _confusion(probed, labels, list(classes)), metrics


def paired_lead(first: NDArray[np.bool_], other: NDArray[np.bool_]) -> Interval:
    """How far one share of right answers is ahead of another on the same clips, in percent.

    Resampling clips draws how many of them only the one has right, and how many only the other: the counts
    are multinomial, so that any number of clips costs the same.
    """
    count = len(first)
    ahead, behind = int((first & ~other).sum()), int((~first & other).sum())
    shares = np.array([ahead, behind, count - ahead - behind]) / count
    draws = generator_for("probe lead").multinomial(count, shares, size=RESAMPLES)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(100 * (draws[:, 0] - draws[:, 1]) / count, [tail, 1 - tail])
    return Interval(100 * (ahead - behind) / count, float(low), float(high))


def _summary(
    encoders: Sequence[str],
    probed: Mapping[str, ProbedClips],
    by_chance: NDArray[np.bool_],
    classes: int,
    config: ClipProbeConfig,
) -> pd.DataFrame:
    rows: dict[int, list[tuple[object, ...]]] = {top: [] for top in _TOP}
    for head in config.probes:
        ranks = {name: probed[f"{name}/{head}"].ranks for name in encoders if f"{name}/{head}" in probed}
        if not ranks:
            raise InputError(f"No encoder has a result of the head {head}; the manifest of answers says why.")
        for top in (top for top in _TOP if top == 1 or top < classes):
            right = {name: own < top for name, own in ranks.items()}
            if top == 1:
                right[CHANCE] = by_chance
            first = next(iter(right.values()))
            for name, own in right.items():
                rows[top].append((probe_measure(head, top), name, *_numbers(own, first), len(own)))
    return pd.DataFrame([row for top in _TOP for row in rows[top]], columns=list(PROBE_COLUMNS))


def _numbers(right: NDArray[np.bool_], first: NDArray[np.bool_]) -> tuple[float, ...]:
    share, count = float(right.mean()), len(right)
    low, high = wilson_interval(share, count, LEVEL)
    lead = paired_lead(first, right)
    return (100 * share, 100 * low, 100 * high, lead.value, lead.low, lead.high)


def _per_class(probed: Mapping[str, ProbedClips], names: list[str]) -> pd.DataFrame:
    tables = []
    for item_id, one in probed.items():
        right = pd.DataFrame({"class_name": names, "right": one.ranks == 0})
        table = right.groupby("class_name")["right"].agg(clips="count", accuracy="mean").reset_index()
        table.insert(0, "head", sequence_of(item_id))
        table.insert(0, "encoder", encoder_of(item_id))
        tables.append(table.assign(accuracy=100 * table["accuracy"]))
    return pd.concat(tables, ignore_index=True)


def _confusion(probed: Mapping[str, ProbedClips], labels: IntArray, classes: list[str]) -> pd.DataFrame:
    """One row per encoder, head, true class and answer that occurs."""
    tables = []
    for item_id, one in probed.items():
        pairs = pd.DataFrame({"true": labels, "answer": one.predictions})
        table = pairs[pairs["true"] >= 0].value_counts().rename("clips").reset_index()
        for column in ("true", "answer"):
            table[column] = [classes[number] for number in table[column]]
        table.insert(0, "head", sequence_of(item_id))
        table.insert(0, "encoder", encoder_of(item_id))
        tables.append(table.sort_values(["true", "answer"]))
    return pd.concat(tables, ignore_index=True)


def _of(probed: Mapping[str, ProbedClips], encoder: str) -> list[str]:
    return [item_id for item_id in probed if encoder_of(item_id) == encoder]
