"""What features are made of: the tiny video model, its codec, and latents of a store."""

from pathlib import Path

from tests.models.vpp.video.spoken import codec_latents
from tests.models.vpp.video.trained import publish_video_model
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.video.codec import load_codec


def feature_sources(folder: Path, store: FrameStore) -> FeatureSources:
    """The tiny video model with random weights, its codec, and that codec's latents of a store."""
    folder.mkdir(parents=True, exist_ok=True)
    task, checkpoint, _ = publish_video_model(folder)
    codec = Checkpoint.of(task.codec)
    latents = codec_latents(folder / "own_latents", store, load_codec(task.codec))
    return FeatureSources(checkpoint, codec, store, latents)
