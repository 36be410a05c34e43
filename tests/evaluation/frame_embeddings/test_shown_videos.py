"""Which videos are shown, and what of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.frame_embeddings import labelled_videos, rising, stored, telling_and_mute
from tests.helpers.videos import barcode_frames, read_barcode
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig, ShownVideosConfig
from vidrep_pipelines.evaluation.frame_embeddings.shown_videos import ShownVideos, choose_pair

VIDEOS = {
    "train/pour_0": rising(3, 3, 3),
    "validation/push_0": rising(4, 4),
    "validation/pour_1": rising(3, 4, 3),
    "validation/pour_2": [0] * 30,
    "validation/pour_3": rising(5, 8, 9),
    "validation/pour_4": rising(2, 2, 3),
}
LABELLED = labelled_videos(VIDEOS)


class Pictures:
    """Barcode frames in place of a store."""

    def frames(self, video: str, selection: list[int]) -> NDArray[np.uint8]:
        return barcode_frames(max(selection) + 1, 64, 48, len(video))[selection]


def views(folder: Path, labelled: LabelledVideos = LABELLED, **shown: Any) -> ShownVideos:
    config = PhasesConfig(stride=2, shown=ShownVideosConfig(**shown))
    encoders = telling_and_mute(folder, labelled)
    return ShownVideos.of(labelled, encoders, cast("FrameStore", Pictures()), config)


def pair(config: Mapping[str, Any], labelled: LabelledVideos = LABELLED) -> tuple[str, str]:
    return choose_pair(labelled, labelled.ids, "validation", ShownVideosConfig(**config))


def test_the_longest_and_the_shortest_complete_video_are_shown() -> None:
    assert pair({}) == ("validation/pour_3", "validation/pour_4")
    assert pair({"rule": "first"}) == ("validation/pour_1", "validation/pour_2")
    assert pair({"videos": ("train/pour_0", "validation/pour_2")}) == ("train/pour_0", "validation/pour_2")


def test_incomplete_videos_are_shown_if_there_are_no_others() -> None:
    few = labelled_videos({"validation/pour_0": [0] * 3, "validation/pour_1": [0] * 5, "train/pour_2": [0]})
    assert pair({}, few) == ("validation/pour_1", "validation/pour_0")


def test_training_videos_are_shown_if_one_is_held_out(tmp_path: Path) -> None:
    few = labelled_videos(
        {
            "train/pour_0": rising(2, 2, 2),
            "train/pour_1": rising(3, 3, 3),
            "validation/pour_2": rising(2, 3, 2),
        }
    )
    assert pair({"rule": "first"}, few) == ("train/pour_0", "train/pour_1")
    assert pair({}, few) == ("train/pour_1", "train/pour_0")
    shown = views(tmp_path, few, videos=("validation/pour_2", "train/pour_0"))
    assert set(shown._others(shown.query)) == {"train/pour_0", "train/pour_1"}
    assert shown.montage().height > 300


def test_impossible_choices_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"no 'jump', only \['pour', 'push'\]"):
        pair({"action": "jump"})
    with pytest.raises(InputError, match=r"no two videos of push.*shown\.videos"):
        pair({"action": "push"})
    with pytest.raises(
        ConfigurationError, match=r"no video 'validation/pour_9'.*for example \['train/pour_0'"
    ):
        pair({"videos": ("validation/pour_9", "train/pour_0")})
    with pytest.raises(InputError, match="no two videos of one action"):
        choose_pair(LABELLED, [], "validation", ShownVideosConfig())


def test_film_plays_the_query_beside_its_matches(tmp_path: Path) -> None:
    film = views(tmp_path).film()
    assert len(film) == 22
    assert film.shape[1] % 2 == film.shape[2] % 2 == 0
    width = 224 * 64 // 48 + 1
    numbers = [read_barcode(picture[40:264, :width]) for picture in film]
    assert numbers == list(range(22))
    matched = [read_barcode(picture[40:264, 2 * (width + 5) + 6 : 3 * width]) for picture in film]
    assert matched[0] == 0 and matched[-1] == 6
    assert (np.diff(matched) >= 0).all()
    assert len(views(tmp_path, film_frames=10).film()) == 8  # every third


@pytest.mark.parametrize("match", ["warping", "nearest"])
def test_pictures_are_drawn(match: str, tmp_path: Path) -> None:
    shown = views(tmp_path, match=match)
    for picture in (shown.strip(), shown.heat_maps(), shown.montage(), shown.trajectories()):
        low, high = picture.convert("L").getextrema()
        assert high - low > 100


def test_neighbors_come_from_other_videos_of_the_action(tmp_path: Path) -> None:
    few = views(tmp_path, neighbors=2)
    (found,) = few._neighbors("trained", few._shown(few.query), [6])
    assert {caption.partition(" ")[0] for caption, _, _ in found} <= {"pour_1", "pour_2", "pour_4"}
    assert len({caption.partition(" ")[0] for caption, _, _ in found}) == 2
    assert [right for _, _, right in found] == [True, True]
    frames = views(tmp_path, neighbors=4, one_per_video=False)
    (nearest,) = frames._neighbors("trained", frames._shown(frames.query), [6])
    captions = [caption for caption, _, _ in nearest]
    assert len(set(captions)) == 4
    assert all(int(caption.partition(" ")[2]) % 2 == 0 for caption in captions)  # every second frame is asked


def test_labels_that_do_not_fit_the_embeddings_are_named(tmp_path: Path) -> None:
    encoders = telling_and_mute(tmp_path, LABELLED)
    encoders["trained"] = stored(
        tmp_path / "long", {name: np.ones((len(own) + 1, 6)) for name, own in VIDEOS.items()}
    )
    shown = ShownVideos.of(LABELLED, encoders, cast("FrameStore", Pictures()), PhasesConfig())
    with pytest.raises(InputError, match="validation/pour_3: 23 frames but 22 phase labels"):
        shown.heat_maps()
