"""What is lost between frames and latents: the ceiling of every prediction that is made of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.models.shared.units import channels_last, clamped_psnr, to_bytes
from vidrep_pipelines.models.vpp.video.codec import Codec
from vidrep_pipelines.models.vpp.video.latents import LATENTS
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_SHOWN = 6
_SMALLEST_TILE = 96
_PREFERRED = ("validation", "test", "train")


@torch.inference_mode()
def latents_report(codec: Codec, latents: FrameArrayStore, frames: int) -> tuple[dict[str, Any], Image]:
    """Frames against what is decoded from their stored latents, for each data set.

    Args:
        codec: What made the latents.
        latents: The stored latents beside their frames.
        frames: Frames of each data set, evenly spaced over the views held out for validation.

    Returns:
        PSNR in decibels by data set: mean over frames, the frames' deviation, and their number. And originals
        above decoded frames.
    """
    report: dict[str, Any] = {}
    rows: list[ImageRow] = []
    for name, split, views in _data_sets(latents):
        originals, decoded = _pairs(codec, latents, views, frames)
        quality = torch.stack([clamped_psnr(one, two) for one, two in zip(originals, decoded, strict=True)])
        mean = float(quality.mean())
        report[name] = {
            "psnr": mean,
            "deviation": float(quality.std(correction=0)),
            "frames": len(quality),
            "split": split,
        }
        shown = torch.linspace(0, len(quality) - 1, min(len(quality), _SHOWN)).round().long()
        rows += [
            ImageRow(list(channels_last(to_bytes(pictures[shown]))), label)
            for pictures, label in ((originals, name), (decoded, f"decoded\n{mean:.1f} dB"))
        ]
    return report, image_grid(rows, cell_height=max(_SMALLEST_TILE, latents.store.facts.height))


def _data_sets(latents: FrameArrayStore) -> Iterator[tuple[str, str, list[str]]]:
    """Name, split and views of each data set: those for validation, or what else there is."""
    for name, table in latents.store.table.groupby("robot", sort=True):
        splits = dict(list(table.groupby("split")))
        split = next(split for split in _PREFERRED if split in splits)
        yield str(name), split, list(splits[split]["id"])


def _pairs(codec: Codec, latents: FrameArrayStore, views: list[str], frames: int) -> tuple[Tensor, Tensor]:
    """Original and decoded frames (N, 3, H, W) in 0..1; neighbors in time are decoded together."""
    store, device = latents.store, _device_of(codec)
    share = max(1, -(-frames // len(views)))
    chosen = np.linspace(0, len(views) - 1, min(len(views), frames)).round().astype(int)
    originals, decoded = [], []
    for view in (views[number] for number in chosen):
        rows = slice(0, min(store.length(view), share))
        stored = torch.from_numpy(latents.array(LATENTS, view, rows)).float().to(device)
        decoded.append((codec.decode(stored) / 2 + 0.5).clamp(0, 1).cpu())
        originals.append(torch.from_numpy(store.frames(view, rows)).movedim(-1, 1).float() / 255)
    return torch.cat(originals), torch.cat(decoded)


def _device_of(codec: Codec) -> torch.device:
    parameters = [*codec.parameters(), *codec.buffers()] if isinstance(codec, torch.nn.Module) else []
    return parameters[0].device if parameters else torch.device("cpu")
