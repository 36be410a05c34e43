"""Features of labelled clips from any encoder, one item per encoder and clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vidrep_pipelines.adapters.encoders import EncoderSource, encoder_on
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.evaluation.clip_probe.clip_features import (
    CLIP_FEATURE_SUFFIX,
    clip_frames,
    clip_tokens,
)
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig
from vidrep_pipelines.evaluation.encoders.protocol import as_video_encoder
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import gpus_to_use, limited_to_gpus
from vidrep_pipelines.fanout.job import Item, Job, Scalar

_EXTRACTION = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""
_SCIENCE = {"frames", "image_size", "token_grid"}
"""What changes features."""


@dataclass(frozen=True)
class ClipFeatureItem:
    """One clip for one encoder.

    Attributes:
        path: The video.
        config: Which frames, how large, how many tokens.
        encoder: The encoder.
        gpu: Number of the GPU that does it, where there are several.
    """

    path: Path
    config: ClipProbeConfig
    encoder: EncoderSource
    gpu: int = 0


def clip_feature_job(
    clips: pd.DataFrame, sources: Sequence[EncoderSource], config: ClipProbeConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder and clip; heads and their settings extract nothing again.

    Args:
        clips: Columns ``id``, ``path`` and ``digest``.
        sources: The encoders.
        config: Which frames, how large, how many tokens.
        fanout: How items are executed; on GPUs a process per core would only fill their memory.
    """
    gpus = gpus_to_use(config.device)
    rows = list(zip(clips["id"], clips["path"], clips["digest"], strict=True))
    science = config.model_dump(mode="json", include=_SCIENCE)
    items = [
        Item(
            id=f"{source.name}/{name}",
            payload=ClipFeatureItem(Path(path), config, source, number % max(1, gpus)),
            digest=digest_of(_EXTRACTION, science, source.digest, digest),
        )
        for source in sources
        for number, (name, path, digest) in enumerate(rows)
    ]
    fanout = limited_to_gpus(fanout, gpus, config.workers_per_gpu)
    return Job("clip features", extract_clip, items, (CLIP_FEATURE_SUFFIX,), fanout.trying_again())


def extract_clip(item: ClipFeatureItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the tokens of a clip.

    Raises:
        InputError: The clip cannot be read, its size does not suit the encoder, or features are not numbers.
    """
    device = device_of_sequence(item.config.device, item.gpu)
    encoder = encoder_on(item.encoder, device)
    frames = clip_frames(item.path, item.config, as_video_encoder(encoder).window)
    tokens = clip_tokens(frames, encoder, item.config, device)
    with outputs[CLIP_FEATURE_SUFFIX].open("wb") as file:
        np.save(file, tokens, allow_pickle=False)
    seen, cells, dimension = tokens.shape
    return {"frames": seen, "cells": cells, "dimension": dimension, "device": device.type}
