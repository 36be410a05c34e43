"""Annotations, recordings and records of clips of robots."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import example, given

from tests.fuzz.damage import damaged
from tests.fuzz.files import written
from tests.fuzz.limits import ROUND, answer_within_limits
from tests.helpers.long_videos import feature, field, framed
from tests.helpers.robonet import jpeg, robot_frames
from tests.helpers.robot_clips import write_instance
from vidrep_pipelines.data.frame_store.episode import EpisodeSource
from vidrep_pipelines.data.sources.long_videos.tfrecord import find_records
from vidrep_pipelines.data.sources.robot_clips.annotation import published_latents
from vidrep_pipelines.data.sources.robot_clips.instances import InstanceEpisode, list_instances
from vidrep_pipelines.data.sources.robot_clips.rlds import RldsEpisode
from vidrep_pipelines.data.sources.robot_clips.xbot import XbotEpisode

pytestmark = pytest.mark.fuzz


def valid_instance() -> tuple[bytes, bytes]:
    """An annotation and its video."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_instance(Path(folder) / "bridge", "train", "0", frames=3)
        return path.read_bytes(), (Path(folder) / "bridge/videos/train/0/rgb.mp4").read_bytes()


@contextmanager
def instance(annotation: bytes) -> Iterator[Path]:
    """The annotation's file in a data set that has the video."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"annotation/train/0.json": annotation, "videos/train/0/rgb.mp4": VIDEO}
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        yield Path(folder) / "annotation/train/0.json"


def valid_recording(compress: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.hdf5"
        frames = robot_frames(3, 16, 16)
        rows = [np.resize(jpeg(frame), 2000) for frame in frames]
        with h5py.File(path, "w") as file:
            file.attrs["compress"] = compress
            file["observations/arm_end_pose"], file["observations/hand_qpos"] = (
                np.ones((3, 14)),
                np.ones((3, 24)),
            )
            file["action"], file["text"] = np.ones((3, 38)), "lift"
            file["observations/images/cam_high"] = np.stack(rows) if compress else frames
        return path.read_bytes()


def valid_record() -> bytes:
    floats = field(2, field(1, bytes(28)))
    values = {
        "steps/observation/image": feature(jpeg(robot_frames(1, 16, 16)[0]).tobytes()),
        "steps/observation/natural_language_instruction": feature(b"lift"),
        "steps/observation/base_pose_tool_reached": floats,
    }
    return field(
        1, b"".join(field(1, field(1, name.encode()) + field(2, value)) for name, value in values.items())
    )


ANNOTATION, VIDEO = valid_instance()
RAW, PACKED, RECORD = valid_recording(False), valid_recording(True), valid_record()


def read_all(source: EpisodeSource) -> Callable[[], None]:
    """Opens a clip and takes its pictures."""

    def read() -> None:
        with source.open() as episode:
            for view in episode.views:
                for _ in view.pictures:
                    pass

    return read


@ROUND
@given(damaged(ANNOTATION))
@example(b'{"texts": ["a"], "videos": [{"video_path": "a\\u0000b"}], "state": [[1]]}')
@example(b'{"texts": ["a"], "videos": [{"video_path": "videos/train/0/rgb.mp4"}], "video_length": 1e400}')
@example(b'{"texts": ["a"], "videos": [{"video_path": "annotation/train/0.json"}], "video_length": 3}')
@example(b'{"texts": ["a"], "videos": [{"video_path": "videos/train/0/rgb.mp4"}], "action": {"a": 1}}')
@example(b'{"texts": ["a"], "videos": [{"video_path": "videos/train/0/rgb.mp4"}], "state": {"a": 1}}')
def test_annotations(content: bytes) -> None:
    with instance(content) as path:
        answer_within_limits(read_all(InstanceEpisode("a", path, "bridge", cameras_beside=True)))
        answer_within_limits(lambda: published_latents(path))
        assert len(list_instances(path.parents[2])) == 1


@ROUND
@given(damaged(RAW, PACKED))
def test_recordings(content: bytes) -> None:
    with written(content, "a.hdf5") as path:
        answer_within_limits(read_all(XbotEpisode("a", path, step=1)))


@ROUND
@given(damaged(framed(RECORD)))
def test_records_of_episodes(content: bytes) -> None:
    with written(content, "a.tfrecord") as path:
        places = answer_within_limits(lambda: list(find_records(path))) or []
        for place in places[:2]:
            answer_within_limits(read_all(RldsEpisode("a", path, place)))
