"""Miniatures of DAVIS, JHMDB, VIP and TAP-Vid for tests, small enough to be written anew by every test."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from vidrep_pipelines.data.sample_world.clip_rendering import render_clip
from vidrep_pipelines.data.sample_world.clips import clip_requests
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.label_layouts import write_miniature
from vidrep_pipelines.data.sample_world.miniature import MiniatureClip, MiniatureName, MiniatureRequest

TINY_WORLD = SampleWorldConfig(seed=5, clips=2, width=64, height=48, frames_min=16, frames_max=17)


@cache
def _rendered() -> tuple[TemporaryDirectory[str], tuple[MiniatureClip, ...]]:
    """Clips that all tests of a process share; the folder goes when the process ends."""
    folder = TemporaryDirectory()
    clips = []
    for number, request in enumerate(clip_requests(TINY_WORLD)):
        clip = MiniatureClip(
            request.spec.id, Path(folder.name) / f"{number}.mp4", Path(folder.name) / f"{number}.h5", request
        )
        render_clip(request, {".mp4": clip.video, ".h5": clip.truth})
        clips.append(clip)
    return folder, tuple(clips)


def tiny_clips() -> tuple[MiniatureClip, ...]:
    """Two rendered clips of 64x48 pixels."""
    return _rendered()[1]


def write_release(release: MiniatureName, root: Path) -> Path:
    """Writes a miniature of two clips below ``root`` and returns ``root``."""
    write_miniature(MiniatureRequest(release, tiny_clips(), quality=95, digest="test"), root)
    return root
