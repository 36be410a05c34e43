"""VIP's layout, both kinds of lists, and what may be wrong with it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.foreign_files import add_hidden_files, take_zeros_off
from tests.helpers.label_sequences import tiny_clips, write_release
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import VipConfig
from vidrep_pipelines.data.label_sequences.images import read_labels, write_labels
from vidrep_pipelines.data.label_sequences.sequence import MaskSequence
from vidrep_pipelines.data.sample_world.truth import read_truth
from vidrep_pipelines.data.sources.vip import CLASS_NAMES, inspect_vip, vip_sequences

CONFIG = VipConfig()
FRAMES, LABELS = Path("Images/videos1"), Path("Annotations/Category_ids/videos1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_release("vip", tmp_path / "VIP_Fine")


def test_a_release_is_read_as_it_was_written(root: Path) -> None:
    files = vip_sequences(root, CONFIG)
    assert [each.id for each in files] == ["videos1", "videos2"]
    for each, clip in zip(files, tiny_clips(), strict=True):
        facts = inspect_vip(each, {})
        truth = read_truth(clip.truth)
        handle = MaskSequence.of_files(each)
        assert (len(handle), facts["width"], facts["height"]) == (truth.frames, 64, 48)
        assert facts["objects"] == len(np.unique(truth.parts[0])) - 1
        for index in (0, 7):
            np.testing.assert_array_equal(handle.labels(index), truth.parts[index])
        assert handle.frame_paths[2].name == "000000000051.jpg"
    assert truth.parts.max() < len(CLASS_NAMES) == 20


def test_list_with_folders(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("d/Images/videos2 d/Annotations/Category_ids/videos2\nvideos1\nvideos2/\n")
    assert [each.id for each in vip_sequences(root, VipConfig(list=path))] == ["videos2", "videos1"]


def test_frames_without_labels_are_allowed_but_for_the_first(root: Path) -> None:
    (root / LABELS / "000000000026.png").unlink()
    files = vip_sequences(root, CONFIG)[0]
    assert inspect_vip(files, {})["frames"] >= 16
    handle = MaskSequence.of_files(files)
    assert handle.labels(1) is None
    assert handle.labels(2) is not None
    (root / LABELS / "000000000001.png").unlink()
    with pytest.raises(InputError, match=r"000000000001\.png is missing"):
        inspect_vip(files, {})


def test_gray_label_maps_are_indices_too(root: Path) -> None:
    path = root / LABELS / "000000000026.png"
    Image.fromarray(read_labels(path)).save(path)
    assert inspect_vip(vip_sequences(root, CONFIG)[0], {})["objects"] == 6


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (lambda root: shutil.rmtree(root / FRAMES), "holds no frames"),
    (lambda root: (root / FRAMES / "000000000026.jpg").unlink(), "lacks frame 000000000026"),
    (lambda root: Image.new("P", (64, 40)).save(root / LABELS / "000000000026.png"), "is 64x40, but"),
    (lambda root: Image.new("RGBA", (64, 48)).save(root / LABELS / "000000000026.png"), "mode is RGBA"),
]


@pytest.mark.parametrize(("damage", "complaint"), DAMAGE)
def test_videos_that_cannot_be_evaluated(
    root: Path, damage: Callable[[Path], object], complaint: str
) -> None:
    damage(root)
    bad, good = vip_sequences(root, CONFIG)
    with pytest.raises(InputError, match=complaint):
        inspect_vip(bad, {})
    assert inspect_vip(good, {})["frames"] >= 16


@pytest.mark.parametrize("missing", ["", "Images", "Annotations", "lists"])
def test_missing_release_names_the_remedy(root: Path, missing: str) -> None:
    shutil.rmtree(root / missing)
    with pytest.raises(InputError, match="Unpack VIP_Fine"):
        vip_sequences(root, CONFIG)


def test_frames_without_zeros_are_in_the_order_of_their_numbers(root: Path) -> None:
    take_zeros_off(root)
    files = vip_sequences(root, CONFIG)[0]
    assert inspect_vip(files, {})["frames"] >= 16
    handle = MaskSequence.of_files(files)
    assert [int(path.stem) for path in handle.frame_paths] == [1 + 25 * n for n in range(len(handle))]
    truth = read_truth(tiny_clips()[0].truth)
    for index in range(len(handle)):
        np.testing.assert_array_equal(handle.labels(index), truth.parts[index])


def test_hidden_files_are_no_frames(root: Path) -> None:
    files = vip_sequences(add_hidden_files(root), CONFIG)
    assert [inspect_vip(each, {})["frames"] >= 16 for each in files] == [True, True]


def test_labels_that_are_no_classes_are_refused(root: Path) -> None:
    """Instances or people in place of classes: their numbers go on where the classes end."""
    path = root / LABELS / "000000000001.png"
    labels = read_labels(path).copy()
    labels[:2] = 20
    write_labels(path, labels)
    with pytest.raises(InputError, match=r"000000000001\.png holds label 20, but labels end at 19"):
        inspect_vip(vip_sequences(root, CONFIG)[0], {})
    labels[:2] = 255
    write_labels(path, labels)
    assert inspect_vip(vip_sequences(root, CONFIG)[0], {})["objects"] == len(set(labels.flat) - {0, 255})
