from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from tests.models.voc.tokenizers.tiny import make_frames, make_store, musik_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.shared.units import to_unit_range
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, PixelUnits
from vidrep_pipelines.models.voc.tokenizers.dataset import (
    StatePairs,
    StoredFrames,
    prepare_frames,
    resize_frames,
    shift_frames,
)
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikObjectiveConfig


@given(padding=st.integers(0, 5), seed=st.integers(0, 100), height=st.integers(3, 9), width=st.integers(3, 9))
def test_a_shift_is_a_crop_of_the_padded_picture(padding: int, seed: int, height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(256, (3, 2, height, width), generator=generator)
    offsets = torch.randint(2 * padding + 1, (3, 2), generator=generator)
    padded = F.pad(frames.double(), (padding,) * 4, mode="replicate")
    expected = [
        padded[number, :, y : y + height, x : x + width] for number, (x, y) in enumerate(offsets.tolist())
    ]
    assert torch.equal(shift_frames(frames, offsets, padding).double(), torch.stack(expected))


@given(source=st.integers(1, 40), target=st.integers(1, 40))
def test_nearest_takes_the_floor(source: int, target: int) -> None:
    frames = torch.arange(source * source).reshape(1, source, source)
    expected = np.floor(np.arange(target) * source / target).astype(int)
    found = resize_frames(frames, target, "nearest")
    assert torch.equal(found[0], frames[0][expected][:, expected])


def test_a_stack_moves_as_one_and_no_move_is_the_middle() -> None:
    stacks = make_frames(6).unflatten(0, (2, 3))
    config = PixelConfig(size=16, shift=2)
    still = torch.full((2, 2), 2)
    assert torch.equal(prepare_frames(stacks, config, still), prepare_frames(stacks, config))
    offsets = torch.tensor([[0, 4], [3, 1]])
    moved = prepare_frames(stacks, config, offsets)
    for frame in range(3):
        assert torch.equal(moved[:, frame], prepare_frames(stacks[:, frame], config, offsets))


@pytest.mark.parametrize("normalization", ["imagenet", "published", "symmetric"])
def test_every_normalization_has_a_way_back(normalization: PixelUnits) -> None:
    frames, config = make_frames(2), PixelConfig(size=20, normalization=normalization)
    images = prepare_frames(frames, config)
    torch.testing.assert_close(to_unit_range(images, config), frames / 255, atol=1e-6, rtol=0)


def test_published_normalization_divides_the_mean_only() -> None:
    config = PixelConfig(size=20, normalization="published")
    image = prepare_frames(make_frames(1), config)
    assert -2.12 < image[:, 0].min() < image[:, 0].max() < -1.11  # the range that the slip leads to
    assert -1.81 < image[:, 2].min() < image[:, 2].max() < -0.80


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_smooth_resizes_keep_a_flat_picture(method: str) -> None:
    config = PixelConfig.model_validate({"size": 13, "resize": method})
    flat = torch.full((2, 3, 20, 20), 77, dtype=torch.uint8)
    assert torch.equal(resize_frames(flat, config.size, config.resize), flat[..., :13, :13])


@pytest.mark.parametrize("shape", [(2, 3, 16, 20), (2, 4, 16, 16), (3, 16, 16)])
def test_frames_of_another_form_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="square and have three channels"):
        prepare_frames(torch.zeros(shape, dtype=torch.uint8), PixelConfig(size=16))


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
