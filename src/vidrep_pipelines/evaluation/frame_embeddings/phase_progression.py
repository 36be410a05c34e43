"""Phase progression: how far is a frame from the end of each phase?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddedVideo, EmbeddingSet

_ROUNDING = 1e-12
"""A spread that is smaller than this share of the squares is that of equal targets."""


@dataclass(frozen=True)
class ProgressionSums:
    """What R^2 of any selection of the validation videos follows from, (V, K - 1) each.

    Attributes:
        count: Frames; 0 where the video lacks the phase, or no training video has it.
        total: Sum of the targets.
        squares: Sum of their squares.
        errors: Sum of the squared errors of the prediction.
    """

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    errors: NDArray[np.float64]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """R^2 (R, K - 1) for R selections, given as how often each video counts (R, V).

        NaN where there is no frame, or where all targets are equal.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            squares = weights @ self.squares
            spread = squares - (weights @ self.total) ** 2 / (weights @ self.count)
            explained: NDArray[np.float64] = 1 - weights @ self.errors / spread
        return np.where(spread > _ROUNDING * squares, explained, np.nan)


@dataclass(frozen=True)
class PhaseProgression:
    """Outcome for one share of the training videos.

    Attributes:
        fraction: Share of the training videos, in (0, 1].
        train_score: Mean R^2 on the frames trained on.
        score: Mean over the phase ends of R^2 on the validation frames, at most 1.
        scores: (K - 1,) R^2 of each phase end; NaN where it cannot be learned or no validation video has it.
        absent: Pairs of a validation video and a phase end that it lacks, which are left out.
        sums: Per validation video.
    """

    fraction: float
    train_score: float
    score: float
    scores: NDArray[np.float64]
    absent: int
    sums: ProgressionSums


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
    fitted, predicted = _predictions(inputs, targets, frames)
    sums = _sums(validation, truth, predicted)
    scores = sums.scores(np.ones((1, len(validation))))[0]
    if np.isnan(scores).all():
        raise InputError("Phase progression: no phase end occurs both in training and in validation videos.")
    train_scores = _sums(train, targets, fitted).scores(np.ones((1, len(train))))[0]
    absent = sum(int(np.isnan(progression_targets(video, phases)[0]).sum()) for video in validation.videos)
    return PhaseProgression(
        fraction, float(np.nanmean(train_scores)), float(np.nanmean(scores)), scores, absent, sums
    )


def _predictions(
    inputs: NDArray[np.floating], targets: NDArray[np.float64], frames: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predictions for training frames and for others; NaN for ends that no training video has.

    Ends that are known of the same frames share one decomposition.
    """
    fitted = np.full((len(inputs), targets.shape[1]), np.nan)
    predicted = np.full((len(frames), targets.shape[1]), np.nan)
    known = ~np.isnan(targets)
    kinds, kind_of_end = np.unique(known, axis=1, return_inverse=True)
    for number, mask in enumerate(kinds.T):
        ends = np.flatnonzero(kind_of_end.reshape(-1) == number)
        if mask.any():
            model = LinearRegression().fit(inputs[mask], targets[mask][:, ends])
            fitted[:, ends], predicted[:, ends] = model.predict(inputs), model.predict(frames)
    return fitted, predicted


def _targets(videos: EmbeddingSet, phases: int) -> NDArray[np.float64]:
    return np.concatenate([progression_targets(video, phases) for video in videos.videos])


def _sums(
    videos: EmbeddingSet, targets: NDArray[np.float64], predicted: NDArray[np.float64]
) -> ProgressionSums:
    """Sums per video of targets (N, K - 1) that are known and predicted."""
    used = ~np.isnan(targets) & ~np.isnan(predicted)
    goals = np.where(used, targets, 0.0)
    errors = np.where(used, targets - predicted, 0.0)
    starts = np.cumsum([0, *videos.lengths[:-1]])
    count, total, squares, squared_errors = (
        np.add.reduceat(values, starts) for values in (used.astype(np.float64), goals, goals**2, errors**2)
    )
    return ProgressionSums(count, total, squares, squared_errors)
