"""Phase progression: how far is a frame from the end of each phase?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddedVideo, EmbeddingSet


@dataclass(frozen=True)
class PhaseProgression:
    """Outcome for one share of the training videos.

    Attributes:
        fraction: Share of the training videos, in (0, 1].
        train_score: Mean R^2 on the frames trained on.
        score: Mean over the phase ends of R^2 on the validation frames, at most 1.
        scores: (K - 1,) R^2 of each phase end; NaN where no validation video has it.
        absent: Pairs of a validation video and a phase end that it lacks, which are left out.
    """

    fraction: float
    train_score: float
    score: float
    scores: NDArray[np.float64]
    absent: int


def progression_targets(video: EmbeddedVideo, phases: int) -> NDArray[np.float64]:
    """Signed distances in time (T, phases - 1) to the last frame of each phase but the last one.

    They are in units of the video's length. A column is NaN where the video lacks the phase (the published
    evaluation fails there).
    """
    frames = len(video)
    targets = np.full((frames, phases - 1), np.nan)
    for phase in range(phases - 1):
        present = np.flatnonzero(video.phases == phase)
        if len(present):
            targets[:, phase] = (np.arange(frames) - present[-1]) / frames
    return targets


def score_progression(
    train: EmbeddingSet,
    validation: EmbeddingSet,
    phases: int,
    fractions: Sequence[float] = (0.1, 0.5, 1.0),
) -> list[PhaseProgression]:
    """Least-squares regression from embeddings to the distance from each phase's end.

    Args:
        train: Labelled training frames; a fraction takes its first videos.
        validation: Labelled validation frames.
        phases: Number of phases of the activity, at least 2.
        fractions: Shares of the training videos; the last one is the headline.

    Raises:
        InputError: No phase end occurs both in training and in validation.
    """
    return [_score(train.first(fraction), validation, phases, fraction) for fraction in fractions]


def _score(train: EmbeddingSet, validation: EmbeddingSet, phases: int, fraction: float) -> PhaseProgression:
    inputs, targets = train.stacked()[0], _targets(train, phases)
    frames, truth = validation.stacked()[0], _targets(validation, phases)
    ends = [_end_scores(inputs, targets[:, end], frames, truth[:, end]) for end in range(phases - 1)]
    scores = np.array([score for _, score in ends])
    if np.isnan(scores).all():
        raise InputError("Phase progression: no phase end occurs both in training and in validation videos.")
    absent = sum(int(np.isnan(progression_targets(video, phases)[0]).sum()) for video in validation.videos)
    train_scores = np.array([score for score, _ in ends])
    return PhaseProgression(
        fraction, float(np.nanmean(train_scores)), float(np.nanmean(scores)), scores, absent
    )


def _targets(videos: EmbeddingSet, phases: int) -> NDArray[np.float64]:
    return np.concatenate([progression_targets(video, phases) for video in videos.videos])


def _end_scores(
    inputs: NDArray[np.floating],
    targets: NDArray[np.float64],
    frames: NDArray[np.floating],
    truth: NDArray[np.float64],
) -> tuple[float, float]:
    """R^2 on training and validation frames of one phase end, NaN where it does not occur."""
    known, asked = ~np.isnan(targets), ~np.isnan(truth)
    if not known.any():
        return np.nan, np.nan
    model = LinearRegression().fit(inputs[known], targets[known])
    train_score = float(model.score(inputs[known], targets[known]))
    return train_score, float(model.score(frames[asked], truth[asked])) if asked.any() else np.nan
