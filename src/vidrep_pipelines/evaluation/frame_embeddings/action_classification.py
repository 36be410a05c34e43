"""Action classification: which activity does a video show, from the mean of its embeddings?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet

_ITERATIONS = 100_000


@dataclass(frozen=True)
class ActionClassification:
    """Outcome on the validation videos.

    Attributes:
        accuracy: Correct videos, in [0, 1].
        correct: (V,) whether each validation video was recognized.
    """

    accuracy: float
    correct: NDArray[np.bool_]


def classify_actions(
    train: EmbeddingSet,
    train_actions: NDArray[np.str_],
    validation: EmbeddingSet,
    validation_actions: NDArray[np.str_],
) -> ActionClassification:
    """Multinomial logistic regression on one mean embedding per video (L2 penalty of strength 1).

    Args:
        train: Training videos; phases are not used.
        train_actions: (N,) their actions.
        validation: Validation videos.
        validation_actions: (V,) their actions.

    Raises:
        InputError: The training videos are of fewer than two actions.
    """
    if len(np.unique(train_actions)) < 2:
        raise InputError(
            f"Action classification: all {len(train)} training videos are of one action. Remedy: leave the "
            "task out."
        )
    model = LogisticRegression(max_iter=_ITERATIONS).fit(_means(train), train_actions)
    correct: NDArray[np.bool_] = model.predict(_means(validation)) == validation_actions
    return ActionClassification(float(correct.mean()), correct)


def _means(videos: EmbeddingSet) -> NDArray[np.float64]:
    """(V, D) mean embedding of each video."""
    frames, _ = videos.stacked()
    starts = np.cumsum([0, *videos.lengths[:-1]])
    means: NDArray[np.float64] = np.add.reduceat(frames.astype(np.float64), starts) / videos.lengths[:, None]
    return means
