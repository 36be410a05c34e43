from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.voc.tokenizers.tiny import make_store, musik_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.stored_frames import StatePairs, StoredFrames

OBJECTIVE = MusikObjectiveConfig(largest_offset=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return make_store(tmp_path_factory.mktemp("tiny"))


def pairs(store: FrameStore, **changes: object) -> StatePairs:
    return StatePairs(store.folder, "train", musik_config(**changes), OBJECTIVE, seed=3)


def test_every_frame_of_the_split_is_a_sample(store: FrameStore) -> None:
    train = store.select("train")
    dataset = StoredFrames(store.folder, "train", shift=2, seed=3)
    assert len(dataset) == int(train.index.lengths.sum()) < int(store.index.lengths.sum())
    found = [dataset[0, index] for index in range(len(dataset))]
    expected = np.concatenate([train.frames(view) for view in train.ids])
    frames = torch.stack([sample["frames"] for sample in found])
    assert torch.equal(frames, torch.from_numpy(expected).permute(0, 3, 1, 2))
    offsets = torch.stack([sample["offsets"] for sample in found])
    assert offsets.min() == 0 and offsets.max() == 4
    assert dataset.name(1) == f"{train.ids[0]}[1]"
    again = dataset[0, 5]
    assert torch.equal(again["offsets"], found[5]["offsets"]) and again["seed"] == found[5]["seed"]
    assert dataset[1, 5]["seed"] != again["seed"]


def test_pairs_are_stacks_of_one_episode_and_never_cross_its_end(store: FrameStore) -> None:
    dataset, train = pairs(store), store.select("train")
    assert len(dataset) == int((train.index.lengths - 1).sum())
    gaps = set()
    for index in range(len(dataset)):
        sample = dataset[0, index]
        view, step = dataset.name(index).removesuffix("]").split("[")
        episode = torch.from_numpy(train.frames(view)).permute(0, 3, 1, 2)
        now, later = sample["frames"]
        assert torch.equal(now, episode[[max(int(step) - 1, 0), int(step)]])
        matching = [
            rank
            for rank in range(int(step) + 1, len(episode))
            if torch.equal(later, episode[[rank - 1, rank]])
        ]
        assert len(matching) == 1
        gaps.add(matching[0] - int(step))
        np.testing.assert_array_equal(sample["action"], train.actions(view)[int(step)])
        assert sample["offsets"].shape == (2, 2)
    assert gaps == {1, 2, 3}


def test_faulty_actions_are_named(tmp_path: Path, store: FrameStore) -> None:
    with pytest.raises(ConfigurationError, match="Remedy: action_dimension: 3"):
        pairs(store, action_dimension=6)
    for fault, message in (
        ("no actions", r"tiny_0 has 0 actions for 7 frames\. Remedy: MUSIK needs"),
        ("bad action", r"the action at step 2 of tiny_0 is not a finite number"),
    ):
        faulty = make_store(tmp_path / fault.replace(" ", "_"), *[fault] * (5 if "no" in fault else 1))
        split = faulty.table.set_index("id")["split"]["tiny_0"]
        with pytest.raises(InputError, match=message):
            StatePairs(faulty.folder, split, musik_config(), OBJECTIVE, seed=0)
