"""Predictors whose measures are known, tables of the sample world, and clips in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop
from vidrep_pipelines.evaluation.video_prediction.clips import PredictedClips
from vidrep_pipelines.evaluation.video_prediction.system import MeasuredSystem
from vidrep_pipelines.evaluation.video_prediction.tables import CounterfactualTable

WORLD = TabletopConfig(cameras=("front",), objects_max=2, width=32, height=32, frames=20)
FRAMES, LEVELS = 3, (0.5, 2.0)


@lru_cache
def table_of(seed: int) -> CounterfactualTable:
    """A small table of the sample world with two objects; first, middle and last frame."""
    episodes = Tabletop(WORLD, seed).counterfactuals()
    moments = [0, 10, 19]
    return CounterfactualTable(
        f"table_{seed}",
        tuple(episode.instruction for episode in episodes),
        np.stack([episode.frames["front"][moments] for episode in episodes]),
        np.stack([episode.masks["front"][moments] for episode in episodes]),
    )


def swapped(table: CounterfactualTable) -> list[int]:
    """For each instruction the number of one with the same task, or any, that names the other object."""
    return [
        min(
            (place for place, name in enumerate(table.named) if name != named),
            key=lambda place: table.instructions[place].task != table.instructions[number].task,
        )
        for number, named in enumerate(table.named)
    ]


def unit(frames: np.ndarray) -> Tensor:
    """(..., H, W, 3) uint8 as (..., 3, H, W) in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 255


def copied(first: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """Predicts that nothing happens."""
    return first[:, None].expand(-1, FRAMES, -1, -1, -1)


def no_losses(videos: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> dict[str, Tensor]:
    """A loss that is 1 without text and half of it with text, at the first level; 3 at the other."""
    rows = {"model": [0.5, 3.0], "without_text": [1.0, 3.0]}
    return {name: torch.tensor([row] * len(videos)) for name, row in rows.items()}


@dataclass(frozen=True)
class TruthOf:
    """Predicts what really happens at a table, or what ``choose`` gives instead."""

    tables: tuple[CounterfactualTable, ...]
    choose: Callable[[CounterfactualTable], Sequence[int]] = lambda table: range(len(table.texts))

    def __call__(self, first: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        videos = []
        for picture, text in zip(first, texts, strict=True):
            table = next(one for one in self.tables if torch.equal(unit(one.truths[0, 0]), picture))
            videos.append(unit(table.truths[self.choose(table)[table.texts.index(text)]]))
        return torch.stack(videos)


COPYING = MeasuredSystem("copying", FRAMES, copied, copied, lambda frames: frames, no_losses, LEVELS)


def predicting(predict: Callable[..., Tensor]) -> MeasuredSystem:
    """A system with this prediction; without text it predicts that nothing happens."""
    return replace(COPYING, predict=predict)


def drifting(count: int = 6, size: int = 16) -> PredictedClips:
    """Clips in which a bright square moves a pixel per frame, of the data sets x (4) and y."""
    videos = np.full((count, FRAMES, size, size, 3), 40, np.uint8)
    for number in range(count):
        for frame in range(FRAMES):
            videos[number, frame, 4:8, number + frame : number + frame + 4] = 200
    names = [f"{number}" for number in range(count)]
    store = SimpleNamespace(
        facts=SimpleNamespace(content_digest="d"), frames=lambda view, ids: videos[int(view)][ids]
    )
    rows = pd.DataFrame({"id": names, "trajectory": names, "robot": ["x"] * 4 + ["y"] * (count - 4)})
    return PredictedClips(
        cast(FrameStore, store),
        rows.assign(text="go"),
        np.tile(np.arange(FRAMES), (count, 1)),
    )
