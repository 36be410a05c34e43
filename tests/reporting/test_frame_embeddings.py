import numpy as np
import pytest
from PIL import ImageColor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS
from vidrep_pipelines.reporting.frame_embeddings import (
    embedding_trajectories,
    retrieval_montage,
    similarity_heat_map,
)


def flat(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def test_montage_marks_right_and_wrong_neighbors() -> None:
    neighbors = [[("a 3", flat(10), True), ("b 7", flat(20), False)], [("c 1", flat(30), True)]]
    picture = np.asarray(retrieval_montage([("q 1", flat(200)), ("q 2", flat(210))], neighbors))
    for color in (COLORS[2], COLORS[1]):
        near = np.abs(picture.astype(int) - ImageColor.getrgb(color)).max(axis=2) < 60
        assert near.sum() > 50
    with pytest.raises(InputError, match="2 queries have 1 rows"):
        retrieval_montage([("q", flat(0))] * 2, neighbors[:1])


def test_heat_map_is_brightest_along_the_match() -> None:
    near = np.ones((20, 30))
    match = np.arange(20) * 30 // 20
    near[np.arange(20), match] = 0
    bright = np.asarray(similarity_heat_map(near, temperature=0.05))
    dark = np.asarray(similarity_heat_map(np.ones((20, 30)), temperature=0.05))
    assert bright.shape == dark.shape
    assert (bright != dark).any()
    with_line = np.asarray(similarity_heat_map(near, match))
    line = np.abs(with_line.astype(int) - ImageColor.getrgb(COLORS[5])).max(axis=2) < 40
    assert line.sum() > 100


@pytest.mark.parametrize("width", [1, 2, 16])
def test_trajectories_of_any_width(width: int) -> None:
    rng = np.random.default_rng(0)
    videos = [rng.standard_normal((length, width)) for length in (12, 20)]
    phases = [np.arange(12) // 4 - 1, np.arange(20) // 7]
    picture = embedding_trajectories(videos, phases, ["a", "b"])
    assert len(picture.getcolors(1 << 24) or []) > 20
    with pytest.raises(InputError, match="at least two frames"):
        embedding_trajectories([videos[0][:1]], [phases[0][:1]], ["a"])
