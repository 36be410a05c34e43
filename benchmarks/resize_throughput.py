"""CPU time to resize a clip: the ffmpeg command line as published, against one call in process."""

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.clips import raw_clips
from benchmarks.reference.resize_published import (
    cpu_seconds_of_children,
    ffmpeg_is_installed,
    resize_published,
)
from benchmarks.timing import Result, seconds
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video

ROUNDS = 5
OPTIONS = ResizeConfig().encoding.options()
FFMPEG_REASON = (
    "decoder and encoder are the same; ours also decides whether a clip is sound and writes its packet "
    "index, which the command does not"
)


def run() -> dict[str, Result]:
    if not ffmpeg_is_installed():
        print("skipped: the reference is the ffmpeg command, which is not installed (apt-get install ffmpeg)")
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips, what = raw_clips(folder)
        rounds = [_round(clips, folder) for _ in range(ROUNDS + 1)][1:]
    ours, reference, tuned = (statistics.median(side) / len(clips) for side in zip(*rounds, strict=True))
    how = (
        f"{what}; CPU time of all threads, interleaved clip by clip, medians of {ROUNDS} rounds; ours: "
        "train profile with verdict and packet index, one thread; reference: ffmpeg -i clip -vf scale=... "
        "out.mp4, which encodes sound where there is some"
    )
    result = Result(
        ratio=reference / ours, ours=ours, reference=reference, unit="CPU seconds per clip", how=how
    )
    result["peer"], result["peer_ratio"] = "ffmpeg", tuned / ours
    result["peer_how"] = "the command with our encoder's options, one thread and without sound"
    if tuned < ours:
        result["reason"] = FFMPEG_REASON
    return {"resize_throughput": result}


def _round(clips: list[Path], folder: Path) -> tuple[float, float, float]:
    ours = reference = tuned = 0.0
    for clip in clips:
        ours += seconds(lambda: _resize(clip, folder), time.process_time)  # noqa: B023  (called at once)
        reference += seconds(
            lambda: resize_published(clip, folder / "reference.mp4"),  # noqa: B023
            cpu_seconds_of_children,
        )
        tuned += seconds(
            lambda: resize_published(clip, folder / "tuned.mp4", options=OPTIONS),  # noqa: B023
            cpu_seconds_of_children,
        )
    return ours, reference, tuned


def _resize(clip: Path, folder: Path) -> None:
    resize_video(clip, folder / "ours.mp4", ResizeConfig(), folder / "ours.packets")
