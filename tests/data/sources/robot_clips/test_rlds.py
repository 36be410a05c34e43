import logging
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.long_videos import feature, field, jpeg, write_tfrecords
from tests.helpers.videos import barcode_frames, read_barcodes, truncate
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.robot_clips.rlds import RT1, list_rlds

STEPS = 5
PICTURES = [jpeg(frame) for frame in barcode_frames(STEPS, 64, 48)]
RT1_FILE = "fractal20220817_data-train.tfrecord-00003-of-01024"


def encoded(value: Any) -> bytes:
    """A ``tf.train.Feature``: of byte strings, whole numbers, or floating point numbers."""
    values = list(value)
    if values and isinstance(values[0], bytes):
        return field(1, b"".join(field(1, one) for one in values))
    if np.asarray(values).dtype.kind == "f":
        return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
    return feature([int(one) for one in values])


def example_bytes(features: Mapping[str, Any]) -> bytes:
    """A ``tf.train.Example``."""
    entries = (
        field(1, field(1, name.encode()) + field(2, encoded(value))) for name, value in features.items()
    )
    return field(1, b"".join(entries))


def rt1_episode(text: bytes | Sequence[bytes] = b"pick brown chip bag", **changes: Any) -> bytes:
    """A record of RT-1; ``changes`` by the last part of a feature's name, None leaves it out."""
    texts = [text] * STEPS if isinstance(text, bytes) else list(text)
    features: dict[str, Any] = {
        "steps/observation/image": PICTURES,
        "steps/observation/natural_language_instruction": texts,
        "steps/observation/natural_language_embedding": np.zeros(512 * STEPS),
        "steps/observation/base_pose_tool_reached": np.arange(7.0 * STEPS),
        "steps/observation/gripper_closed": np.full(STEPS, 0.5),
        "steps/action/world_vector": np.arange(3.0 * STEPS),
        "steps/action/rotation_delta": -np.arange(3.0 * STEPS),
        "steps/action/gripper_closedness_action": np.ones(STEPS),
        "steps/is_first": [1, 0, 0, 0, 0],
    }
    changed = {name: changes.get(name.rsplit("/", 1)[-1], value) for name, value in features.items()}
    return example_bytes({name: value for name, value in changed.items() if value is not None})


def bridge_episode(**flags: int) -> bytes:
    """A record of BridgeData V2 with four cameras; flags such as ``has_image_1=0``."""
    features: dict[str, Any] = {f"steps/observation/image_{camera}": PICTURES for camera in range(4)}
    features |= {
        "steps/language_instruction": [b"take the pot"] * STEPS,
        "steps/observation/state": np.arange(7.0 * STEPS),
        "steps/action": np.ones(7 * STEPS),
    }
    return example_bytes(features | {f"episode_metadata/{name}": [value] for name, value in flags.items()})


def test_rt1_episode_is_read(tmp_path: Path) -> None:
    write_tfrecords(tmp_path / "0.1.0" / RT1_FILE, [rt1_episode(), rt1_episode(b"open the drawer")])
    first, second = list_rlds(tmp_path)
    assert (first.trajectory, first.split, first.robot) == ("rt1/train/00003_0000", "train", "rt1")
    with first.open() as episode:
        (view,) = episode.views
        assert read_barcodes(np.stack(list(view.pictures))) == list(range(STEPS))
    np.testing.assert_array_equal(episode.states[1], [7, 8, 9, 10, 11, 12, 13, 0.5])
    np.testing.assert_array_equal(episode.actions[1], [3, 4, 5, -3, -4, -5, 1])
    assert episode.states.dtype == episode.actions.dtype == np.float32
    assert episode.annotations.frames_per_second == 3
    with second.open() as episode:
        assert episode.annotations.instruction_at(4) == "open the drawer"
    assert first.digest != second.digest


