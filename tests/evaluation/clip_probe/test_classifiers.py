"""Heads on one feature per clip, against loops and against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from vidrep_pipelines.evaluation.clip_probe.classifiers import SoftmaxRegression, nearest_scores
from vidrep_pipelines.evaluation.clip_probe.config import LinearClipsConfig, NearestClipsConfig

CPU = torch.device("cpu")


@given(st.integers(1, 6), st.integers(0, 1000))
def test_the_nearest_clips_vote(neighbors: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, queries = rng.normal(size=(5, 3)).astype("f4"), rng.normal(size=(2, 3)).astype("f4")
    labels = rng.integers(0, 3, 5)
    config = NearestClipsConfig(temperature=0.1)
    found = nearest_scores(train, labels, queries, 3, neighbors, config, CPU)
    for query, scores in zip(queries.astype(float), found, strict=True):
        cosines = [float(row @ query / np.linalg.norm(row) / np.linalg.norm(query)) for row in train]
        nearest = sorted(range(5), key=lambda place: -cosines[place])[:neighbors]
        votes = [0.0, 0.0, 0.0]
        for place in nearest:
            votes[labels[place]] += math.exp(cosines[place] / 0.1)
        np.testing.assert_allclose(scores / scores.sum(), np.array(votes) / sum(votes), atol=1e-4)


@pytest.mark.parametrize("penalty", [1e-3, 1e-1])
def test_softmax_regression_is_that_of_scikit_learn(penalty: float) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    train = (rng.normal(size=(60, 4)) + 0.7 * labels[:, None]) * (1, 10, 0.1, 1)
    queries = train[:9] + 0.1
    fitted = SoftmaxRegression(
        train.astype("f4"), labels, 3, penalty, LinearClipsConfig(iterations=500), CPU
    ).scores(queries.astype("f4"))
    mean, spread = train.mean(axis=0), train.std(axis=0)
    reference = LogisticRegression(C=1 / (60 * penalty), max_iter=10_000, tol=1e-10)
    reference.fit((train - mean) / spread, labels)
    wanted = reference.predict_proba((queries - mean) / spread)
    np.testing.assert_allclose(torch.tensor(fitted).softmax(dim=1), wanted, atol=2e-3)


def test_a_feature_that_never_changes_changes_nothing() -> None:
    train = np.array([[0, 5], [1, 5], [0.1, 5], [0.9, 5]], "f4")
    fitted = SoftmaxRegression(train, np.array([0, 1, 0, 1]), 2, 1e-2, LinearClipsConfig(), CPU)
    assert fitted.scores(train).argmax(axis=1).tolist() == [0, 1, 0, 1]
