"""What the evaluations of encoders share: which encoders there are."""

from typing import Any

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.evaluation.encoders.config import EncodersConfig


def list_encoders(encoders: EncodersConfig, *checkpoints: Checkpoint) -> list[dict[str, Any]]:
    """The encoders to compare, with digests of their weights."""
    from vidrep_pipelines.adapters.encoders import encoder_sources

    return [source.model_dump(mode="json") for source in encoder_sources(encoders, checkpoints)]
