"""All tasks on the embeddings of several encoders: tables with intervals, and what was left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings import tasks
from vidrep_pipelines.evaluation.frame_embeddings.clock import FrameArrays
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.embedded_release import (
    ActionVideos,
    EmbeddedRelease,
    join_releases,
)
from vidrep_pipelines.evaluation.frame_embeddings.scores import (
    OVERALL,
    Dropped,
    Resampled,
    Score,
    draw_videos,
)

SUMMARY_COLUMNS = (
    "measure",
    "encoder",
    "value",
    "low",
    "high",
    "lead",
    "lead_low",
    "lead_high",
    "actions",
    "videos",
)
"""Values, bounds of 95 % intervals, and by how much the first encoder is ahead of this one, with bounds.
Accuracies and precisions are in [0, 1], R^2 at most 1, tau in [-1, 1]. ``actions`` and ``videos`` count
those behind the value."""

PER_ACTION_COLUMNS = ("action", *(name for name in SUMMARY_COLUMNS if name != "actions"))

Scores = dict[tuple[str, str], Score]
"""Scores by measure and action."""

Samples = Mapping[str, Mapping[str, Resampled]]
"""Scores of one measure by encoder and action."""


def score_tables(scores: Mapping[str, Scores], resamples: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables with ``SUMMARY_COLUMNS`` and ``PER_ACTION_COLUMNS``; measures in the order of the scores.

    Args:
        scores: Scores by encoder; the first encoder is compared with the others.
        resamples: How often videos are drawn anew.
    """
    draws = cache(partial(draw_videos, resamples=resamples))
    summary, per_action = [], []
    for measure in dict.fromkeys(name for of_encoder in scores.values() for name, _ in of_encoder):
        own = {encoder: _of_measure(of_encoder, measure) for encoder, of_encoder in scores.items()}
        samples = {
            encoder: {
                action: score.resampled(draws(action, score.split, score.videos))
                for action, score in by_action.items()
            }
            for encoder, by_action in own.items()
        }
        for encoder, by_action in own.items():
            actions = [action for action in by_action if action != OVERALL]
            for action in actions:
                numbers = _numbers(samples, encoder, [action])
                per_action.append((action, measure, encoder, *numbers, by_action[action].videos))
            if by_action:
                counted = [action for action in actions if not np.isnan(samples[encoder][action].value)]
                videos = sum(by_action[action].videos for action in counted)
                numbers = _numbers(samples, encoder, [OVERALL] if OVERALL in by_action else actions)
                summary.append((measure, encoder, *numbers, len(counted), videos))
    return (
        pd.DataFrame(summary, columns=list(SUMMARY_COLUMNS)),
        pd.DataFrame(per_action, columns=list(PER_ACTION_COLUMNS)),
    )


def _of_measure(scores: Scores, measure: str) -> dict[str, Score]:
    return {action: score for (name, action), score in scores.items() if name == measure}


def _numbers(samples: Samples, encoder: str, actions: list[str]) -> tuple[float, ...]:
    """Value and lead with their bounds, as means over the actions."""
    own, first = samples[encoder], next(iter(samples.values()))
    value = Resampled.mean([own[action] for action in actions]).interval()
    leads = [first[action].lead_over(own[action]) for action in actions if action in first]
    lead = Resampled.mean(leads).interval()
    return value.value, value.low, value.high, lead.value, lead.low, lead.high


_PER_ACTION: dict[str, Callable[[ActionVideos], Iterable[tasks.TaskOutcome]]] = {
    "phase_classification": tasks.phase_classification,
    "phase_progression": tasks.phase_progression,
    "kendall_tau": tasks.order_in_time,
    "retrieval": tasks.retrieval,
}

Run = Callable[[], Iterable[tasks.TaskOutcome]]


