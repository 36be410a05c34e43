"""Labels joined with embeddings."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.frame_embeddings import labelled_videos, rising, stored, telling, telling_and_mute
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.embedded_release import join_releases

LABELLED = labelled_videos(
    {
        "train/pour_1": rising(2, 3, 4),
        "train/pour_0": rising(3, 3, 3),
        "validation/pour_2": [-1, 0, 0, 1, 2],
        "validation/push_3": rising(2, 2),
        "test/pour_4": rising(2, 2, 2),
    }
)
CONFIG = PhasesConfig(stride=1, neighbors=(1,))


def test_videos_of_an_action_in_the_published_order(tmp_path: Path) -> None:
    releases, dropped = join_releases(LABELLED, telling_and_mute(tmp_path, LABELLED), CONFIG)
    pour, push = releases["trained"].actions
    assert dropped == []
    assert [video.id for video in pour.train.videos] == ["train/pour_1", "train/pour_0"]
    assert [len(video) for video in pour.validation.videos] == [4]  # without the frame that has no label
    assert (push.name, len(push.train), push.classes) == ("push", 0, 3)
    assert releases["trained"].actions_of("validation").tolist() == ["pour", "push"]
    assert pour.nearest is pour.nearest


def test_only_videos_that_all_encoders_embedded_are_compared(tmp_path: Path) -> None:
    encoders = telling_and_mute(tmp_path, LABELLED)
    arrays = {name: telling(LABELLED.of(name).tolist(), 0) for name in LABELLED.ids}
    del arrays["validation/push_3"]
    encoders["untrained"] = stored(tmp_path / "fewer", arrays)
    releases, dropped = join_releases(LABELLED, encoders, CONFIG)
    assert [(item.task, item.encoder, item.item) for item in dropped] == [
        ("embeddings", "untrained", "validation/push_3")
    ]
    for release in releases.values():
        assert [video.id for video in release.split("validation").videos] == ["validation/pour_2"]


def test_labels_that_do_not_fit_are_named(tmp_path: Path) -> None:
    arrays = {name: telling(LABELLED.of(name).tolist(), 0) for name in LABELLED.ids}
    arrays["train/pour_0"] = arrays["train/pour_0"][:-2]
    with pytest.raises(InputError, match=r"train/pour_0: 7 frames but 9 phase labels.*extract"):
        join_releases(LABELLED, {"trained": stored(tmp_path, arrays)}, CONFIG)


def test_a_split_without_videos_is_named(tmp_path: Path) -> None:
    encoders = telling_and_mute(tmp_path, LABELLED)
    with pytest.raises(InputError, match=r"No video of the split 'val'.*'train': 2"):
        join_releases(LABELLED, encoders, PhasesConfig(split="val"))
    train_only = stored(tmp_path / "train", {"train/pour_0": np.ones((9, 2))})
    with pytest.raises(InputError, match="'validation' has embeddings by trained"):
        join_releases(LABELLED, {"trained": train_only}, CONFIG)
