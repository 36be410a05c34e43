"""What an encoder costs: milliseconds a frame, and parameters; one item per encoder."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from vidrep_pipelines.adapters.encoders import EncoderSource, load_encoder
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.evaluation.encoder_comparison.config import EncoderCostConfig
from vidrep_pipelines.evaluation.encoders.protocol import VideoEncoder, as_video_encoder
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts

_TIMING = 1
"""Version of what is timed: raised when the code that times measures something else."""


@dataclass(frozen=True)
class CostItem:
    """One encoder.

    Attributes:
        encoder: The encoder.
        config: What it is timed on.
        device: The device that it is timed on.
    """

    encoder: EncoderSource
    config: EncoderCostConfig
    device: DeviceName


def encoder_cost_job(
    sources: Sequence[EncoderSource], config: EncoderCostConfig, device: DeviceName, fanout: FanOutConfig
) -> Job:
    """One item per encoder, one after the other, so that none takes the processor from another.

    A time is of a machine: it is taken again when the kind of device changes, and not for a faster one of
    the same kind.

    Args:
        sources: The encoders.
        config: What they are timed on.
        device: The device.
        fanout: How items are executed.
    """
    kind = device_of_sequence(device).type
    items = [
        Item(
            id=source.name,
            payload=CostItem(source, config, device),
            digest=digest_of(_TIMING, config.model_dump(mode="json"), kind, source.digest),
        )
        for source in sources
    ]
    alone = fanout.model_copy(update={"workers": 1}).trying_again()
    return Job("encoder costs", measure_cost, items, (), alone)


def measure_cost(item: CostItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Milliseconds a frame (median, fastest, slowest), parameters, and what they were measured on.

    Raises:
        InputError: The encoder takes no frames of this size, or its weights cannot be read.
    """
    del outputs  # the row is all
    device = device_of_sequence(item.device)
    encoder = load_encoder(item.encoder)
    assert isinstance(encoder, nn.Module)
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    encoder.to(device)
    video = as_video_encoder(encoder)
    side = _next_multiple(item.config.image_size, video.stride)
    count = _next_multiple(item.config.frames, video.window)
    frames = torch.rand((1, count, 3, side, side), generator=torch.Generator().manual_seed(0)).to(device)
    features = _passed(video, frames)
    seconds = sorted(_seconds(video, frames) for _ in range(item.config.repeats))
    each = [1000 * one / count for one in seconds]
    return {
        "milliseconds": each[len(each) // 2],
        "milliseconds_low": each[0],
        "milliseconds_high": each[-1],
        "parameters": parameters,
        "dimension": features.shape[2],
        "stride": video.stride,
        "window": video.window,
        "frames": count,
        "side": side,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }


def cost_table(costs: Parts) -> pd.DataFrame:
    """One row per encoder that could be timed: ``encoder`` and the facts of :func:`measure_cost`."""
    table = costs.table[costs.table["status"] == "ok"]
    return table.rename(columns={"id": "encoder"}).reset_index(drop=True)


def _seconds(encoder: VideoEncoder, frames: Tensor) -> float:
    started = time.perf_counter()
    _passed(encoder, frames)
    return time.perf_counter() - started


def _passed(encoder: VideoEncoder, frames: Tensor) -> Tensor:
    features, _ = encoder.features(frames)
    if frames.is_cuda:
        torch.cuda.synchronize(frames.device)
    return features


def _next_multiple(number: int, of: int) -> int:
    return -(-number // of) * of
