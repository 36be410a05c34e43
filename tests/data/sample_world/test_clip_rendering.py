import pickle
from pathlib import Path

import av
import numpy as np
import pytest

from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.clip_rendering import render_clip
from vidrep_pipelines.data.sample_world.clips import CLIP_SUFFIXES, ClipRequest, clip_requests
from vidrep_pipelines.data.sample_world.config import ACTIVITY_NAMES, SampleWorldConfig
from vidrep_pipelines.data.sample_world.truth import read_truth

CONFIG = SampleWorldConfig(clips=6, width=64, height=48, frames_min=30, frames_max=40)


def _render(request: ClipRequest, folder: Path) -> tuple[dict[str, Path], dict[str, str | int | float]]:
    folder.mkdir(parents=True, exist_ok=True)
    outputs = {suffix: folder / f"clip{suffix}" for suffix in CLIP_SUFFIXES}
    return outputs, render_clip(request, outputs)


def _frames(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("index", range(len(ACTIVITY_NAMES)))
def test_video_and_truth_tell_the_same(index: int, tmp_path: Path) -> None:
    request = clip_requests(CONFIG)[index]
    outputs, facts = _render(pickle.loads(pickle.dumps(request)), tmp_path)
    frames, truth = _frames(outputs[".mp4"]), read_truth(outputs[".h5"])
    count = request.spec.frames
    assert frames.shape == (count, 48, 64, 3)
    assert truth.masks.shape == truth.parts.shape == (count, 48, 64)
    assert truth.keypoints.shape == (count, len(truth.keypoint_names), 3)
    assert len(truth.keypoint_names) >= 8
    assert truth.actions.shape == (count, len(truth.action_names))
    assert truth.states.shape == (count, len(truth.state_names))
    assert truth.rewards.shape == truth.phases.shape == (count,)
    assert truth.frames == facts["frames"] == count
    assert facts["instruction"] == truth.instruction
    assert facts["activity"] == truth.activity == request.spec.activity
    assert len(truth.object_names) == 2 + len(set(truth.object_names[2:]))


def test_truth_obeys_its_laws(tmp_path: Path) -> None:
    truth = read_truth(_render(clip_requests(CONFIG)[3], tmp_path)[0][".h5"])
    assert (np.diff(truth.phases) >= 0).all()
    assert set(truth.phases) == set(range(len(truth.phase_names)))
    assert truth.rewards.min() >= 0 and truth.rewards.max() <= 1
    assert np.abs(truth.actions).max() <= 1
    assert not truth.actions[-1].any()
    step = (arm.SPEED / np.float32(truth.frames_per_second)).astype(np.float32)
    following = np.clip(truth.states[:-1] + truth.actions[:-1] * step, arm.LOWEST, arm.HIGHEST)
    np.testing.assert_array_equal(truth.states[1:], following)


def test_the_same_request_gives_the_same_files(tmp_path: Path) -> None:
    request = clip_requests(CONFIG)[0]
    first, _ = _render(request, tmp_path / "first")
    second, _ = _render(request, tmp_path / "second")
    assert first[".mp4"].read_bytes() == second[".mp4"].read_bytes()
    one, other = read_truth(first[".h5"]), read_truth(second[".h5"])
    for name in ("masks", "parts", "keypoints", "phases", "actions", "states", "rewards"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_video_is_like_a_camera_file(tmp_path: Path) -> None:
    outputs, _ = _render(clip_requests(CONFIG)[1], tmp_path)
    with av.open(str(outputs[".mp4"])) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == CONFIG.frames_per_second
        keyframes = [packet.is_keyframe for packet in container.demux(stream) if packet.size]
    assert keyframes[0]
    assert sum(keyframes) <= 2
