"""Phase classification: which phase of the activity is a frame in, from its embedding alone?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet

_ITERATIONS = 100_000


@dataclass(frozen=True)
class PhaseClassification:
    """Outcome for one share of the training videos.

    Attributes:
        fraction: Share of the training videos, in (0, 1].
        train_accuracy: Correct frames among those trained on, in [0, 1].
        accuracy: Correct frames among all frames of the validation videos, in [0, 1].
        correct: (V,) correct frames of each validation video.
        predictions: (N,) predicted phase of every validation frame.
    """

    fraction: float
    train_accuracy: float
    accuracy: float
    correct: NDArray[np.int64]
    predictions: NDArray[np.integer]


def classify_phases(
    train: EmbeddingSet, validation: EmbeddingSet, fractions: Sequence[float] = (0.1, 0.5, 1.0)
) -> list[PhaseClassification]:
    """Multinomial logistic regression on frames (L2 penalty of strength 1), for shares of the videos.

    The published numbers were computed when scikit-learn treated two classes as two softmax outputs. That is
    today's binary regression with half the penalty, ``C = 2``.

    Args:
        train: Labelled training frames; a fraction takes its first videos.
        validation: Labelled validation frames.
        fractions: Shares of the training videos; the last one is the headline.
    """
    return [_classify(train.first(fraction), validation, fraction) for fraction in fractions]


def _classify(train: EmbeddingSet, validation: EmbeddingSet, fraction: float) -> PhaseClassification:
    embeddings, phases = train.stacked()
    frames, truth = validation.stacked()
    predict = _fitted(embeddings, phases)
    predictions = predict(frames)
    right = predictions == truth
    starts = np.concatenate([[0], np.cumsum(validation.lengths)[:-1]])
    return PhaseClassification(
        fraction,
        train_accuracy=float(np.mean(predict(embeddings) == phases)),
        accuracy=float(right.mean()),
        correct=np.add.reduceat(right.astype(np.int64), starts),
        predictions=predictions,
    )


class _Constant:
    """What there is to learn from a single phase."""

    def __init__(self, phase: np.integer) -> None:
        self._phase = phase

    def __call__(self, frames: NDArray[np.floating]) -> NDArray[np.integer]:
        return np.full(len(frames), self._phase)


class _Regression:
    """A fitted logistic regression."""

    def __init__(
        self, embeddings: NDArray[np.floating], phases: NDArray[np.integer], strength: float
    ) -> None:
        self._model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
        self._model.fit(embeddings, phases)

    def __call__(self, frames: NDArray[np.floating]) -> NDArray[np.integer]:
        predictions: NDArray[np.integer] = self._model.predict(frames)
        return predictions


def _fitted(embeddings: NDArray[np.floating], phases: NDArray[np.integer]) -> _Constant | _Regression:
    present = np.unique(phases)
    if len(present) == 1:
        return _Constant(present[0])
    return _Regression(embeddings, phases, strength=2.0 if len(present) == 2 else 1.0)
