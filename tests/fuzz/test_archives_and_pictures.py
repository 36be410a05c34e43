"""NumPy archives of episodes, arrays of phases, tar archives of clips, pictures."""

import io
import tarfile

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from tests.fuzz.damage import damaged
from tests.fuzz.files import written
from tests.fuzz.limits import ROUND, answer_within_limits
from vidrep_pipelines.data.label_sequences.images import read_frame, read_header
from vidrep_pipelines.data.sources.kinetics.archives import unpack
from vidrep_pipelines.data.sources.long_videos.penn_action import read_phases
from vidrep_pipelines.data.sources.replay_buffer.episode import buffer_facts
from vidrep_pipelines.evaluation.label_propagation.label_folder import read_label_image

pytestmark = pytest.mark.fuzz


def archive(*, packed: bool) -> bytes:
    columns = {
        "image": np.zeros((3, 4, 4, 3), np.uint8),
        "action": np.ones((3, 2), "f4"),
        "reward": np.arange(3.0),
        "step_type": np.array([0, 1, 2]),
    }
    buffer = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(buffer, **columns)
    return buffer.getvalue()


def array(values: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values), allow_pickle=True)
    return buffer.getvalue()


def clips(mode: str, kind: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=kind) as tar:  # type: ignore[call-overload]
        for name in ("a/b.mp4", "x" * 120 + ".mp4", "ü.mp4"):
            member = tarfile.TarInfo(name)
            member.size = 20
            tar.addfile(member, io.BytesIO(b"picture" * 3))
    return buffer.getvalue()


def picture(kind: str, mode: str) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (9, 7)).save(buffer, kind)
    return buffer.getvalue()


@ROUND
@given(damaged(archive(packed=True), archive(packed=False)))
def test_episodes(content: bytes) -> None:
    with written(content, "a.npz") as path:
        answer_within_limits(lambda: buffer_facts(path))


@ROUND
@given(damaged(array([0, 1, 2]), array([0.5]), array([None]), archive(packed=False)))
def test_phases(content: bytes) -> None:
    with written(content, "0001_phases.npy") as path:
        answer_within_limits(lambda: read_phases(path))


@ROUND
@given(
    damaged(clips("w", tarfile.PAX_FORMAT), clips("w", tarfile.GNU_FORMAT), clips("w:gz", tarfile.PAX_FORMAT))
)
def test_clips(content: bytes) -> None:
    with written(content, "part.tar") as path:
        answer_within_limits(lambda: unpack(path, path.parent / "out"))


@ROUND
@given(damaged(*(picture(*kind) for kind in (("PNG", "P"), ("PNG", "RGB"), ("JPEG", "RGB"), ("GIF", "P")))))
def test_pictures(content: bytes) -> None:
    with written(content, "a.png") as path:
        for read in (read_header, read_frame, read_label_image):
            answer_within_limits(lambda read=read: read(path))  # type: ignore[misc]
