"""Points are found where features say, and given up where they vanish."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.encoders.config import PixelEncoderConfig
from vidrep_pipelines.evaluation.encoders.floors import PixelEncoder
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize, PropagationConfig
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig
from vidrep_pipelines.evaluation.points.queries import PointQueries
from vidrep_pipelines.evaluation.points.tracking import (
    PointTracks,
    follow_points,
    locate_points,
    read_point_tracks,
    stamp_points,
    video_features,
    write_point_tracks,
)

SHARES = st.floats(0, 1, allow_nan=False)
CONFIG = PointTrackingConfig(
    propagation=PropagationConfig(top_k=1, radius=0, context_frames=2), frame_size=FrameSize()
)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=5), st.integers(2, 7), st.integers(2, 7))
def test_a_label_says_where_its_point_is(places: list[tuple[float, float]], height: int, width: int) -> None:
    positions = np.array(places)
    maps = stamp_points(positions, height, width)
    assert torch.allclose(maps.sum(dim=(1, 2)), torch.ones(len(places)))
    found, there = locate_points(maps, 1.5)
    reachable = positions.clip((0.5 / width, 0.5 / height), (1 - 0.5 / width, 1 - 0.5 / height))
    np.testing.assert_allclose(found, reachable, atol=1e-5)
    np.testing.assert_allclose(there, 1, atol=1e-5)


def test_only_what_is_near_the_best_cell_counts() -> None:
    soft = torch.zeros(2, 5, 5)
    soft[0, 1, 1], soft[0, 1, 2], soft[0, 4, 4] = 0.5, 0.25, 0.4
    found, there = locate_points(soft, 1.5)
    assert there.tolist() == [0.75, 0]
    assert found[0].tolist() == pytest.approx([(4 / 3 + 0.5) / 5, 1.5 / 5])


def moving(shifts: list[int]) -> torch.Tensor:
    """Features (T, D, 6, 8) of a picture whose columns move to the right; every cell is like no other."""
    first = torch.nn.functional.normalize(torch.eye(48).reshape(48, 6, 8), dim=0)
    return torch.stack([first.roll(shift, dims=2) for shift in shifts])


def test_points_move_with_their_features() -> None:
    queries = PointQueries(np.array([0, 1]), np.array([0, 2]), backward=False)
    given_there = np.array([[1.5 / 8, 2.5 / 6], [4.0 / 8, 3.0 / 6]])
    tracks = follow_points(moving([0, 1, 2, 3]), queries, given_there, CONFIG)
    np.testing.assert_allclose(tracks.positions[0, :, 0] * 8, [1.5, 2.5, 3.5, 4.5], atol=1e-5)
    np.testing.assert_allclose(tracks.positions[0, :, 1] * 6, 2.5, atol=1e-5)
    np.testing.assert_allclose(tracks.positions[1, 2:, 0] * 8, [4, 5], atol=1e-5)  # between cells
    np.testing.assert_allclose(tracks.presence[0], 1, atol=1e-5)
    np.testing.assert_allclose(tracks.positions[1, :2], given_there[[1, 1]])  # nobody looked
    assert tracks.presence[1, :2].tolist() == [0, 0]


def test_backwards_as_well_as_forwards() -> None:
    queries = PointQueries(np.array([0]), np.array([2]), backward=True)
    tracks = follow_points(moving([0, 1, 2, 3]), queries, np.array([[3.5 / 8, 2.5 / 6]]), CONFIG)
    np.testing.assert_allclose(tracks.positions[0, :, 0] * 8, [1.5, 2.5, 3.5, 4.5], atol=1e-5)
    np.testing.assert_allclose(tracks.presence, 1, atol=1e-5)


def test_what_vanishes_stays_where_it_was_and_is_found_again() -> None:
    features = moving([0, 1, 0, 0])
    features[2, :, 2, 1] = features[2, :, 0, 0]  # something else is seen in its place
    queries = PointQueries(np.array([0]), np.array([0]), backward=False)
    tracks = follow_points(features, queries, np.array([[1.5 / 8, 2.5 / 6]]), CONFIG)
    assert tracks.presence[0].tolist() == pytest.approx([1, 1, 0, 1])
    np.testing.assert_allclose(tracks.positions[0, :, 0] * 8, [1.5, 2.5, 2.5, 1.5], atol=1e-5)


def test_features_are_those_of_the_resized_frames() -> None:
    encoder = PixelEncoder("pixels", PixelEncoderConfig(patch_size=8, squares=2))
    config = CONFIG.model_copy(update={"frame_size": FrameSize(rule="exact", sides=(24, 32))})
    frames = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    features = video_features(frames, encoder, config, torch.device("cpu"))
    assert features.shape == (3, 12, 3, 4)


class PairsOfFrames(PixelEncoder):
    """Gives both frames of a window the features of the first."""

    window = 2

    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        maps = super().patch_features(frames[0])[:: self.window]
        return maps.repeat_interleave(self.window, dim=0)[None], state


def test_encoders_of_clips_see_windows() -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8))
    config = CONFIG.model_copy(update={"frame_size": FrameSize(rule="exact", sides=(64, 64))})
    single, pairs = (
        video_features(frames, encoder("e", PixelEncoderConfig()), config, torch.device("cpu"))
        for encoder in (PixelEncoder, PairsOfFrames)
    )
    assert torch.equal(pairs, single[[0, 0, 2, 2]])


def test_tracks_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tracks = PointTracks(rng.random((2, 3, 2), np.float32), rng.random((2, 3), np.float32))
    write_point_tracks(tmp_path / "a.h5", {"first": tracks, "strided": tracks})
    found = read_point_tracks(tmp_path / "a.h5")
    assert list(found) == ["first", "strided"]
    np.testing.assert_array_equal(found["first"].positions, tracks.positions)
    np.testing.assert_array_equal(found["strided"].presence, tracks.presence)
    (tmp_path / "a.h5").write_bytes(b"damaged")
    with pytest.raises(InputError, match="delete it and run the pipeline again"):
        read_point_tracks(tmp_path / "a.h5")
