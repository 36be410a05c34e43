"""Probing and resizing as the fan-out calls them: one video, its products, one row of facts."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from vidrep_pipelines.data.video.probe import probe
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import Fact, resize_video

CLIP_SUFFIX = ".mp4"
INDEX_SUFFIX = ".packets"
"""Ending of the packet index beside a resized clip."""


def probe_item(path: str, outputs: Mapping[str, Path]) -> dict[str, Fact]:
    """The fields of ``VideoFacts`` for the video at ``path``; there are no products."""
    del outputs
    return asdict(probe(Path(path)))


def resize_item(payload: tuple[str, ResizeConfig], outputs: Mapping[str, Path]) -> dict[str, Fact]:
    """Resizes the video at ``payload[0]`` into a clip and its packet index."""
    path, config = payload
    return resize_video(Path(path), outputs[CLIP_SUFFIX], config, outputs[INDEX_SUFFIX])
