import numpy as np
import pytest
from PIL import Image, ImageColor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS
from vidrep_pipelines.reporting.frame_embeddings import (
    SimilarityMap,
    embedding_trajectories,
    retrieval_montage,
    similarity_heat_maps,
)


def flat(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def near(picture: Image.Image, color: str, distance: int = 30) -> int:
    pixels = np.asarray(picture).astype(int)
    return int((np.abs(pixels - ImageColor.getrgb(color)).max(axis=2) < distance).sum())


def test_montage_marks_right_and_wrong_neighbors() -> None:
    right, wrong, unknown = ("a 3", flat(10), True), ("b 7", flat(20), False), ("c 1", flat(30), None)
    queries = [("q 1", flat(200)), ("q 2", flat(210))]
    both = retrieval_montage(queries, {"trained": [[right, wrong], [unknown]]})
    assert near(both, COLORS[2]) > 50
    assert near(both, COLORS[1]) > 50
    none = retrieval_montage(queries, {"trained": [[unknown], [unknown]]})
    assert near(none, COLORS[1]) == near(none, COLORS[2]) == 0
    encoders = retrieval_montage(queries, {name: [[right], [wrong]] for name in ("trained", "untrained")})
    assert encoders.height > 1.8 * none.height
    with pytest.raises(InputError, match="2 queries have 1 rows of neighbors by trained"):
        retrieval_montage(queries, {"trained": [[right]]})


def test_heat_maps_show_similarity_and_match() -> None:
    match = np.arange(20) * 30 // 20
    sharp = np.ones((20, 30))
    sharp[np.arange(20), match] = 0
    one, other = (
        similarity_heat_maps([SimilarityMap("trained", values, match, 0.05)], ("a", "b"))
        for values in (sharp, np.ones((20, 30)))
    )
    assert one.size == other.size and one.tobytes() != other.tobytes()
    assert near(one, COLORS[5], 40) > 100
    two = similarity_heat_maps([SimilarityMap(name, sharp, match, 0.1) for name in "ab"], ("a", "b"))
    assert two.width == 2 * one.width


@pytest.mark.parametrize("width", [1, 2, 16])
def test_trajectories_of_any_width(width: int) -> None:
    rng = np.random.default_rng(0)
    videos = [rng.standard_normal((length, width)) for length in (12, 20)]
    phases = [np.arange(12) // 4 - 1, np.arange(20) // 7]
    picture = embedding_trajectories({"trained": videos, "untrained": videos}, phases, ["a", "b"])
    assert len(picture.getcolors(1 << 24) or []) > 20
    with pytest.raises(InputError, match="at least two frames"):
        embedding_trajectories({"trained": [videos[0][:1]]}, [phases[0][:1]], ["a"])
