"""Raw videos to small clips with a known keyframe interval."""

from vidrep_pipelines.pipelines.resize.clips_pipeline import create_resize_pipeline, create_tar_pipeline

__all__ = ["create_resize_pipeline", "create_tar_pipeline"]
