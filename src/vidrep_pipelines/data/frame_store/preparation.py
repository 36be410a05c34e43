"""Prepares one episode: decodes it, resizes its frames, and stores it as a shard of its own."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import (
    DamagedViewError,
    Episode,
    EpisodeSource,
    EpisodeView,
    stated_split,
)
from vidrep_pipelines.data.frame_store.film import encoded_film, film_pixel_sums
from vidrep_pipelines.data.frame_store.resize_rules import resized_mask, resized_picture
from vidrep_pipelines.data.frame_store.shard import (
    FORMAT_VERSION,
    SHARD_SUFFIX,
    View,
    pixel_sums,
    rule_attribute,
    write_shard,
)

_PREPARATION = 1
"""Version of what equal parameters lead to: raised when stored pixels or facts change."""


@dataclass(frozen=True)
class EpisodeRequest:
    """What preparing one episode needs.

    Attributes:
        source: The episode.
        config: How its frames are prepared.
    """

    source: EpisodeSource
    config: FramesConfig

    @property
    def id(self) -> str:
        """Name of the trajectory, which is also that of its file."""
        return self.source.trajectory

    @property
    def digest(self) -> str:
        """Changes with all that the prepared episode depends on, and with the split that is stated for it."""
        stated = [self.split] if self.split else []
        return digest_of(_PREPARATION, FORMAT_VERSION, self.config.in_digests, self.source.digest, *stated)

    @property
    def split(self) -> str | None:
        """The split that its source puts it in; none if it is to be dealt."""
        return stated_split(self.source)


def prepare_episode(request: EpisodeRequest, outputs: Mapping[str, Path]) -> dict[str, str | int | None]:
    """Stores an episode's frames at their final size.

    Args:
        request: The episode.
        outputs: Where the shard (".h5") goes.

    Returns:
        One row: robot, views, frames (of all views), verdict (``healthy`` or ``damaged``), problems (what was
        cut or left out, and why), view_facts (JSON text: camera, frames and pixel sums of every view, and
        the bytes of its film if it is one), and stated_split if the source states one.

    Raises:
        InputError: The file cannot be read, or no view of it is usable; the message says why, view by view.
            Or a segment ends after the episode, or masks do not fit the pictures.
    """
    config, problems = request.config, list[str]()
    views, blocks, masks, lengths = [], [], [], [0]
    with request.source.open() as episode:
        for view in episode.views:
            content, problem = _usable_frames(view, episode.usable_frames, config)
            problems += [problem] if problem else []
            lengths.append(_claimed_frames(view, content, problem))
            if len(content.frames):
                is_film = config.storage == "mp4"
                block = encoded_film(content.frames, config.mp4) if is_film else content.frames
                views.append(_view(request.id, episode, view, content, block))
                blocks.append(block)
                masks += [content.masks] if len(content.masks) else []
        episode.annotations.require_inside(max(*lengths, len(episode.states)))
        if not views:
            raise InputError("; ".join(problems) or f"{request.id}: there are no pictures in it.")
        size, attributes = (config.height, config.width), rule_attribute(config)
        write_shard(outputs[SHARD_SUFFIX], views, blocks, size, attributes, masks)
        return {
            "robot": episode.robot,
            "views": len(views),
            "frames": sum(view.frames for view in views),
            "verdict": "damaged" if problems else "healthy",
            "problems": "; ".join(problems) or None,
            "view_facts": json.dumps([_facts(view) for view in views]),
            **({"stated_split": request.split} if request.split else {}),
        }


@dataclass(frozen=True)
class _Content:
    """Frames (T, H, W, 3), none if there are too few, and their masks (T, H, W), none if they have none."""

    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8]


def _usable_frames(view: EpisodeView, limit: int | None, config: FramesConfig) -> tuple[_Content, str]:
    """What is stored of a view; and what was wrong, or nothing."""
    name, problem = f"camera {view.camera}", ""
    frames, masks = list[NDArray[np.uint8]](), list[NDArray[np.uint8]]()
    try:
        for picture in islice(view.pictures, limit):
            if view.masks is not None:
                masks.append(resized_mask(_checked_mask(next(view.masks, None), name), config))
            frames.append(resized_picture(picture, config))
    except DamagedViewError as error:
        problem = f"{name}: {error}"
    if problem and not config.allow_truncated:
        return _content([], [], config), problem
    if len(frames) < config.min_frames:
        known = "" if limit is None else f" (states and actions are known for {limit})"
        short = f"{name}: {len(frames)} usable frames{known}, at least {config.min_frames} are wanted"
        return _content([], [], config), f"{problem}; {short}" if problem else short
    return _content(frames, masks, config), problem


def _claimed_frames(view: EpisodeView, content: _Content, problem: str) -> int:
    """How long the view may have been, before it was cut: any length if it broke off and claims nothing."""
    return sys.maxsize if problem and not view.source_frames else max(view.source_frames, len(content.frames))


def _checked_mask(mask: NDArray[np.uint8] | None, name: str) -> NDArray[np.uint8]:
    if mask is None or mask.ndim != 2 or mask.dtype != np.uint8:
        found = "ends" if mask is None else f"is {mask.dtype} {mask.shape}"
        raise InputError(f"{name}: every picture needs a mask (h, w) of uint8, but one {found}.")
    return mask


def _content(
    frames: list[NDArray[np.uint8]], masks: list[NDArray[np.uint8]], config: FramesConfig
) -> _Content:
    size = (config.height, config.width)
    return _Content(
        np.stack(frames) if frames else np.empty((0, *size, 3), np.uint8),
        np.stack(masks) if masks else np.empty((0, *size), np.uint8),
    )


def _view(
    trajectory: str, episode: Episode, view: EpisodeView, content: _Content, block: NDArray[np.uint8]
) -> View:
    """The facts of what is stored: of frames, or of the film (B,) that they became."""
    T, is_film = len(content.frames), block.ndim == 1
    height, width = content.frames.shape[1:3]
    return View(
        trajectory=trajectory,
        camera=view.camera,
        robot=episode.robot,
        frames=T,
        source_frames=view.source_frames,
        states=episode.states[:T],
        actions=episode.actions[: T - 1],
        pixel_sums=film_pixel_sums(block, (height, width)) if is_film else pixel_sums(content.frames),
        outcomes=episode.outcomes[: T - 1],
        annotations=episode.annotations.within(T),
        masks=len(content.masks),
        film=len(block) if is_film else 0,
    )


def _facts(view: View) -> dict[str, object]:
    facts = {"camera": view.camera, "frames": view.frames, "pixel_sums": view.pixel_sums.tolist()}
    return {**facts, "film": view.film} if view.film else facts
