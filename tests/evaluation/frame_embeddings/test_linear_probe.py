import math

import numpy as np
import pytest
import torch
from torch import nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.config import LinearProbeConfig
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddedVideo, EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.linear_probe import probe_classes

CLASSES = 6
CONFIG = LinearProbeConfig(epochs=30, videos_per_batch=3)


def clustered(videos: int, seed: int, noise: float = 0.15) -> EmbeddingSet:
    """Unit embeddings around a direction per class; every third frame has no label."""
    rng = np.random.default_rng(seed)
    centers = np.eye(CLASSES, 8)
    members = []
    for number in range(videos):
        labels = rng.integers(0, CLASSES, 20)
        frames = centers[labels] + noise * rng.standard_normal((20, 8))
        frames /= np.linalg.norm(frames, axis=1, keepdims=True)
        labels[::3] = -1
        members.append(EmbeddedVideo(f"v{number}", frames.astype(np.float32), labels))
    return EmbeddingSet(tuple(members))


def test_classes_that_can_be_told_apart_are_found() -> None:
    train, validation = clustered(9, 0), clustered(4, 1)
    half, whole = probe_classes(train, validation, CLASSES, CONFIG, (0.5, 1.0))
    assert (half.fraction, whole.fraction) == (0.5, 1.0)
    assert whole.accuracy > 0.85
    assert whole.correct.sum() / len(whole.predictions) == pytest.approx(whole.accuracy)
    assert len(whole.correct) == 4
    truth = validation.labelled().stacked()[1]
    assert whole.accuracy == pytest.approx((whole.predictions == truth).mean())


def test_noise_is_guessed() -> None:
    rng = np.random.default_rng(0)
    videos = EmbeddingSet(
        tuple(
            EmbeddedVideo(
                str(number), rng.standard_normal((50, 4)).astype(np.float32), rng.integers(0, 6, 50)
            )
            for number in range(12)
        )
    )
    gentle = CONFIG.model_copy(update={"learning_rate": 0.5})
    (result,) = probe_classes(videos.first(0.5), videos, CLASSES, gentle, (1.0,))
    assert result.accuracy < 0.35


def test_equal_seeds_give_equal_results_and_the_global_generator_is_left_alone() -> None:
    train, validation = clustered(6, 0, noise=0.8), clustered(3, 1, noise=0.8)
    first = probe_classes(train, validation, CLASSES, CONFIG)[-1]
    torch.rand(5)
    again = probe_classes(train, validation, CLASSES, CONFIG)[-1]
    np.testing.assert_array_equal(first.predictions, again.predictions)


def test_one_batch_of_all_videos_follows_the_published_updates() -> None:
    """With a single batch per epoch the order does not matter: plain SGD with half a cosine."""
    train, config = clustered(3, 0), CONFIG.model_copy(update={"epochs": 4})
    (result,) = probe_classes(train, train, CLASSES, config, (1.0,))
    frames, labels = train.labelled().stacked()
    reference = nn.Linear(8, CLASSES)
    from vidrep_pipelines.evaluation.frame_embeddings.linear_probe import _initialized

    reference.load_state_dict(_initialized(8, CLASSES, config.seed).state_dict())
    optimizer = torch.optim.SGD(reference.parameters(), lr=50.0, momentum=0.9, weight_decay=1e-6)
    for epoch in range(4):
        optimizer.param_groups[0]["lr"] = 25.0 * (1 + math.cos(math.pi * epoch / 4))
        optimizer.zero_grad()
        nn.functional.cross_entropy(reference(torch.tensor(frames)), torch.tensor(labels)).backward()
        optimizer.step()
    expected = reference(torch.tensor(frames)).argmax(1).numpy()
    assert (result.predictions == expected).mean() > 0.98


def test_bad_labels_are_named() -> None:
    train = clustered(3, 0)
    unlabelled = EmbeddingSet(tuple(EmbeddedVideo(v.id, v.embeddings, np.full(20, -1)) for v in train.videos))
    with pytest.raises(InputError, match="not one frame of the 3 validation videos"):
        probe_classes(train, unlabelled, CLASSES, CONFIG)
    with pytest.raises(InputError, match=r"v\d has the class 5, there are 5"):
        probe_classes(train, train, 5, CONFIG)
