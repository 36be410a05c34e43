"""DAVIS-2017's layout, its resized copy, and what may be wrong with it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.foreign_files import add_hidden_files, take_zeros_off
from tests.helpers.label_sequences import tiny_clips, write_release
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.data.label_sequences.images import read_frame, read_labels, write_labels
from vidrep_pipelines.data.label_sequences.sequence import MaskSequence
from vidrep_pipelines.data.sample_world.truth import read_truth
from vidrep_pipelines.data.sources.davis import DavisSequence, davis_sequences, inspect_davis

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
        handle = MaskSequence.of_files(sequence.evaluated)
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
    handle = MaskSequence.of_files(sequence.evaluated)
    original = MaskSequence.of_files(first(root).evaluated)
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


def handle_of(root: Path, config: DavisConfig = NATIVE) -> MaskSequence:
    sequence = first(root, config)
    inspect_davis(sequence, {})
    return MaskSequence.of_files(sequence.evaluated)


def test_frames_without_zeros_are_in_the_order_of_their_numbers(root: Path) -> None:
    expected = handle_of(root)
    frames = [expected.frame(index) for index in range(len(expected))]
    labels = [expected.labels(index) for index in range(len(expected))]
    found = handle_of(take_zeros_off(root))
    assert [path.name for path in found.frame_paths] == [f"{n}.jpg" for n in range(len(frames))]
    np.testing.assert_array_equal([found.frame(index) for index in range(len(found))], frames)
    np.testing.assert_array_equal([found.labels(index) for index in range(len(found))], labels)


def test_hidden_files_change_nothing(root: Path) -> None:
    digest = first(root).digest
    assert first(add_hidden_files(root)).digest == digest
    assert inspect_davis(first(root), {})["frames"] >= 16


def test_black_and_white_masks_are_one_object(root: Path, tmp_path: Path) -> None:
    """DAVIS-2016: 255 is the object, not void."""
    expected = handle_of(root)
    truth = [np.asarray(expected.labels(index)) > 0 for index in range(len(expected))]
    for path, inside in zip(sorted((root / LABELS).iterdir()), truth, strict=True):
        Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)).save(path)
    assert inspect_davis(first(root), {})["objects"] == 1
    found = handle_of(root)
    np.testing.assert_array_equal([found.labels(index) for index in range(len(found))], truth)
    resized = handle_of(root, DavisConfig(prepared=tmp_path / "prepared"))
    labels = resized.labels(0)
    assert labels is not None
    assert set(labels.flat) == {0, 1}
    with Image.open(resized.label_paths[0] or "") as image:
        assert image.mode == "P"


def test_masks_with_shades_are_not_black_and_white(root: Path) -> None:
    for path in (root / LABELS).iterdir():
        Image.fromarray(np.where(read_labels(path) > 0, 255, 0).astype(np.uint8)).save(path)
    shaded = np.zeros((48, 64), np.uint8)
    shaded[:3] = 38
    Image.fromarray(shaded).save(root / LABELS / "00004.png")
    with pytest.raises(InputError, match=r"00004\.png holds the shade 38"):
        inspect_davis(first(root), {})


def test_only_the_first_mask_is_enough_and_keeps_its_size(root: Path, tmp_path: Path) -> None:
    for path in (root / LABELS).iterdir():
        if path.stem != "00000":
            path.unlink()
    sequence = first(root, DavisConfig(prepared=tmp_path / "prepared"))
    facts = inspect_davis(sequence, {})
    assert (facts["width"], facts["height"], facts["objects"]) == (64, 48, 4)
    assert sequence.evaluated.frame_folder == root / FRAMES
    handle = MaskSequence.of_files(sequence.evaluated)
    assert handle.labels(0) is not None
    assert handle.labels(1) is None


def test_first_mask_with_nothing_but_void(root: Path) -> None:
    path = root / LABELS / "00000.png"
    write_labels(path, np.full((48, 64), 255, np.uint8))
    with pytest.raises(InputError, match=r"00000\.png labels nothing but void \(255\)"):
        inspect_davis(first(root), {})


def test_palettes_of_two_bits(root: Path) -> None:
    expected = handle_of(root)
    truth = [np.minimum(np.asarray(expected.labels(index)), 3) for index in range(len(expected))]
    for path, labels in zip(sorted((root / LABELS).iterdir()), truth, strict=True):
        image = Image.fromarray(labels)
        image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
        image.save(path, bits=2)
    found = handle_of(root)
    np.testing.assert_array_equal([found.labels(index) for index in range(len(found))], truth)


def test_lists_of_davis_2016_name_frames(root: Path) -> None:
    lists = root / "ImageSets/480p"
    (root / "ImageSets/2017").rename(lists)
    lines = [
        f"/JPEGImages/480p/{name}/{n:05d}.jpg /Annotations/480p/{name}/{n:05d}.png"
        for name in ("stack_000", "push_000")
        for n in range(3)
    ]
    (lists / "val.txt").write_text("\n".join(lines))
    assert [each.files.id for each in davis_sequences(root, NATIVE)] == ["stack_000", "push_000"]


def test_names_that_lead_out_of_the_release_are_refused(root: Path) -> None:
    (root / "ImageSets/2017/val.txt").write_text("push_000\na/..\n")
    with pytest.raises(InputError, match=r"val\.txt names '\.\.', which is no sequence"):
        davis_sequences(root, NATIVE)
