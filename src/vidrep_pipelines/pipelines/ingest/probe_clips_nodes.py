"""Nodes that list clips with class labels in two parts."""

import pandas as pd

from vidrep_pipelines.data.clips.config import ProbeClipsConfig
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts


def render_probe_clips(config: ProbeClipsConfig, world: SampleWorldConfig, fanout: FanOutConfig) -> Job:
    """One item per clip of the sample world; none when the user named a data set."""
    from vidrep_pipelines.data.sample_world.clip_rendering import render_clip
    from vidrep_pipelines.data.sample_world.clips import CLIP_SUFFIXES, clip_requests

    requests = clip_requests(world) if config.of_sample_world else []
    items = [Item(id=request.spec.id, payload=request, digest=request.digest) for request in requests]
    return Job("clips of activities", render_clip, items, CLIP_SUFFIXES, fanout)


def list_probe_clips(rendered: Parts, config: ProbeClipsConfig) -> pd.DataFrame:
    """The clips with their classes: those to train a probe on and those to measure it on."""
    from vidrep_pipelines.data.sources.clip_labels import list_labelled_clips

    return list_labelled_clips(config, rendered.folder if config.of_sample_world else None)
