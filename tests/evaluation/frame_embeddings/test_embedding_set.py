"""Sets of embedded videos."""

import numpy as np
import pytest

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import (
    EmbeddedVideo,
    EmbeddingSet,
    split_by_length,
)


def _video(name: str, phases: list[int]) -> EmbeddedVideo:
    return EmbeddedVideo(name, np.arange(2.0 * len(phases)).reshape(-1, 2), np.array(phases))


def test_unlabelled_frames_and_videos_are_left_out() -> None:
    videos = EmbeddingSet((_video("a", [-1, 0, 1, -1]), _video("b", [-1, -1])))
    kept = videos.labelled()
    assert [video.id for video in kept.videos] == ["a"]
    np.testing.assert_array_equal(kept.videos[0].embeddings, [[2, 3], [4, 5]])
    assert (videos.frames, kept.frames) == (6, 2)


def test_fractions_take_the_first_videos_and_at_least_one() -> None:
    videos = EmbeddingSet(tuple(_video(name, [0, 1]) for name in "abcde"))
    assert [len(videos.first(fraction)) for fraction in (0.1, 0.5, 1.0)] == [1, 2, 5]
    assert len(videos.first(0.1, least=3)) == 3
    with pytest.raises(ConfigurationError, match="fraction"):
        videos.first(0.0)


def test_split_and_stack_are_inverse() -> None:
    embeddings, phases = np.random.default_rng(0).normal(size=(9, 3)), np.arange(9)
    videos = split_by_length(embeddings, phases, [2, 3, 4])
    np.testing.assert_array_equal(videos.lengths, [2, 3, 4])
    np.testing.assert_array_equal(videos.stacked()[0], embeddings)
    np.testing.assert_array_equal(videos.stacked()[1], phases)
    np.testing.assert_array_equal(videos.strided(2).videos[2].phases, [5, 7])


def test_labels_longer_than_the_video_are_refused() -> None:
    with pytest.raises(InputError, match=r"clip_7: 4 frames but 6 phase labels"):
        EmbeddedVideo("clip_7", np.zeros((4, 2)), np.zeros(6, dtype=int))


def test_non_finite_embeddings_name_video_and_frame() -> None:
    embeddings = np.zeros((4, 2))
    embeddings[2, 1] = np.nan
    with pytest.raises(InputError, match=r"clip_7: the embedding of frame 2"):
        EmbeddedVideo("clip_7", embeddings, np.zeros(4, dtype=int))


def test_empty_videos_and_mixed_widths_are_refused() -> None:
    with pytest.raises(InputError, match="clip_7"):
        EmbeddedVideo("clip_7", np.zeros((0, 2)), np.zeros(0, dtype=int))
    mixed = EmbeddingSet((_video("a", [0]), EmbeddedVideo("b", np.zeros((1, 3)), np.zeros(1, dtype=int))))
    with pytest.raises(InputError, match=r"\[2, 3\]"):
        mixed.stacked()


def test_lengths_must_make_up_the_rows() -> None:
    with pytest.raises(InputError, match="do not make up 5 rows"):
        split_by_length(np.zeros((5, 1)), np.zeros(5, dtype=int), [2, 2])
