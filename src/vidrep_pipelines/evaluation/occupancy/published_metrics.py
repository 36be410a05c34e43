"""The metrics of the released code, which are kept under its names although they are biased."""

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray

_LONGEST_HORIZON = 10


def published_horizon(gamma: float) -> int:
    """Steps J after which the released latent scripts cut the truth: ``1 / (1 - gamma)``, at most 10."""
    return min(int(1 / (1 - gamma)), _LONGEST_HORIZON)


def share_within(gamma: float, horizon: int) -> float:
    """What a cut truth holds of a constant stream of rewards: ``1 - gamma^J``.

    A perfect model is off by the rest, since its values go on forever.
    """
    return 1 - gamma**horizon


def discounted_sum(rewards: FloatArray, gamma: float) -> FloatArray:
    """``sum_j gamma^j r_j`` over the first axis of (J, ...)."""
    total: FloatArray = np.tensordot(gamma ** np.arange(len(rewards)), rewards, axes=1)
    return total


def mean_squared_error(predicted: FloatArray, actual: FloatArray) -> float:
    """The released value error."""
    return float(np.mean((predicted - actual) ** 2))


def density_weights(log_probabilities: FloatArray, raw_logits: FloatArray) -> FloatArray:
    """Weights of the density metric.

    The sum of the logarithms is divided by the number of tokens plus that of the tokens with a negative raw
    logit: a normalization of beam scores, misapplied. So these are neither probabilities nor densities.

    Args:
        log_probabilities: (..., T) of the tokens of a future state.
        raw_logits: (..., T) of the same tokens.

    Returns:
        (...).
    """
    divisor = log_probabilities.shape[-1] + (raw_logits < 0).sum(axis=-1)
    weights: FloatArray = np.exp(log_probabilities.sum(axis=-1) / divisor)
    return weights


def density_values(weights: FloatArray, rewards: FloatArray) -> FloatArray:
    """Predicted values (B,) of the density metric: rewards (J, B) of true future states by their weights."""
    values: FloatArray = (weights * rewards).sum(axis=0)
    return values
