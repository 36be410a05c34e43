"""The control that sees no picture."""

import numpy as np
import pytest

from tests.helpers.frame_embeddings import labelled_videos, rising
from vidrep_pipelines.evaluation.frame_embeddings.alignment import nearest_frames
from vidrep_pipelines.evaluation.frame_embeddings.clock import Clock
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.measurement import measure_embeddings

VIDEOS = {f"{split}/pour_{n}": rising(10 + n, 10, 10) for split in ("train", "validation") for n in range(3)}


def test_equal_shares_of_the_time_are_near() -> None:
    clock = Clock(labelled_videos({"train/a": [0] * 41, "train/b": [0] * 21, "train/c": [0]}))
    a, b = clock.of("train/a"), clock.of("train/b")
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1)
    np.testing.assert_array_equal(nearest_frames(b, a), np.arange(21) * 2)
    assert clock.of("train/c").shape == (1, 96)


def test_frames_are_the_nearer_the_nearer_their_shares() -> None:
    frames = Clock(labelled_videos({"train/a": [0] * 101})).of("train/a")
    products = frames @ frames[40]
    np.testing.assert_allclose(products[40:61], np.exp(-((np.arange(21) / 5) ** 2) / 2), atol=0.04)
    assert (np.diff(products[20:41]) > 0).all() and (np.diff(products[40:61]) < 0).all()
    assert np.abs(products[:20]).max() < 0.05


def test_a_clock_orders_frames_without_seeing_any() -> None:
    labelled = labelled_videos(VIDEOS)
    config = PhasesConfig(
        stride=1, tasks=("kendall_tau", "phase_classification"), fractions=(1.0,), resamples=20
    )
    summary = measure_embeddings(labelled, {"clock": Clock(labelled)}, config).summary
    values = summary.set_index("measure")["value"]
    assert values["kendall_tau"] == pytest.approx(1, abs=0.03)
    assert values["phase_classification_100"] > 0.8  # the phases are nearly at the same shares
