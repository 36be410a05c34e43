"""DAVIS-2017's layout, its resized copy, and what may be wrong with it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.label_sequences import tiny_clips, write_release
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.data.label_sequences.images import read_frame, read_labels, write_labels
from vidrep_pipelines.data.label_sequences.sequence import MaskSequence
from vidrep_pipelines.data.sources.davis import DavisSequence, davis_sequences, inspect_davis
from vidrep_pipelines.data.sources.sample_world.truth import read_truth

NATIVE = DavisConfig(protocol="native")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_release("davis", tmp_path / "DAVIS")


def first(root: Path, config: DavisConfig = NATIVE) -> DavisSequence:
    return davis_sequences(root, config)[0]


def test_a_release_is_read_as_it_was_written(root: Path) -> None:
    sequences = davis_sequences(root, NATIVE)
    assert [sequence.files.id for sequence in sequences] == ["push_000", "stack_000"]
    for sequence, clip in zip(sequences, tiny_clips(), strict=True):
        facts = inspect_davis(sequence, {})
        truth = read_truth(clip.truth)
        handle = MaskSequence.of({**facts, "id": sequence.files.id})
        assert (len(handle), facts["frames"]) == (truth.frames, truth.frames)
        assert (facts["width"], facts["height"]) == (64, 48)
        assert handle.frame(3).shape == (48, 64, 3)
        arm = handle.labels(3)
        assert arm is not None
        np.testing.assert_array_equal(arm == 1, truth.masks[3] == 1)
        start = handle.labels(0)
        assert start is not None
        assert set(start.flat) == set(range(int(facts["objects"]) + 1))


def test_resized_release(root: Path, tmp_path: Path) -> None:
    config = DavisConfig(prepared=tmp_path / "prepared")
    sequence = first(root, config)
    facts = inspect_davis(sequence, {})
    assert (facts["width"], facts["height"]) == (880, 480)
    handle = MaskSequence.of({**facts, "id": "push_000"})
    original = MaskSequence.of({**inspect_davis(first(root), {}), "id": "push_000"})
    labels = original.labels(5)
    assert labels is not None
    nearest = Image.fromarray(labels).resize((880, 480), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(handle.labels(5), np.asarray(nearest))
    frame = Image.fromarray(original.frame(5)).resize((880, 480), Image.Resampling.NEAREST)
    assert np.abs(handle.frame(5).astype(int) - np.asarray(frame)).mean() < 12  # JPEG of quality 75
    with Image.open(handle.frame_paths[5]) as stored, Image.open(handle.label_paths[5]) as palette:
        assert (stored.format, palette.mode) == ("JPEG", "P")
    resized = davis_sequences(tmp_path / "prepared", NATIVE)  # a release by itself
    assert [each.files.id for each in resized] == ["push_000", "stack_000"]
    assert inspect_davis(resized[0], {})["frames"] == facts["frames"]


def test_digest_changes_with_files_and_protocol(root: Path) -> None:
    before = first(root).digest
    assert first(root).digest == before
    assert first(root, DavisConfig()).digest != before
    path = root / "Annotations/480p/push_000/00002.png"
    write_labels(path, np.zeros((48, 64), np.uint8))
    assert first(root).digest != before


FRAMES, LABELS = Path("JPEGImages/480p/push_000"), Path("Annotations/480p/push_000")


def keep_one_frame(root: Path) -> None:
    for folder, suffix in ((root / FRAMES, "jpg"), (root / LABELS, "png")):
        for path in folder.iterdir():
            if path.name != f"00000.{suffix}":
                path.unlink()


def remove(*paths: Path) -> Callable[[Path], None]:
    return lambda root: [(root / path).unlink() for path in paths] and None


def draw(size: tuple[int, int], path: Path) -> Callable[[Path], None]:
    return lambda root: Image.new("P", size).save(root / path)


DAMAGE: list[tuple[Callable[[Path], None], str]] = [
    (lambda root: shutil.rmtree(root / FRAMES), "push_000 is missing or holds no frames"),
    (keep_one_frame, "single frame"),
    (remove(FRAMES / "00003.jpg", LABELS / "00003.png"), "has frame 00002 and then 00004"),
    (remove(LABELS / "00003.png"), r"00003\.png is missing"),
    (remove(FRAMES / "00016.jpg"), "lacks frame 00016, which has labels"),
    (draw((64, 50), LABELS / "00004.png"), r"00004\.png is 64x50, but 00000\.jpg of the sequence is 64x48"),
    (lambda root: Image.new("RGB", (64, 48)).save(root / LABELS / "00004.png"), "color mode is RGB"),
    (lambda root: Image.new("L", (64, 48)).save(root / LABELS / "00004.png"), "color mode is L"),
    (draw((64, 48), LABELS / "00000.png"), "labels nothing"),
    (lambda root: (root / FRAMES / "00004.jpg").write_bytes(b"x") and None, r"00004\.jpg is no readable"),
]


@pytest.mark.parametrize(("damage", "complaint"), DAMAGE)
def test_sequences_that_cannot_be_evaluated(
    root: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    if "00016" in complaint and not (root / FRAMES / "00016.jpg").exists():
        shutil.copy(root / FRAMES / "00015.jpg", root / FRAMES / "00016.jpg")
        shutil.copy(root / LABELS / "00015.png", root / LABELS / "00016.png")
    damage(root)
    bad, good = davis_sequences(root, NATIVE)
    with pytest.raises(InputError, match=complaint):
        inspect_davis(bad, {})
    assert inspect_davis(good, {})["frames"] >= 16


def test_damage_that_only_resizing_finds_leaves_nothing_behind(root: Path, tmp_path: Path) -> None:
    path = root / FRAMES / "00004.jpg"
    path.write_bytes(path.read_bytes()[:700])  # the header is whole
    config = DavisConfig(prepared=tmp_path / "prepared")
    with pytest.raises(InputError, match=r"00004\.jpg is no readable image"):
        inspect_davis(first(root, config), {})
    assert not [each for each in (tmp_path / "prepared").rglob("*") if each.is_file()]


def test_void_is_no_object(root: Path) -> None:
    path = root / LABELS / "00000.png"
    labels = read_labels(path).copy()
    expected = inspect_davis(first(root), {})["objects"]
    labels[:2] = 255
    write_labels(path, labels)
    assert inspect_davis(first(root), {})["objects"] == expected


def test_hidden_files_are_no_frames(root: Path) -> None:
    (root / FRAMES / "._00000.jpg").write_bytes(b"left by a Mac")
    (root / FRAMES / "notes.txt").write_text("x")
    assert inspect_davis(first(root), {})["frames"] == len(list((root / LABELS).iterdir()))
    assert read_frame(root / FRAMES / "00000.jpg").shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [
        ("", "davis.root: there is no folder"),
        ("Annotations", "davis.root: there is no folder .*Annotations"),
        ("ImageSets", "The list .*val.txt cannot be read"),
    ],
)
def test_missing_release_names_the_remedy(root: Path, missing: str, complaint: str) -> None:
    shutil.rmtree(root / missing)
    with pytest.raises(InputError, match=complaint) as caught:
        davis_sequences(root, NATIVE)
    assert "DAVIS-2017-trainval-480p.zip" in str(caught.value)


def test_empty_list(root: Path) -> None:
    (root / "ImageSets/2017/val.txt").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        davis_sequences(root, NATIVE)
