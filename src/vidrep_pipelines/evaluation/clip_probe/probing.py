"""Heads with settings that the training clips alone have chosen, measured on the validation clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import IntArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.evaluation.clip_probe.attentive import attentive_scores, train_attentive_head
from vidrep_pipelines.evaluation.clip_probe.classifiers import Scores, SoftmaxRegression, nearest_scores
from vidrep_pipelines.evaluation.clip_probe.clip_features import ClipFeatures
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig, ProbeHead

Fit = Callable[[ClipFeatures, float, ClipFeatures], Scores]
"""From training clips, a setting and clips to be classified to the scores (N, C) of these."""


@dataclass(frozen=True)
class ProbedClips:
    """Outcome of a head on the validation clips.

    Attributes:
        setting: The value that was chosen: neighbors, penalty, or learning rate.
        tuning: Accuracy of every setting on the clips that settings are chosen on, in 0..1.
        ranks: (N,) place of the true class among all, from 0; C where no training clip has it.
        predictions: (N,) the answers.
    """

    setting: float
    tuning: dict[float, float]
    ranks: IntArray
    predictions: IntArray


def tuning_split(labels: IntArray, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Places of the clips to train on and of those to choose settings on, a share of every class.

    A class with a single clip keeps it for training; of the others at least one clip goes either way.

    Args:
        labels: (N,) classes.
        share: Of the clips of a class, in (0, 1).
        seed: The drawn clips follow from it.

    Raises:
        InputError: No class has two clips.
    """
    chosen: list[int] = []
    for label in np.unique(labels).tolist():
        places = np.flatnonzero(labels == label)
        count = min(len(places) - 1, max(1, round(share * len(places))))
        rng = generator_for("probe tuning", seed, int(label))
        chosen += rng.permutation(places)[:count].tolist()
    if not chosen:
        raise InputError(
            f"Settings of a probe are chosen on a part of the training clips, but each of the {len(labels)} "
            "has a class of its own. Remedy: name a folder with several clips of each class."
        )
    held_out = np.zeros(len(labels), bool)
    held_out[chosen] = True
    return np.flatnonzero(~held_out).astype(np.int64), np.flatnonzero(held_out).astype(np.int64)


def probe_clips(
    head: ProbeHead,
    train: ClipFeatures,
    validation: ClipFeatures,
    classes: int,
    config: ClipProbeConfig,
    device: torch.device,
) -> ProbedClips:
    """Chooses a head's setting on a part of the training clips, trains on all of them, and measures.

    Args:
        head: Which.
        train: Training clips.
        validation: Clips that choose nothing.
        classes: Number of classes.
        config: The settings to choose from.
        device: Does the work.

    Raises:
        InputError: No class has two training clips.
    """
    settings, fit = _head(head, classes, config, device)
    kept, held_out = tuning_split(train.labels, config.tuning_share, config.seed)
    fitted, judged = train.part(kept), train.part(held_out)
    tuning = {
        setting: float((fit(fitted, setting, judged).argmax(axis=1) == judged.labels).mean())
        for setting in settings
    }
    best = max(settings, key=lambda setting: tuning[setting])  # of equal ones the first
    scores = fit(train, best, validation)
    return ProbedClips(best, tuning, true_ranks(scores, validation.labels), scores.argmax(axis=1))


def true_ranks(scores: Scores, labels: IntArray) -> IntArray:
    """(N,) how many classes have a higher score than the true one, and equal ones before it.

    Args:
        scores: (N, C).
        labels: (N,) true classes; -1: none of these, which ranks last, at C.
    """
    classes = scores.shape[1]
    own = np.take_along_axis(scores, labels.clip(0)[:, None], axis=1)
    before = np.arange(classes)[None, :] < labels[:, None]
    ranks = (scores > own).sum(axis=1) + ((scores == own) & before).sum(axis=1)
    known_last: IntArray = np.where(labels < 0, classes, ranks)
    return known_last


def _head(
    head: ProbeHead, classes: int, config: ClipProbeConfig, device: torch.device
) -> tuple[Sequence[float], Fit]:
    """The settings to choose from, and what a head does with one."""

    def nearest(train: ClipFeatures, neighbors: float, clips: ClipFeatures) -> Scores:
        votes = (train.means, train.labels, clips.means, classes, int(neighbors), config.knn)
        return nearest_scores(*votes, device)

    def linear(train: ClipFeatures, penalty: float, clips: ClipFeatures) -> Scores:
        fitted = SoftmaxRegression(train.means, train.labels, classes, penalty, config.linear, device)
        return fitted.scores(clips.means)

    def attentive(train: ClipFeatures, rate: float, clips: ClipFeatures) -> Scores:
        trained = train_attentive_head(train, classes, rate, config.attentive, config.seed, device)
        return attentive_scores(trained, clips, config.attentive, device)

    match head:
        case "knn":
            return [float(count) for count in config.knn.neighbors], nearest
        case "linear":
            return config.linear.penalties, linear
        case "attentive":
            return config.attentive.learning_rates, attentive


def chance_predictions(train: IntArray, count: int) -> NDArray[np.int64]:
    """(N,) the most frequent training class, for every clip: the floor that needs no features."""
    return np.full(count, int(np.bincount(train).argmax()), np.int64)
