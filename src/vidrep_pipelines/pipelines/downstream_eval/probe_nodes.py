"""Nodes that evaluate encoders by probes on clip labels."""

from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.clips.config import ProbeClipsConfig
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words


def extract_clip_features(
    clips: pd.DataFrame, encoders: list[dict[str, Any]], config: ClipProbeConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder and clip: tokens of a few frames, extracted once for all heads."""
    from vidrep_pipelines.adapters.clip_features import clip_feature_job
    from vidrep_pipelines.adapters.encoders import encoder_sources_of

    return clip_feature_job(clips, encoder_sources_of(encoders), config, fanout)


def train_heads(
    clips: pd.DataFrame,
    features: Parts,
    encoders: list[dict[str, Any]],
    config: ClipProbeConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per encoder and head: settings chosen on a part of the training clips, then measured."""
    from vidrep_pipelines.evaluation.clip_probe.head_job import compared_clips, head_job

    names = [source["name"] for source in encoders]
    return head_job(compared_clips(clips, features, names), features, names, config, fanout)


def summarize_probes(
    encoders: list[dict[str, Any]],
    clips: pd.DataFrame,
    features: Parts,
    answers: Parts,
    config: ClipProbeConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """All heads of all encoders with intervals, per class, what is taken for what, and plain numbers."""
    from vidrep_pipelines.evaluation.clip_probe.probe_report import compare_probes

    del tracking  # with it the run is opened that the numbers and the pictures after this are logged to
    return compare_probes([source["name"] for source in encoders], clips, features, answers, config)


def probe_interval_picture(
    summary: pd.DataFrame, config: ClipProbeConfig, probe_clips: ProbeClipsConfig
) -> Image:
    """Accuracy of all heads of all encoders with intervals; the title says what they were measured on."""
    from vidrep_pipelines.evaluation.clip_probe.probe_report import probe_measure
    from vidrep_pipelines.reporting.label_propagation import interval_bars

    count = int(summary["clips"].iloc[0])
    title = f"Labels of {count} clips: {data_in_words('probe_clips', {'probe_clips': probe_clips})}"
    return interval_bars(summary, [probe_measure(head) for head in config.probes], title)


def probe_confusion_picture(confusion: pd.DataFrame, config: ClipProbeConfig) -> Image:
    """What the first head of the first encoder takes for what."""
    from vidrep_pipelines.reporting.clip_probe import confusion_picture

    encoder, head = confusion["encoder"].iloc[0], config.probes[0]
    own = confusion[(confusion["encoder"] == encoder) & (confusion["head"] == head)]
    return confusion_picture(own, f"Answers of {head} on features of {encoder}")