@dataclass(frozen=True)
class EmbeddingsReport:
    """What was measured.

    Attributes:
        summary: ``SUMMARY_COLUMNS``; all actions together: each counts alike, except in ``linear_probe`` and
            ``action_classification``, which know all actions at once.
        per_action: ``PER_ACTION_COLUMNS``.
        dropped: Columns of ``Dropped``: videos, pairs, phases and actions that do not count.
    """

    summary: pd.DataFrame
    per_action: pd.DataFrame
    dropped: pd.DataFrame


def measure_embeddings(
    labelled: LabelledVideos,
    encoders: Mapping[str, FrameArrays],
    config: PhasesConfig,
    device: str = "cpu",
    paused: Mapping[str, FrameArrays] | None = None,
) -> EmbeddingsReport:
    """Measures several encoders on the same videos.

    An action that a task cannot be measured on, for want of videos or phases, is left out of that task and
    listed with the reason.

    Args:
        labelled: The release.
        encoders: Embeddings by encoder; the first one is compared with the others.
        config: Tasks.
        device: The device that the linear probe is trained on.
        paused: By encoder, the measured videos embedded with a pause in them, without the inserted frames;
            ``inserted_pause`` is measured of these encoders only.

    Raises:
        InputError: Nothing could be measured, or labels and embeddings do not fit one another.
    """
    releases, dropped = join_releases(labelled, encoders, config)
    scores: dict[str, Scores] = {}
    # Matrices of one embedding width are so small that threads wait for one another longer than they compute.
    with threadpool_limits(limits=1, user_api="blas"):
        for encoder, release in releases.items():
            again = None
            if paused and encoder in paused and "inserted_pause" in config.tasks:
                again = _with_pauses(labelled, release, paused[encoder])
            scores[encoder], left_out = _measure(release, encoder, device, again)
            dropped += left_out
    if not any(scores.values()):
        reasons = "\n".join(dict.fromkeys(f"{item.task} of {item.action}: {item.reason}" for item in dropped))
        raise InputError(f"None of {', '.join(config.tasks)} could be measured.\n{reasons}")
    return EmbeddingsReport(
        *score_tables(scores, config.resamples),
        pd.DataFrame(dropped, columns=list(Dropped._fields)).astype("string"),
    )


def _with_pauses(labelled: LabelledVideos, release: EmbeddedRelease, paused: FrameArrays) -> EmbeddedRelease:
    """The measured videos of a release, embedded with a pause."""
    measured = release.table.loc[release.table["split"] == release.config.split, "id"]
    return EmbeddedRelease.of(labelled, paused, set(measured), release.config)


def _measure(
    release: EmbeddedRelease, encoder: str, device: str, paused: EmbeddedRelease | None
) -> tuple[Scores, list[Dropped]]:
    """Scores of all tasks, and what was left out."""
    scores: Scores = {}
    dropped: list[Dropped] = []
    for task, action, run in _runs(release, device, paused):
        try:
            for outcome in run():
                if isinstance(outcome, Score):
                    scores[outcome.measure, outcome.action] = outcome
                else:
                    dropped.append(Dropped(task, encoder, action, *outcome))
        except InputError as error:
            dropped.append(Dropped(task, encoder, action, "", str(error)))
    return scores, dropped


def _runs(
    release: EmbeddedRelease, device: str, paused: EmbeddedRelease | None
) -> Iterator[tuple[str, str, Run]]:
    """Task, action, and what yields scores and left out items; in the order of the parameters."""
    for task in release.config.tasks:
        if task == "linear_probe":
            yield task, OVERALL, partial(tasks.linear_probe, release, device)
        elif task == "action_classification":
            yield task, OVERALL, partial(tasks.action_classification, release)
        elif task == "inserted_pause":
            for action in release.actions if paused is not None else []:
                assert paused is not None
                again = paused.split(release.config.split, action.name)
                yield task, action.name, partial(tasks.inserted_pause, action, again)
        else:
            for action in release.actions:
                yield task, action.name, partial(_PER_ACTION[task], action)
