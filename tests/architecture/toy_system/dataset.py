"""The samples of the toy system: pairs of whole frames."""

from pathlib import Path

from tests.architecture.toy_system.config import NextColorDataConfig
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.data.clips.table import ClipRows
from vidrep_pipelines.data.transforms import FrameTransform


def next_color_dataset(clip_table: Path, videos: Path, data: NextColorDataConfig, seed: int) -> ClipDataset:
    """Pairs of frames: ``frames`` (1, 2, 3, S, S) uint8, the earlier first, and a noise ``seed`` (1,)."""
    whole = FrameTransform(size=data.size, scale=(1.0, 1.0), flip_probability=0.0)
    return ClipDataset(ClipRows(clip_table), videos, data.sampling, whole, seed=seed)
