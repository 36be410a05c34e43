"""Renders one clip to a video and a truth file."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidrep_pipelines.data.sample_world.clips import ClipRequest
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.episode import ArmEpisode, render_episode, run_episode
from vidrep_pipelines.data.sample_world.geometry import ByteArray
from vidrep_pipelines.data.sample_world.pacing import draw_timeline, run_paced_episode
from vidrep_pipelines.data.sample_world.policy import ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import Scene, draw_scene
from vidrep_pipelines.data.sample_world.truth import truth_of, write_truth


def write_video(path: Path, frames: Iterable[ByteArray], config: SampleWorldConfig) -> int:
    """Encodes RGB frames (H, W, 3) to an mp4 file and returns how many there were.

    One encoder thread and no macroblock tree, whose result depends on memory addresses: equal frames give an
    equal file.
    """
    count = 0
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=config.frames_per_second)
        stream.width, stream.height, stream.pix_fmt = config.width, config.height, "yuv420p"
        stream.time_base = Fraction(1, config.frames_per_second)
        stream.thread_count = 1
        stream.options = {
            "crf": str(config.quality),
            "g": str(config.keyframe_interval),
            "preset": "veryfast",
            "x264-params": "mbtree=0",
        }
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = count
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode(None))
    return count


def render_clip(request: ClipRequest, outputs: Mapping[str, Path]) -> dict[str, str | int | float]:
    """Renders one clip: a scripted policy acts, and what happens is filmed.

    Args:
        request: The clip and the world's parameters.
        outputs: Where the video (".mp4") and the truth (".h5") go.

    Returns:
        One row: activity, instruction, frames, frames_per_second, width, height, seed, final_reward.
    """
    config, spec = request.config, request.spec
    scene = draw_scene(spec.activity, spec.seed, config.distractors)
    episode = _episode(scene, request)
    masks, parts, keypoints = [], [], []

    def filmed() -> Iterator[ByteArray]:
        for frame in render_episode(episode, config):
            masks.append(frame.masks)
            parts.append(frame.parts)
            keypoints.append(frame.keypoints)
            yield frame.pixels

    write_video(outputs[".mp4"], filmed(), config)
    labels = (np.stack(masks), np.stack(parts), np.stack(keypoints))
    write_truth(outputs[".h5"], truth_of(episode, spec.activity, config, *labels))
    return {
        "activity": spec.activity,
        "instruction": scene.instruction,
        "frames": spec.frames,
        "frames_per_second": config.frames_per_second,
        "width": config.width,
        "height": config.height,
        "seed": spec.seed,
        "final_reward": float(episode.rewards[-1]),
    }


def _episode(scene: Scene, request: ClipRequest) -> ArmEpisode:
    config, spec = request.config, request.spec
    if config.pacing is None:
        policy = ScriptedPolicy(config.policy_noise)
        return run_episode(scene, policy, spec.frames, config.frames_per_second)
    timeline = draw_timeline(scene.activity.phases, spec.frames, spec.seed, config.pacing)
    return run_paced_episode(scene, timeline, config.frames_per_second, config.policy_noise)
