import numpy as np

from vidrep_pipelines.reporting.point_tracks import DrawnTracks, draw_tracks, track_colors


def tracks(visible: bool, shown: bool = True) -> DrawnTracks:
    positions = np.array([[[0.25, 0.5], [0.75, 0.5]]])
    flags = np.ones((1, 2), bool)
    return DrawnTracks(positions, flags & visible, flags & shown, np.array([[255, 0, 0]], np.uint8))


def test_a_point_is_drawn_where_it_is_with_its_tail() -> None:
    frame = np.zeros((100, 200, 3), np.uint8)
    first, second = (draw_tracks(frame, tracks(True), index) for index in (0, 1))
    assert first.shape == (200, 400, 3)
    assert first[100, 100].tolist() == [255, 0, 0] and not first[:, 150:].any()
    assert second[100, 300].tolist() == [255, 0, 0]
    assert second[100, 200, 0] > 200  # on the way from the one to the other
    assert not frame.any()


def test_what_is_hidden_is_a_pale_ring_and_what_is_not_followed_is_nothing() -> None:
    frame = np.zeros((100, 200, 3), np.uint8)
    ring = draw_tracks(frame, tracks(visible=False), 0)
    assert not ring[100, 100].any() and 0 < ring.max() < 200
    assert not draw_tracks(frame, tracks(visible=True, shown=False), 1).any()


def test_neighbors_have_like_colors() -> None:
    colors = track_colors(np.array([[0.1, 0.1], [0.12, 0.1], [0.9, 0.9]])).astype(int)
    assert np.abs(colors[0] - colors[1]).sum() < np.abs(colors[0] - colors[2]).sum()
    assert track_colors(np.zeros((0, 2))).shape == (0, 3)