def test_bridge_has_the_cameras_that_there_were(tmp_path: Path) -> None:
    payload = bridge_episode(has_image_0=1, has_image_1=0, has_image_2=1)
    write_tfrecords(tmp_path / "bridge_dataset-val.tfrecord-00000-of-00128", [payload])
    (source,) = list_rlds(tmp_path)
    assert (source.trajectory, source.split) == ("bridge/val/00000_0000", "validation")
    with source.open() as episode:
        assert [view.camera for view in episode.views] == [0, 2, 3]
        assert (episode.states.shape, episode.actions.shape) == ((STEPS, 7), (STEPS, 7))
    with list_rlds(tmp_path, "kitchen", cameras=(2,))[0].open() as episode:
        assert (episode.robot, [view.camera for view in episode.views]) == ("kitchen", [2])


def test_instruction_that_changes_holds_for_its_steps(tmp_path: Path) -> None:
    write_tfrecords(tmp_path / RT1_FILE, [rt1_episode([b"open", b"open", b"", b"close", b"close"])])
    with list_rlds(tmp_path)[0].open() as episode:
        said = [(part.first, part.last, part.text) for part in episode.annotations.segments]
    assert said == [(0, 2, "open"), (3, 5, "close")]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (rt1_episode(b" "), "empty or no text"),
        (rt1_episode([b"open"] * 2), "2 instructions for 5 steps"),
        (
            rt1_episode(natural_language_instruction=None),
            "has no steps/observation/natural_language_instruction",
        ),
        (rt1_episode(image=None), r"has the cameras \[\]"),
        (rt1_episode(image=[]), r"its cameras have \[0\] pictures"),
        (rt1_episode(image=[1, 2]), "has no steps/observation/image"),
        (rt1_episode(world_vector=np.zeros(14)), "world_vector has 14 numbers, where 5 steps have 3"),
        (rt1_episode(world_vector=[b"x"] * 15), "world_vector has 15 numbers"),
        (rt1_episode(gripper_closed=np.full(STEPS, np.nan)), "row 0 of 5 is not finite"),
        (b"\x0b", r"record 0: the record is no tf\.train\.Example"),
    ],
)
def test_what_is_wrong_is_said_when_the_record_is_opened(
    tmp_path: Path, payload: bytes, message: str
) -> None:
    write_tfrecords(tmp_path / RT1_FILE, [payload, rt1_episode()])
    bad, good = list_rlds(tmp_path)
    with pytest.raises(InputError, match=message), bad.open():
        pass
    with good.open():
        pass


def test_damaged_picture_ends_the_view(tmp_path: Path) -> None:
    write_tfrecords(tmp_path / RT1_FILE, [rt1_episode(image=[*PICTURES[:3], b"\xff\xd8", PICTURES[4]])])
    with list_rlds(tmp_path)[0].open() as episode:
        (view,) = episode.views
        with pytest.raises(DamagedViewError, match="picture 3 is no whole picture"):
            list(view.pictures)


def test_cut_file_gives_what_comes_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_tfrecords(tmp_path / RT1_FILE, [rt1_episode(), rt1_episode()])
    whole = list_rlds(tmp_path)
    data = bytearray(path.read_bytes())
    data[whole[0].place.offset + 40] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="record 0"), whole[0].open():
        pass
    truncate(path, 0.7)
    with caplog.at_level(logging.WARNING):
        assert len(list_rlds(tmp_path)) == 1
    assert "record 1: nothing after it can be found" in caplog.text


def test_releases_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no episode below"):
        list_rlds(tmp_path)
    write_tfrecords(tmp_path / "a/toto-train.tfrecord-00000-of-00001", [rt1_episode()])
    with pytest.raises(InputError, match="whose features are not known"):
        list_rlds(tmp_path)
    assert [episode.robot for episode in list_rlds(tmp_path, features=RT1)] == ["rt1"]
    for version in ("0.1.0", "0.2.0"):
        write_tfrecords(tmp_path / "b" / version / RT1_FILE, [rt1_episode()])
    with pytest.raises(InputError, match="two releases of one data set"):
        list_rlds(tmp_path / "b")
