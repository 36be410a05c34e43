"""What keyframe intervals and readers cost on the user's own videos."""

from vidrep_pipelines.pipelines.measure_video_io.video_io_pipeline import create_video_io_pipeline

__all__ = ["create_video_io_pipeline"]
